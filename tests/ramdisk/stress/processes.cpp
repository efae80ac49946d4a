// SPDX-License-Identifier: BSD-2-Clause
// Processes, threads and the ways in which they wake each other.
#include "stress.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stress {
namespace {

void exec_once(bool use_vfork) {
    const pid_t child = use_vfork ? vfork() : fork();
    require(child >= 0, "fork before exec");
    if (child == 0) {
        execl("/proc/self/exe", "stress-tool", "--child-of-exec", nullptr);
        _exit(1);
    }
    int status = 0;
    require(waitpid(child, &status, 0) == child, "wait for exec");
    require(WIFEXITED(status) && WEXITSTATUS(status) == 42, "exec'd program's status");
}

// A process whose children have children: every level adds address spaces.
void tree(int depth) {
    if (depth == 0) {
        return;
    }
    Child left([depth] { tree(depth - 1); });
    Child right([depth] { tree(depth - 1); });
    left.join();
    right.join();
}

thread_local std::uint64_t local_value = 7;

void exchange(int from, int to, int rounds, bool starts) {
    std::uint64_t word = 0;
    for (int round = 0; round < rounds; ++round) {
        if (starts || round > 0) {
            require(write(to, &word, sizeof word) == sizeof word, "write to peer");
        }
        require(read(from, &word, sizeof word) == sizeof word, "read from peer");
        ++word;
    }
    if (!starts) {
        require(write(to, &word, sizeof word) == sizeof word, "last write to peer");
    } else {
        require(word >= static_cast<std::uint64_t>(rounds), "count of exchanges");
    }
}

void loopback_transfer() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0) {
        errno = 0;
        return;
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener, generic, sizeof address) != 0) {
        errno = 0;  // the loopback interface is down
        close(listener);
        return;
    }
    socklen_t length = sizeof address;
    require(getsockname(listener, generic, &length) == 0, "getsockname");
    require(listen(listener, 1) == 0, "listen");
    constexpr std::size_t total = 4U << 20;
    Child sender([&] {
        const int out = socket(AF_INET, SOCK_STREAM, 0);
        require(connect(out, generic, sizeof address) == 0, "connect to loopback");
        std::vector<std::uint64_t> block(8192);
        Pattern pattern(5);
        for (std::size_t sent = 0; sent < total; sent += block.size() * 8) {
            for (auto& word : block) {
                word = pattern.next();
            }
            std::size_t done = 0;
            while (done < block.size() * 8) {
                const ssize_t n = write(out, reinterpret_cast<char*>(block.data()) + done, block.size() * 8 - done);
                require(n > 0, "send over loopback");
                done += static_cast<std::size_t>(n);
            }
        }
    });
    const int in = accept(listener, nullptr, nullptr);
    require(in >= 0, "accept");
    Pattern pattern(5);
    std::vector<std::uint64_t> words(512);
    for (std::size_t received = 0; received < total; received += words.size() * 8) {
        const auto bytes = static_cast<ssize_t>(words.size() * 8);
        require(recv(in, words.data(), words.size() * 8, MSG_WAITALL) == bytes, "receive over loopback");
        for (const std::uint64_t word : words) {
            require(word == pattern.next(), "bytes over loopback");
        }
    }
    sender.join();
    close(in);
    close(listener);
}

}  // namespace

void processes() {
    for (int round = 0; round < 20; ++round) {
        std::vector<Child> children;
        for (int i = 0; i < 10; ++i) {
            children.emplace_back([] {});
        }
        for (Child& child : children) {
            child.join();
        }
    }
    for (int round = 0; round < 40; ++round) {
        exec_once(round % 2 == 0);
    }
    tree(5);
}

void threads() {
    std::atomic<unsigned> total{0};
    for (int round = 0; round < 10; ++round) {
        std::vector<std::thread> all;
        for (std::uint64_t id = 1; id <= 8; ++id) {
            all.emplace_back([id, &total] {
                local_value = id;
                for (int i = 0; i < 200; ++i) {
                    sched_yield();
                    require(local_value == id, "thread-local storage");
                }
                total.fetch_add(1);
            });
        }
        for (auto& thread : all) {
            thread.join();
        }
    }
    require(total.load() == 80, "number of threads that ran");
    require(local_value == 7, "first thread's storage");
}

void pipes() {
    constexpr int rounds = 1000;
    const int cpus = online_cpus();
    std::array<int, 2> there{};
    std::array<int, 2> back{};
    require(pipe(there.data()) == 0 && pipe(back.data()) == 0, "pipe");
    Child peer([&] {
        pin_to(cpus - 1);
        exchange(there[0], back[1], rounds, false);
    });
    pin_to(0);
    exchange(back[0], there[1], rounds, true);
    peer.join();

    std::array<int, 2> pair{};
    require(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0, "socketpair");
    Child other([&] { exchange(pair[1], pair[1], rounds, false); });
    exchange(pair[0], pair[0], rounds, true);
    other.join();
    loopback_transfer();
}

void filters() {
    // "Accept everything", in enough forms that each is compiled to code of its own.
    for (unsigned round = 0; round < 200; ++round) {
        const int out = socket(AF_UNIX, SOCK_DGRAM, 0);
        require(out >= 0, "datagram socket");
        std::vector<sock_filter> code(1 + round, sock_filter{BPF_LD | BPF_IMM, 0, 0, round});
        code.push_back(sock_filter{BPF_RET | BPF_K, 0, 0, 0xffffffff});
        sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
        require(setsockopt(out, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0, "attach filter");
        close(out);
    }
}

}  // namespace stress
