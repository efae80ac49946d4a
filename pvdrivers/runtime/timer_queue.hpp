// SPDX-License-Identifier: BSD-2-Clause
// The timers of one vCPU, in the order of their deadlines; few, so a list.
#pragma once

#include <bulkhead/time.hpp>

namespace bulkhead {

class TimerQueue {
public:
    // True: it is the first one now, so that the hypervisor has to be told.
    [[nodiscard]] bool insert(Timer& timer, Time deadline)
    {
        remove(timer);
        timer.deadline_ = deadline;
        timer.running_ = true;
        Timer** at = &first_;
        while (*at != nullptr && (*at)->deadline_ <= deadline)
            at = &(*at)->next_;
        timer.next_ = *at;
        *at = &timer;
        return first_ == &timer;
    }

    void remove(Timer& timer)
    {
        if (!timer.running_)
            return;
        timer.running_ = false;
        for (Timer** at = &first_; *at != nullptr; at = &(*at)->next_) {
            if (*at == &timer) {
                *at = timer.next_;
                return;
            }
        }
    }

    [[nodiscard]] const Timer* first() const { return first_; }

    // Calls what is due, in order; one that starts itself again in the past is called again, up to a bound.
    template <class Now>
    unsigned run_due(Now now)
    {
        const Time until = now();
        unsigned ran = 0;
        for (; first_ != nullptr && first_->deadline_ <= until && ran < most_at_once; ++ran) {
            Timer& timer = *first_;
            first_ = timer.next_;
            timer.running_ = false;
            timer.function_(timer.context_);
        }
        return ran;
    }

private:
    static constexpr unsigned most_at_once = 64;
    Timer* first_ = nullptr;
};

}  // namespace bulkhead
