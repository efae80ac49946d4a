// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/clock.hpp"

#include "core/vcpu_time.hpp"
#include "machine/clock.hpp"
#include "platform/x86/clock_math.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/io_apic.hpp"
#include "platform/x86/local_apic.hpp"
#include "platform/x86/real_time_clock.hpp"
#include "platform/x86/reference_clock.hpp"
#include "platform/x86/vectors.hpp"

#include <array>
#include <atomic>
#include <limits>

namespace bulkhead {

namespace {

using machine::ClockScale;

// The two counters at what is nearly one moment.
struct Sample {
    uint64_t reference;
    uint64_t tsc;
    uint32_t apic_count;
};

constinit ReferenceClock reference{};
constinit Sample first_sample{};
constinit uint64_t hz{0};
constinit uint64_t apic_hz{0};
// Nanoseconds since 1970 when the clock showed 0; 0: not known.
constinit std::atomic<uint64_t> wall_start{0};

constexpr uint64_t femtoseconds_per_second = 1'000'000'000'000'000;
constexpr uint64_t femtoseconds_per_microsecond = 1'000'000'000;

// Of several tries the one that took the least time between the readings of the TSC.
Sample take_sample()
{
    Sample best{};
    uint64_t best_width = std::numeric_limits<uint64_t>::max();
    for (unsigned i = 0; i < 5; ++i) {
        const uint64_t before = machine::read_tsc().raw();
        const uint64_t value = reference.read();
        const uint32_t apic_count = read_timer_count();
        const uint64_t after = machine::read_tsc().raw();
        if (after - before < best_width) {
            best_width = after - before;
            best = {value, before + best_width / 2, apic_count};
        }
    }
    return best;
}

uint64_t elapsed_femtoseconds(const Sample& to)
{
    return reference.elapsed(first_sample.reference, to.reference) * reference.femtoseconds();
}

const ClockScale& current() { return machine::clock_scale(); }

clock_math::Rate rate_in(const ClockScale& scale) { return {scale.multiplier, scale.shift}; }

constinit std::array<ClockScale, 2> scales{};

void publish(const ClockScale& scale)
{
    ClockScale& next = scales[&machine::clock_scale() == &scales[0] ? 1 : 0];
    next = scale;
    machine::current_clock_scale.store(&next, std::memory_order_release);
}

void set_rate(ClockScale& scale, uint64_t new_hz)
{
    hz = new_hz;
    const clock_math::Rate rate = clock_math::rate_of(hz);
    scale.multiplier = rate.multiplier;
    scale.shift = rate.shift;
    scale.right = clock_math::right_shift_of(rate);
    scale.factor = clock_math::factor_of(rate);
}

constexpr uint8_t clock_line = 8;

// What the chip shows, of which `into_second` have passed.
void set_wall_clock(uint64_t into_second)
{
    const uint64_t since_start = machine::now().raw();
    const uint64_t seconds = read_real_time_clock();
    if (seconds != 0)
        wall_start.store(seconds * clock_math::nanoseconds_per_second + into_second - since_start,
                         std::memory_order_relaxed);
}

}  // namespace

void begin_clock_calibration(TscTicks entry)
{
    publish({.tsc_base = entry, .time_base = Nanoseconds(0), .multiplier = 0, .shift = 0, .stable = false, .right = 0,
             .factor = 0});
    reference.start();
    set_timer_hardware(false);
    write_timer_count(std::numeric_limits<uint32_t>::max());
    first_sample = take_sample();
}

void finish_clock_calibration()
{
    Sample last = take_sample();
    const uint64_t least = reference.least_microseconds() * femtoseconds_per_microsecond;
    while (elapsed_femtoseconds(last) < least) {
        x86::pause();
        last = take_sample();
    }
    const uint64_t time = elapsed_femtoseconds(last);
    write_timer_count(0);
    ClockScale scale = current();
    set_rate(scale, clock_math::multiply_divide(last.tsc - first_sample.tsc, femtoseconds_per_second, time));
    apic_hz = clock_math::multiply_divide(first_sample.apic_count - last.apic_count, femtoseconds_per_second, time);

    // A frequency that the CPU states is exact, if the measurement does not say that it is wrong.
    const uint64_t stated = uint64_t{features().tsc_khz_by_cpuid} * 1000;
    const uint64_t difference = stated > hz ? stated - hz : hz - stated;
    if (stated != 0 && difference < hz / 1000)
        set_rate(scale, stated);
    publish(scale);

    // The chip tells whole seconds: on average it is half of one later. Nobody waits for the next.
    set_wall_clock(clock_math::nanoseconds_per_second / 2);
}

void start_wall_clock_refinement()
{
    if (wall_start.load(std::memory_order_relaxed) != 0 && route_isa_line(clock_line, vector_clock, local_apic_id()))
        start_second_interrupts();
}

void wall_clock_second()
{
    set_wall_clock(0);
    stop_second_interrupts();
}

const char* reference_clock_name() { return reference.name(); }
uint64_t apic_timer_hz() { return apic_hz; }
void set_clock_stable(bool stable)
{
    ClockScale scale = current();
    scale.stable = stable;
    publish(scale);
}

void refine_clock_once()
{
    constexpr uint64_t shortest_ns = 2'000'000'000;
    constexpr uint64_t longest_ns = 15'000'000'000;     // well within the counter's wrap
    static constinit bool done = false;
    if (done || machine::now().raw() < shortest_ns)
        return;
    done = true;
    if (!reference.lasts() || features().tsc_khz_by_cpuid != 0 || machine::now().raw() > longest_ns)
        return;
    const Sample last = take_sample();
    // From here on at the new rate, without a jump.
    ClockScale scale = current();
    scale.tsc_base = machine::read_tsc();
    scale.time_base = machine::to_time(scale.tsc_base);
    set_rate(scale, clock_math::multiply_divide(last.tsc - first_sample.tsc, femtoseconds_per_second,
                                                elapsed_femtoseconds(last)));
    publish(scale);
    clock_changed();
}

namespace machine {

constinit std::atomic<const ClockScale*> current_clock_scale{&scales[0]};

Nanoseconds time_before(const ClockScale& scale, TscTicks ticks)
{
    return scale.time_base - clock_math::nanoseconds_for(scale.tsc_base - ticks, rate_in(scale));
}

TscTicks to_ticks(Nanoseconds time)
{
    const ClockScale& scale = current();
    if (time <= scale.time_base)
        return scale.tsc_base;
    return scale.tsc_base + clock_math::ticks_for(time - scale.time_base, rate_in(scale));
}

uint64_t tsc_hz() { return hz; }
WallClock wall_clock_base()
{
    const uint64_t start = wall_start.load(std::memory_order_relaxed);
    return {start / clock_math::nanoseconds_per_second,
            static_cast<uint32_t>(start % clock_math::nanoseconds_per_second)};
}

}  // namespace machine

}  // namespace bulkhead
