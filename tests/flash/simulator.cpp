// SPDX-License-Identifier: BSD-2-Clause
// A box's flash behind JTAG, for OpenOCD's remote_bitbang driver: prints its port, serves one
// connection, and keeps the chip's content in a file. Faults come from its options.
#include "jtag.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <netinet/tcp.h>
#include <set>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace flash_model;

struct Options {
    std::string content;
    size_t bytes = 16 << 20;
    uint32_t idcode = 0x13631093;
    uint64_t unplug_after = ~uint64_t{0};       // changes of the chip
    std::set<uint64_t> keep_at;                 // what the chip holds after so many changes goes to CONTENT.N
    Faults faults;
};

Options read_options(int count, char** words)
{
    Options options;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::string_view name = words[i];
        const auto number = std::strtoull(words[i + 1], nullptr, 0);
        if (name == "--content")
            options.content = words[i + 1];
        else if (name == "--bytes")
            options.bytes = number;
        else if (name == "--idcode")
            options.idcode = static_cast<uint32_t>(number);
        else if (name == "--chip")
            options.faults.id = static_cast<uint32_t>(number);
        else if (name == "--protect")
            options.faults.protect = number != 0;
        else if (name == "--stuck-at")
            options.faults.stuck_at = number;
        else if (name == "--keep-at")
            options.keep_at.insert(number);
        else if (name == "--unplug-after")
            options.unplug_after = number;
        else
            std::exit(2);
    }
    return options;
}

std::vector<uint8_t> load(const Options& options)
{
    std::ifstream file(options.content, std::ios::binary);
    std::vector<uint8_t> content{std::istreambuf_iterator<char>(file), {}};
    content.resize(options.bytes, 0xff);
    return content;
}

void store(const std::string& path, const std::vector<uint8_t>& content)
{
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
}

int wait_for_connection()
{
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        std::exit(1);
    std::printf("%u\n", ntohs(address.sin_port));
    std::fflush(stdout);
    const int connection = accept(listener, nullptr, nullptr);
    const int yes = 1;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    close(listener);
    return connection;
}

// Source: OpenOCD, doc/manual/jtag/drivers/remote_bitbang.txt.
void serve(int connection, Tap& tap, const NorChip& chip, const Options& options, const std::vector<uint8_t>& content)
{
    uint64_t changes = 0;
    std::array<char, 65536> in;
    std::string out;
    bool clock = false;
    for (;;) {
        const ssize_t count = read(connection, in.data(), in.size());
        if (count <= 0)
            return;
        for (ssize_t i = 0; i < count; ++i) {
            const char letter = in[static_cast<size_t>(i)];
            if (letter >= '0' && letter <= '7') {
                const int pins = letter - '0';
                const bool rises = (pins & 4) != 0 && !clock;
                clock = (pins & 4) != 0;
                if (rises)
                    tap.clock((pins & 2) != 0, (pins & 1) != 0);
            } else if (letter == 'R') {
                out += tap.tdo() ? '1' : '0';
            } else if (letter == 't' || letter == 'u') {
                tap.reset();
            } else if (letter == 'Q') {
                return;
            }
            if (chip.changes() == changes)
                continue;
            changes = chip.changes();
            if (options.keep_at.contains(changes))
                store(options.content + "." + std::to_string(changes), content);
            if (changes > options.unplug_after)
                return;         // the cable is out
        }
        if (!out.empty() && write(connection, out.data(), out.size()) != static_cast<ssize_t>(out.size()))
            return;
        out.clear();
    }
}

}  // namespace

int main(int count, char** words)
{
    const Options options = read_options(count, words);
    std::vector<uint8_t> content = load(options);
    NorChip chip(content, options.faults);
    Tap tap(chip, options.idcode);
    const int connection = wait_for_connection();
    serve(connection, tap, chip, options, content);
    close(connection);
    store(options.content, content);
    return 0;
}
