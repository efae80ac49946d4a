// SPDX-License-Identifier: BSD-2-Clause
// Network load in a guest, for tests and benchmarks. Data follows a pattern that the receiver can
// check. Before and after what is measured stands a marker: a long NOP with a number, which a plugin of
// QEMU sees (tests/bench/plugin). Prints `netload: NAME VALUE`, and fails with a sentence.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

namespace {

constexpr size_t write_bytes = 64 * 1024;
constexpr uint64_t mebibyte = 1 << 20;

const char usage[] =
    "usage: netload receive PORT [check]             one TCP connection, to its end\n"
    "       netload send HOST PORT MIB [check]       64 KiB a write; after MIB of warming up as many measured\n"
    "       netload send-for HOST PORT SECONDS       the same for a time (0: until a key), with a checkable pattern\n"
    "       netload echo HOST COUNT                  ICMP echo of 56 bytes, one after the other\n"
    "       netload udp-receive PORT                 until a datagram that says so\n"
    "       netload udp-send HOST PORT COUNT BYTES\n";

[[noreturn]] void fail(const char* what)
{
    std::fprintf(stderr, "netload: %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

[[noreturn]] void refuse(const char* what)
{
    std::fprintf(stderr, "netload: %s\n", what);
    std::exit(1);
}

void print(const char* name, uint64_t value)
{
    std::printf("netload: %s %llu\n", name, static_cast<unsigned long long>(value));
    std::fflush(stdout);
}

uint64_t ticks()
{
    uint32_t low;
    uint32_t high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return uint64_t{high} << 32 | low;
}

[[gnu::noinline]] void mark_begin() { asm volatile("nopl 0x42554c01(%%rax)" : : : "memory"); }
[[gnu::noinline]] void mark_end() { asm volatile("nopl 0x42554c02(%%rax)" : : : "memory"); }

uint64_t number(const char* text)
{
    char* end = nullptr;
    const uint64_t value = std::strtoull(text, &end, 0);
    if (*text == '\0' || *end != '\0')
        refuse("a number is expected");
    return value;
}

sockaddr_in address_of(const char* host, const char* port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(number(port)));
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        refuse("the host is an IPv4 address");
    return address;
}

const sockaddr* generic(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

// The byte at a place of the stream: no period that is a power of two.
uint8_t pattern(uint64_t at) { return static_cast<uint8_t>(at % 251 ^ at / 251); }

void fill(std::vector<uint8_t>& buffer, uint64_t from)
{
    for (size_t i = 0; i < buffer.size(); ++i)
        buffer[i] = pattern(from + i);
}

int listen_on(const char* port)
{
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1;
    const sockaddr_in here = address_of("0.0.0.0", port);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(listener, generic(here), sizeof(here)) != 0 || listen(listener, 1) != 0)
        fail("listen");
    return listener;
}

void receive(const char* port, bool check)
{
    const int listener = listen_on(port);
    print("listening", number(port));
    const int connection = accept(listener, nullptr, nullptr);
    if (connection < 0)
        fail("accept");
    std::vector<uint8_t> buffer(4 * write_bytes);
    uint64_t total = 0;
    for (;;) {
        const ssize_t got = read(connection, buffer.data(), buffer.size());
        if (got < 0)
            fail("read");
        if (got == 0)
            break;
        for (ssize_t i = 0; check && i < got; ++i) {
            if (buffer[static_cast<size_t>(i)] != pattern(total + static_cast<uint64_t>(i))) {
                print("first_wrong_byte", total + static_cast<uint64_t>(i));
                refuse("the data is wrong");
            }
        }
        total += static_cast<uint64_t>(got);
    }
    print(check ? "received_and_checked" : "received", total);
}

int connect_to(const char* host, const char* port)
{
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in there = address_of(host, port);
    // The other side may not listen yet.
    for (int tries = 0; connect(connection, generic(there), sizeof(there)) != 0; ++tries) {
        if (tries == 60)
            fail("connect");
        sleep(1);
    }
    return connection;
}

void write_all(int connection, const std::vector<uint8_t>& buffer)
{
    for (size_t done = 0; done < buffer.size();) {
        const ssize_t put = write(connection, buffer.data() + done, buffer.size() - done);
        if (put <= 0)
            fail("write");
        done += static_cast<size_t>(put);
    }
}

void send_mebibytes(int connection, uint64_t count, bool check, uint64_t& at)
{
    std::vector<uint8_t> buffer(write_bytes, 0x55);
    for (const uint64_t end = at + count * mebibyte; at < end; at += write_bytes) {
        if (check)
            fill(buffer, at);
        write_all(connection, buffer);
    }
}

void send(const char* host, const char* port, uint64_t count, bool check)
{
    const int connection = connect_to(host, port);
    uint64_t at = 0;
    send_mebibytes(connection, count, check, at);
    const uint64_t start = ticks();
    mark_begin();
    send_mebibytes(connection, count, check, at);
    mark_end();
    const uint64_t took = ticks() - start;
    shutdown(connection, SHUT_WR);
    // The receiver closes when it has read everything.
    char rest = 0;
    if (read(connection, &rest, 1) < 0)
        fail("end of the connection");
    print("sent", at);
    print("ticks_per_mebibyte", took / count);
}

void send_for(const char* host, const char* port, uint64_t seconds)
{
    const int connection = connect_to(host, port);
    const time_t end = time(nullptr) + static_cast<time_t>(seconds);
    const auto goes_on = [&] {
        pollfd key{STDIN_FILENO, POLLIN, 0};
        return seconds != 0 ? time(nullptr) < end : poll(&key, 1, 0) == 0;
    };
    uint64_t at = 0;
    while (goes_on())
        send_mebibytes(connection, 1, true, at);
    shutdown(connection, SHUT_WR);
    char rest = 0;
    if (read(connection, &rest, 1) < 0)
        fail("end of the connection");
    print("sent", at);
}

uint16_t checksum(const uint8_t* bytes, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += static_cast<uint32_t>(bytes[i]) | static_cast<uint32_t>(bytes[i + 1]) << 8;
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

// One echo. False: no answer came within the socket's time.
bool echo_once(int raw, const sockaddr_in& there, uint16_t sequence)
{
    std::vector<uint8_t> request(sizeof(icmphdr) + 56, 0x2a);
    icmphdr head{};
    head.type = ICMP_ECHO;
    head.un.echo.id = htons(0x4248);
    head.un.echo.sequence = htons(sequence);
    std::memcpy(request.data(), &head, sizeof(head));
    head.checksum = checksum(request.data(), request.size());
    std::memcpy(request.data(), &head, sizeof(head));
    if (sendto(raw, request.data(), request.size(), 0, generic(there), sizeof(there)) < 0)
        return false;               // such as: nobody answers to ARP yet
    for (;;) {
        uint8_t answer[256];
        const ssize_t got = recv(raw, answer, sizeof(answer), 0);
        if (got < 0)
            return false;
        const size_t ip = static_cast<size_t>(answer[0] & 15) * 4;
        if (static_cast<size_t>(got) < ip + sizeof(head))
            continue;
        std::memcpy(&head, answer + ip, sizeof(head));
        if (head.type == ICMP_ECHOREPLY && head.un.echo.id == htons(0x4248) && head.un.echo.sequence == htons(sequence))
            return true;
    }
}

void echo(const char* host, uint64_t count)
{
    const int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    const timeval soon{0, 20'000};
    const timeval second{1, 0};
    const sockaddr_in there = address_of(host, "0");
    if (raw < 0 || setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)) != 0)
        fail("socket");
    uint16_t sequence = 0;
    int silent = 0;
    // Until it is there, then as many again to warm up.
    while (!echo_once(raw, there, ++sequence)) {
        if (++silent == 3000)
            refuse("no answer");
    }
    print("answers_at_tick", ticks());
    if (setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)) != 0)
        fail("socket");
    uint64_t lost = 0;
    uint64_t before = ticks();
    uint64_t worst = 0;
    const auto echo_all = [&] {
        for (uint64_t i = 0; i < count; ++i) {
            lost += echo_once(raw, there, ++sequence) ? 0U : 1U;
            const uint64_t now = ticks();
            worst = std::max(worst, now - before);
            before = now;
        }
    };
    echo_all();
    const uint64_t start = ticks();
    mark_begin();
    echo_all();
    mark_end();
    const uint64_t took = ticks() - start;
    print("lost", lost);
    print("worst_ticks", worst);
    print("ticks_per_echo", took / count);
}

constexpr char last_words[] = "netload: that was all";

void udp_receive(const char* port)
{
    const int endpoint = socket(AF_INET, SOCK_DGRAM, 0);
    const sockaddr_in here = address_of("0.0.0.0", port);
    if (endpoint < 0 || bind(endpoint, generic(here), sizeof(here)) != 0)
        fail("bind");
    print("listening", number(port));
    uint64_t count = 0;
    for (;;) {
        char buffer[2048];
        const ssize_t got = recv(endpoint, buffer, sizeof(buffer), 0);
        if (got < 0)
            fail("recv");
        if (got == sizeof(last_words) && std::memcmp(buffer, last_words, sizeof(last_words)) == 0)
            break;
        ++count;
    }
    print("datagrams", count);
}

void udp_send(const char* host, const char* port, uint64_t count, uint64_t size)
{
    const int endpoint = socket(AF_INET, SOCK_DGRAM, 0);
    const sockaddr_in there = address_of(host, port);
    if (size == 0 || size > 65507)
        refuse("a datagram has 1 to 65507 bytes");
    if (endpoint < 0 || connect(endpoint, generic(there), sizeof(there)) != 0)
        fail("socket");
    const std::vector<uint8_t> data(size, 0x33);
    const uint64_t start = ticks();
    mark_begin();
    for (uint64_t i = 0; i < count; ++i) {
        // Nobody listens: the answer to an earlier datagram says so.
        if (::send(endpoint, data.data(), data.size(), 0) < 0 && errno != ECONNREFUSED)
            fail("send");
    }
    mark_end();
    const uint64_t took = ticks() - start;
    for (int i = 0; i < 5; ++i) {
        usleep(100'000);
        (void)!::send(endpoint, last_words, sizeof(last_words), 0);
    }
    print("sent", count);
    print("ticks_per_datagram", took / count);
}

}  // namespace

int main(int argc, char** argv)
{
    const std::string_view what = argc > 1 ? argv[1] : "";
    const bool check = std::string_view(argv[argc - 1]) == "check";
    if (what == "receive" && argc >= 3)
        receive(argv[2], check);
    else if (what == "send" && argc >= 5)
        send(argv[2], argv[3], number(argv[4]), check);
    else if (what == "send-for" && argc == 5)
        send_for(argv[2], argv[3], number(argv[4]));
    else if (what == "echo" && argc == 4)
        echo(argv[2], number(argv[3]));
    else if (what == "udp-receive" && argc == 3)
        udp_receive(argv[2]);
    else if (what == "udp-send" && argc == 6)
        udp_send(argv[2], argv[3], number(argv[4]), number(argv[5]));
    else {
        std::fputs(usage, stderr);
        return 2;
    }
    return 0;
}
