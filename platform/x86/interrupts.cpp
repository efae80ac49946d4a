// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/interrupts.hpp"

#include "core/cpu.hpp"
#include "core/devices/interrupts.hpp"
#include "core/plan.hpp"
#include "core/pv/entry_points.hpp"
#include "core/trace.hpp"
#include "machine/clock.hpp"
#include "machine/interrupts.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/clock.hpp"
#include "platform/x86/clock_math.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/flush_requests.hpp"
#include "platform/x86/iommu.hpp"
#include "platform/x86/local_apic.hpp"
#include "platform/x86/uart.hpp"
#include "platform/x86/vectors.hpp"

#include <algorithm>
#include <array>

namespace bulkhead {

namespace {

// For the monitor. A row a CPU, so that CPUs do not fight for cache lines: the device vectors in use,
// then the local ones.
constexpr size_t counted_device_vectors = 16;
constexpr size_t counted_vectors = 32;
struct alignas(64) Counts {
    std::array<uint32_t, counted_vectors> of;
};
constinit std::array<Counts, plan::max_cpus> counts{};

// Vectors that nothing uses share one place.
constexpr size_t count_place(uint8_t vector)
{
    if (vector >= vector_timer)
        return counted_device_vectors + (vector - vector_timer);
    const size_t device = size_t{vector} - vector_first_device;
    return device < counted_device_vectors ? device : counted_device_vectors - 1;
}

void timer_expired(Cpu& cpu)
{
    cpu.machine.timer_deadline = never;
    cpu.work.fetch_or(work_timer, std::memory_order_relaxed);
    if (cpu.number != CpuNumber(0))
        return;
    if (uart_is_polled()) {
        cpu.work.fetch_or(work_console, std::memory_order_relaxed);
        machine::set_timer(never);      // to the next look, unless somebody sets it to less
    }
    refine_clock_once();
}

}  // namespace

void handle_interrupt(uint8_t vector)
{
    Cpu& cpu = this_cpu();
    ++cpu.interrupts;
    trace(TraceEvent::interrupt, vector);
    ++counts[cpu.number.raw()].of[count_place(vector)];
    switch (vector) {
    case vector_timer: timer_expired(cpu); break;
    case vector_poke: break;        // the bits of Cpu::work are set already
    case vector_clock: wall_clock_second(); break;
    case vector_flush: answer_flush_requests(); break;
    case vector_uart:
        uart_interrupt();
        cpu.work.fetch_or(work_console, std::memory_order_relaxed);
        break;
    case vector_spurious: return;   // has no end
    case vector_iommu: iommu_interrupt(); break;
    default: device_interrupt(vector); break;
    }
    end_of_interrupt();
}

uint64_t interrupt_count(uint8_t vector)
{
    constexpr uint8_t shared_vector = vector_first_device + counted_device_vectors - 1;
    const bool counted = vector >= vector_timer || (vector >= vector_first_device && vector <= shared_vector);
    uint64_t sum = 0;
    for (uint32_t cpu = 0; counted && cpu < cpu_count(); ++cpu)
        sum += counts[cpu].of[count_place(vector)];
    return sum;
}

void start_timer()
{
    Cpu& cpu = this_cpu();
    cpu.machine.timer_is_deadline = features().tsc_deadline;
    cpu.machine.timer_deadline = never;
    set_timer_hardware(cpu.machine.timer_is_deadline);
    if (uart_is_polled() && cpu.number == CpuNumber(0))
        machine::set_timer(never);
}

namespace machine {

namespace {

// Ticks of a timer that cannot wait longer than its counter: it fires early then, and is set again.
uint32_t timer_count(Nanoseconds deadline)
{
    constexpr uint64_t longest_ns = 1'000'000'000;
    const Nanoseconds time = now();
    if (deadline <= time)
        return 1;
    const uint64_t wait = deadline - time;
    const uint64_t bounded = wait < longest_ns ? wait : longest_ns;
    const uint64_t count =
        clock_math::multiply_divide(bounded, apic_timer_hz(), clock_math::nanoseconds_per_second) + 1;
    return count < 0xFFFF'FFFF ? static_cast<uint32_t>(count) : 0xFFFF'FFFF;
}

}  // namespace

void poke(CpuNumber number)
{
    if (number == this_cpu().number)
        return;
    send_interrupt(cpu_by_number(number).machine.apic_id, vector_poke);
}

void set_timer(Nanoseconds deadline)
{
    Cpu& cpu = this_cpu();
    // A serial port without an interrupt is looked at now and then instead.
    if (uart_is_polled() && cpu.number == CpuNumber(0)) [[unlikely]]
        deadline = std::min(deadline, now() + uart_poll_ns());
    if (cpu.machine.timer_deadline == deadline)
        return;
    cpu.machine.timer_deadline = deadline;
    if (cpu.machine.timer_is_deadline)
        write_timer_deadline(deadline == never ? 0 : to_ticks(deadline).raw());
    else
        write_timer_count(deadline == never ? 0 : timer_count(deadline));
}

}  // namespace machine

}  // namespace bulkhead
