// SPDX-License-Identifier: BSD-2-Clause
// Asks the store many things, good and bad, by /dev/xen/xenbus, and prints each answer on a line: the
// same list is put to Bulkhead's store and to Debian's, and the lines are compared. What is different
// for every domain and run (the own id, generations) is replaced. Argument: the own domain's id.
// Source: xen/docs/misc/xenstore.txt.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <unistd.h>
#include <vector>

extern "C" {
#include <xen/io/xs_wire.h>
}

namespace {

int store = -1;
std::string own;

using Text = std::string;

// With its NUL.
Text z(const Text& text) { return text + Text(1, '\0'); }

Text printable(const Text& bytes)
{
    Text out;
    for (const char c : bytes) {
        char form[8];
        std::snprintf(form, sizeof(form), c >= ' ' && c < 127 ? "%c" : "\\x%02x", static_cast<unsigned char>(c));
        out += form;
    }
    return out;
}

bool receive(void* to, size_t bytes)
{
    for (auto* at = static_cast<char*>(to); bytes != 0;) {
        const ssize_t count = read(store, at, bytes);
        if (count <= 0)
            return false;
        at += count;
        bytes -= static_cast<size_t>(count);
    }
    return true;
}

struct Answer {
    uint32_t type;
    Text payload;
};

// They come when the kernel passes them on, so they are printed at the end.
std::vector<Text> events;

Answer next_answer()
{
    for (;;) {
        xsd_sockmsg head{};
        if (!receive(&head, sizeof(head)))
            return {XS_ERROR, "(nothing)"};
        Text payload(head.len, '\0');
        if (!receive(payload.data(), payload.size()))
            return {XS_ERROR, "(half)"};
        if (head.type != XS_WATCH_EVENT)
            return {head.type, payload};
        events.push_back(payload);
    }
}

Answer ask(uint32_t type, const Text& payload, uint32_t transaction = 0)
{
    const xsd_sockmsg head = {type, 1, transaction, static_cast<uint32_t>(payload.size())};
    const Text message = Text(reinterpret_cast<const char*>(&head), sizeof(head)) + payload;
    if (write(store, message.data(), message.size()) != static_cast<ssize_t>(message.size()))
        return {XS_ERROR, "(cannot be sent)"};
    return next_answer();
}

Text without_own_id(Text text)
{
    for (const char* before : {"n", "r", "w", "b"}) {
        const Text entry = z(before + own);
        for (size_t at = 0; (at = text.find(entry, at)) != Text::npos;)
            text.replace(at, entry.size(), z(Text(before) + "OWN"));
    }
    return text;
}

void show(const char* what, const Answer& answer)
{
    const Text payload = printable(without_own_id(answer.payload));
    std::printf("probe: %s: %s%s\n", what, answer.type == XS_ERROR ? "error " : "", payload.c_str());
}

void nodes()
{
    ask(XS_RM, z("data/t"));
    show("read of nothing", ask(XS_READ, z("data/t/none")));
    show("mkdir", ask(XS_MKDIR, z("data/t")));
    show("mkdir again", ask(XS_MKDIR, z("data/t")));
    show("read of a directory", ask(XS_READ, z("data/t")));
    show("write", ask(XS_WRITE, z("data/t/a") + "one"));
    show("read", ask(XS_READ, z("data/t/a")));
    show("write of bytes", ask(XS_WRITE, z("data/t/a") + Text("\0\xff\n", 3)));
    show("read of bytes", ask(XS_READ, z("data/t/a")));
    show("write of nothing", ask(XS_WRITE, z("data/t/a")));
    show("read of an empty value", ask(XS_READ, z("data/t/a")));
    show("write far below", ask(XS_WRITE, z("data/t/b/c/d") + "x"));
    show("directory", ask(XS_DIRECTORY, z("data/t/b")));
    show("directory of a leaf", ask(XS_DIRECTORY, z("data/t/b/c/d")));
    show("directory of nothing", ask(XS_DIRECTORY, z("data/t/none")));
    show("rm", ask(XS_RM, z("data/t/b")));
    show("read of what was removed", ask(XS_READ, z("data/t/b/c/d")));
    show("rm of nothing in a directory", ask(XS_RM, z("data/t/none")));
    show("rm of nothing in nothing", ask(XS_RM, z("data/t/none/deeper")));
}

void paths()
{
    show("slash at the end", ask(XS_READ, z("data/t/a/")));
    show("two slashes", ask(XS_READ, z("data//t")));
    show("blank", ask(XS_READ, z("data/t a")));
    show("dot", ask(XS_READ, z("data/t.a")));
    show("empty", ask(XS_READ, z("")));
    show("no end", ask(XS_READ, "data/t"));
    show("no payload", ask(XS_READ, ""));
    show("write without an end", ask(XS_WRITE, "data/t/a"));
    show("long", ask(XS_READ, z("data/t/" + Text(3000, 'x'))));
    show("long absolute", ask(XS_READ, z("/" + Text(3072, 'x'))));
    show("special", ask(XS_READ, z("@releaseDomain")));
    show("unknown type", ask(200, z("data/t")));
}

void permissions()
{
    show("permissions", ask(XS_GET_PERMS, z("data/t/a")));
    show("set permissions", ask(XS_SET_PERMS, z("data/t/a") + z("n" + own) + z("r7")));
    show("permissions set", ask(XS_GET_PERMS, z("data/t/a")));
    show("permission of no kind", ask(XS_SET_PERMS, z("data/t/a") + z("q1")));
    show("permission of nobody", ask(XS_SET_PERMS, z("data/t/a") + z("n")));
    show("no permissions", ask(XS_SET_PERMS, z("data/t/a")));
    show("permissions of nothing", ask(XS_GET_PERMS, z("data/t/none")));
    show("domain path", ask(XS_GET_DOMAIN_PATH, z("5")));
}

uint32_t begin()
{
    const Answer answer = ask(XS_TRANSACTION_START, z(""));
    return static_cast<uint32_t>(std::stoul("0" + answer.payload));
}

void transactions()
{
    uint32_t one = begin();
    show("write in a transaction", ask(XS_WRITE, z("data/t/x") + "new", one));
    show("read in it", ask(XS_READ, z("data/t/x"), one));
    show("read outside of it", ask(XS_READ, z("data/t/x")));
    show("commit", ask(XS_TRANSACTION_END, z("T"), one));
    show("read behind it", ask(XS_READ, z("data/t/x")));
    one = begin();
    show("rm in a transaction", ask(XS_RM, z("data/t/x"), one));
    show("read in it", ask(XS_READ, z("data/t/x"), one));
    show("abort", ask(XS_TRANSACTION_END, z("F"), one));
    show("read behind it", ask(XS_READ, z("data/t/x")));
    one = begin();
    show("read in a transaction", ask(XS_READ, z("data/t/x"), one));
    show("write beside it", ask(XS_WRITE, z("data/t/x") + "other"));
    show("write in it", ask(XS_WRITE, z("data/t/y") + "mine", one));
    show("commit of a conflict", ask(XS_TRANSACTION_END, z("T"), one));
    show("read of what it wrote", ask(XS_READ, z("data/t/y")));
    one = begin();
    show("end without a word", ask(XS_TRANSACTION_END, z("Q"), one));
}

void parts()
{
    Answer answer = ask(XS_DIRECTORY_PART, z("data/t") + z("0"));
    const size_t generation = answer.payload.find('\0');
    if (answer.type != XS_ERROR && generation != Text::npos)
        answer.payload.replace(0, generation, "GENERATION");
    show("directory in parts", answer);
    show("part of nothing", ask(XS_DIRECTORY_PART, z("data/t/none") + z("0")));
    show("part without a place", ask(XS_DIRECTORY_PART, z("data/t")));
}

void watches()
{
    show("watch", ask(XS_WATCH, z("data/t/w") + z("token")));
    show("write below it", ask(XS_WRITE, z("data/t/w/deep") + "1"));
    show("rm above it", ask(XS_RM, z("data/t")));
    pollfd waiting = {store, POLLIN, 0};
    while (poll(&waiting, 1, 500) == 1) {
        xsd_sockmsg head{};
        if (!receive(&head, sizeof(head)))
            return;
        Text payload(head.len, '\0');
        if (!receive(payload.data(), payload.size()))
            return;
        events.push_back(payload);
    }
    for (const Text& event : events)
        std::printf("probe: event: %s\n", printable(event).c_str());
}

}  // namespace

int main(int count, char** words)
{
    own = count > 1 ? words[1] : "0";
    store = open("/dev/xen/xenbus", O_RDWR);
    if (store < 0) {
        std::perror("probe: /dev/xen/xenbus");
        return 1;
    }
    nodes();
    paths();
    permissions();
    transactions();
    parts();
    watches();
    std::puts("probe: finished");
    return 0;
}
