// SPDX-License-Identifier: BSD-2-Clause
// A counter of known frequency to measure the TSC against: HPET, else the ACPI PM timer, else
// channel 2 of the PIT.
#pragma once

#include <cstdint>

namespace bulkhead {

class ReferenceClock {
public:
    // Finds the best one and starts it. Start-up only.
    void start();
    [[nodiscard]] const char* name() const { return name_; }
    // Ticks from one reading to a later one: femtoseconds() each, at most half a wrap apart.
    [[nodiscard]] uint64_t read() const;
    [[nodiscard]] uint64_t elapsed(uint64_t from, uint64_t to) const { return (to - from) & mask_; }
    [[nodiscard]] uint64_t femtoseconds() const { return femtoseconds_; }
    // A measurement shorter than this is not worth having.
    [[nodiscard]] uint32_t least_microseconds() const { return least_microseconds_; }
    // Whether it goes on counting for ever, so that it can be read again minutes later.
    [[nodiscard]] bool lasts() const { return kind_ == Kind::hpet; }

private:
    enum class Kind : uint8_t { none, hpet, pm_timer, pit };
    [[nodiscard]] bool start_hpet();
    [[nodiscard]] bool start_pm_timer();
    void start_pit();

    Kind kind_{Kind::none};
    volatile void* window_{nullptr};
    uint16_t port_{0};
    uint64_t mask_{0};
    uint64_t femtoseconds_{1};
    uint32_t least_microseconds_{0};
    const char* name_{"none"};
};

}  // namespace bulkhead
