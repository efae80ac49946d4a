// SPDX-License-Identifier: BSD-2-Clause
// Time: nothing may go backward or end early. Ending late is no error here, since
// the machine may be an emulated one with other work to do.
#include "stress.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>
#include <vector>

#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace stress {
namespace {

constexpr std::int64_t ms = 1'000'000;

volatile sig_atomic_t ticks;
void on_tick(int) { ticks = ticks + 1; }

// Between two readings of the monotonic clock: the program may lose its CPU around any of the three.
struct WallTime {
    std::int64_t before, ns, after;
};
WallTime wall_time() {
    timespec wall{};
    const std::int64_t before = monotonic_ns();
    clock_gettime(CLOCK_REALTIME, &wall);
    return {before, wall.tv_sec * 1'000'000'000 + wall.tv_nsec, monotonic_ns()};
}

std::int64_t raw_monotonic_ns() {
    timespec now{};
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

void timers() {
    for (const std::int64_t length : {1 * ms / 10, 1 * ms, 5 * ms, 20 * ms, 100 * ms}) {
        for (int i = 0; i < 5; ++i) {
            const std::int64_t before = monotonic_ns();
            timespec duration{0, length};
            require(nanosleep(&duration, nullptr) == 0, "nanosleep");
            const std::int64_t slept = monotonic_ns() - before;
            require(slept >= length, "sleep ended early");
            require(slept < length + 5000 * ms, "sleep took seconds too long");
        }
    }
    struct sigaction action{};
    action.sa_handler = on_tick;
    require(sigaction(SIGALRM, &action, nullptr) == 0, "sigaction");
    const std::int64_t before = monotonic_ns();
    itimerval every{{0, 5000}, {0, 5000}};
    require(setitimer(ITIMER_REAL, &every, nullptr) == 0, "setitimer");
    while (ticks < 40) {
        pause();
    }
    every = {};
    require(setitimer(ITIMER_REAL, &every, nullptr) == 0, "setitimer off");
    require(monotonic_ns() - before >= 195 * ms, "interval timer ran fast");

    const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    require(timer >= 0, "timerfd_create");
    const itimerspec setting{{0, 10 * ms}, {0, 10 * ms}};
    const std::int64_t start = monotonic_ns();
    require(timerfd_settime(timer, 0, &setting, nullptr) == 0, "timerfd_settime");
    std::uint64_t expirations = 0;
    while (expirations < 20) {
        std::uint64_t some = 0;
        require(read(timer, &some, sizeof some) == sizeof some, "read of a timer descriptor");
        expirations += some;
    }
    require(monotonic_ns() - start >= 200 * ms, "timer descriptor ran fast");
    close(timer);

    // Many sleepers at once, on every CPU.
    std::vector<std::thread> sleepers;
    for (int i = 0; i < 16; ++i) {
        sleepers.emplace_back([i] {
            pin_to(i % online_cpus());
            for (int round = 0; round < 10; ++round) {
                const std::int64_t began = monotonic_ns();
                timespec duration{0, (3 + i) * ms};
                nanosleep(&duration, nullptr);
                require(monotonic_ns() - began >= (3 + i) * ms, "one of many sleeps ended early");
            }
        });
    }
    for (auto& sleeper : sleepers) {
        sleeper.join();
    }
    errno = 0;
}

void clocks() {
    // The latest time that any thread has seen: nobody may read an earlier one afterwards.
    std::atomic<std::int64_t> latest{0};
    std::vector<std::thread> readers;
    const int cpus = online_cpus();
    for (int cpu = 0; cpu < cpus; ++cpu) {
        readers.emplace_back([cpu, &latest] {
            pin_to(cpu);
            for (int i = 0; i < 100'000; ++i) {
                const std::int64_t seen = latest.load(std::memory_order_acquire);
                const std::int64_t now = monotonic_ns();
                require(now >= seen, "monotonic clock went backward between CPUs");
                std::int64_t expected = seen;
                while (expected < now && !latest.compare_exchange_weak(expected, now, std::memory_order_release)) {
                }
            }
        });
    }
    for (auto& reader : readers) {
        reader.join();
    }
    for (int i = 0; i < 20'000; ++i) {
        const std::int64_t first = raw_monotonic_ns();
        const std::int64_t second = monotonic_ns();
        const std::int64_t third = raw_monotonic_ns();
        require(first <= second && second <= third, "vDSO and system call disagree");
    }
    // Both clocks advance at the same rate, and the wall clock stands after 2020.
    const WallTime first = wall_time();
    usleep(500'000);
    const WallTime last = wall_time();
    const std::int64_t wall = last.ns - first.ns;
    require(wall > last.before - first.after - 50 * ms && wall < last.after - first.before + 50 * ms,
            "wall clock and monotonic clock drift apart");
    require(last.ns > 1'577'836'800 * (1'000 * ms), "wall clock is set");
    errno = 0;
}

}  // namespace stress
