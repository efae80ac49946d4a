// SPDX-License-Identifier: BSD-2-Clause
// Time, sleeping and timers. Times count from the start of the box, in nanoseconds, the same on all
// vCPUs and in all partitions of the box.
#pragma once

#include <chrono>
#include <cstdint>

namespace bulkhead {

using Duration = std::chrono::nanoseconds;

// A steady clock for <chrono>.
struct Clock {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<Clock>;
    static constexpr bool is_steady = true;
    // About 40 instructions, no hypercall. Never goes back on one vCPU.
    [[nodiscard]] static time_point now();
};
using Time = Clock::time_point;

// Seconds and nanoseconds since 1970, UTC, as the box's real-time clock has it. The C library's
// time() and gettimeofday() give the same.
[[nodiscard]] Duration wall_clock();

// Blocks the calling vCPU. Handlers of events run meanwhile (events.hpp). Returns at the deadline or
// later, at once if it has passed.
void sleep_until(Time deadline);
inline void sleep_for(Duration duration) { sleep_until(Clock::now() + duration); }

// Calls a function at a time, within a wait of the vCPU that started it. One start, one call; the
// function may start it again. The object must live until it is stopped or has fired. All calls
// for one timer come from one vCPU.
class Timer {
public:
    constexpr Timer(void (*function)(void* context), void* context) : function_(function), context_(context) {}
    ~Timer() { stop(); }
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    void start(Time deadline);          // moves it if it runs already
    void stop();                        // does nothing if it does not run
    [[nodiscard]] bool running() const { return running_; }
    [[nodiscard]] Time deadline() const { return deadline_; }

private:
    friend class TimerQueue;
    void (*function_)(void* context);
    void* context_;
    Time deadline_{};
    Timer* next_ = nullptr;
    bool running_ = false;
};

}  // namespace bulkhead
