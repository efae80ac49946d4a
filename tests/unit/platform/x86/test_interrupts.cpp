// SPDX-License-Identifier: BSD-2-Clause
// What the core's interrupts do, and the one-shot timer.
#include "core/trace.hpp"
#include "platform/x86/machine/clock.hpp"
#include "platform/x86/machine/this_cpu.hpp"

#include <utility>
#include <vector>

// The CPU that runs and the time are variables here.
namespace bulkhead {

static Cpu cpus[4];
static size_t current_cpu;
static Cpu& test_this_cpu() { return cpus[current_cpu]; }
static uint64_t time_now;

namespace machine {
static Nanoseconds test_now() { return Nanoseconds(time_now); }
}  // namespace machine

}  // namespace bulkhead

#define this_cpu test_this_cpu
#define now test_now
#include "platform/x86/interrupts.cpp"
#undef now
#undef this_cpu
#include "platform/x86/clock_math.cpp"

#include <CppUTest/TestHarness.h>

namespace bulkhead {

static Features the_features;
static bool polled;
static unsigned ends, flushes_answered, uart_interrupts, refinements, seconds;
static std::vector<uint32_t> counts_written;
static std::vector<uint64_t> deadlines_written;
static std::vector<std::pair<uint32_t, uint8_t>> sent;
static std::vector<uint8_t> of_devices;
static unsigned of_iommus;

constinit std::atomic<bool> trace_enabled{false};
void trace_record(TraceEvent, uint64_t, uint64_t) {}

const Features& features() { return the_features; }
bool uart_is_polled() { return polled; }
uint64_t uart_poll_ns() { return 1'000'000; }
void uart_interrupt() { ++uart_interrupts; }
void device_interrupt(uint8_t vector) { of_devices.push_back(vector); }
void iommu_interrupt() { ++of_iommus; }
void end_of_interrupt() { ++ends; }
void answer_flush_requests() { ++flushes_answered; }
void refine_clock_once() { ++refinements; }
void wall_clock_second() { ++seconds; }
uint64_t apic_timer_hz() { return 100'000'000; }
void set_timer_hardware(bool) {}
void write_timer_count(uint32_t count) { counts_written.push_back(count); }
void write_timer_deadline(uint64_t tsc) { deadlines_written.push_back(tsc); }
void send_interrupt(uint32_t apic_id, uint8_t vector) { sent.emplace_back(apic_id, vector); }

uint32_t cpu_count() { return std::size(cpus); }
Cpu& cpu_by_number(CpuNumber number) { return cpus[number.raw()]; }

namespace machine {
TscTicks to_ticks(Nanoseconds time) { return TscTicks(time.raw()); }
}  // namespace machine

}  // namespace bulkhead

using namespace bulkhead;

TEST_GROUP(Interrupts)
{
    void setup() override
    {
        time_now = 5'000'000;
        current_cpu = 0;
        for (size_t i = 0; i < std::size(cpus); ++i) {
            cpus[i].number = CpuNumber(static_cast<uint16_t>(i));
            cpus[i].work = 0;
        }
        the_features = {};
        polled = false;
        ends = flushes_answered = uart_interrupts = refinements = seconds = 0;
        counts_written.clear();
        deadlines_written.clear();
        sent.clear();
        start_timer();
        counts_written.clear();
    }
    void teardown() override
    {
        counts_written = {};
        deadlines_written = {};
        sent = {};
        of_devices = {};
        of_iommus = 0;
    }
    uint32_t work() { return cpus[current_cpu].work; }
};

TEST(Interrupts, the_timer_asks_for_a_look_at_deadlines)
{
    machine::set_timer(Nanoseconds(6'000'000));
    handle_interrupt(vector_timer);
    LONGS_EQUAL(work_timer, work());
    LONGS_EQUAL(1, ends);
    LONGS_EQUAL(1, refinements);
    // It is off now: the same deadline is set anew.
    machine::set_timer(Nanoseconds(6'000'000));
    LONGS_EQUAL(2, counts_written.size());
}

TEST(Interrupts, only_cpu_0_refines_the_clock)
{
    current_cpu = 2;
    handle_interrupt(vector_timer);
    LONGS_EQUAL(0, refinements);
    LONGS_EQUAL(work_timer, work());
}

TEST(Interrupts, each_kind_reaches_its_handler_and_has_an_end)
{
    handle_interrupt(vector_flush);
    LONGS_EQUAL(1, flushes_answered);
    handle_interrupt(vector_uart);
    LONGS_EQUAL(1, uart_interrupts);
    LONGS_EQUAL(work_console, work());
    handle_interrupt(vector_clock);
    LONGS_EQUAL(1, seconds);
    handle_interrupt(vector_poke);
    handle_interrupt(vector_iommu);
    LONGS_EQUAL(1, of_iommus);
    handle_interrupt(0x77);
    LONGS_EQUAL(1, of_devices.size());
    BYTES_EQUAL(0x77, of_devices[0]);
    LONGS_EQUAL(6, ends);
}

TEST(Interrupts, a_spurious_one_has_no_end)
{
    handle_interrupt(vector_spurious);
    LONGS_EQUAL(0, ends);
}

TEST(Interrupts, they_are_counted_by_vector_over_all_cpus)
{
    const uint64_t before = interrupt_count(vector_flush);
    const uint64_t others = interrupt_count(vector_poke);
    handle_interrupt(vector_flush);
    current_cpu = 3;
    handle_interrupt(vector_flush);
    UNSIGNED_LONGLONGS_EQUAL(before + 2, interrupt_count(vector_flush));
    UNSIGNED_LONGLONGS_EQUAL(others, interrupt_count(vector_poke));
    // Exceptions' vectors and device vectors beyond the counted ones show nothing.
    UNSIGNED_LONGLONGS_EQUAL(0, interrupt_count(14));
    UNSIGNED_LONGLONGS_EQUAL(0, interrupt_count(0x90));
}

TEST(Interrupts, a_poke_reaches_another_cpu_and_not_this_one)
{
    cpus[3].machine.apic_id = 77;
    machine::poke(CpuNumber(0));
    LONGS_EQUAL(0, sent.size());
    machine::poke(CpuNumber(3));
    LONGS_EQUAL(1, sent.size());
    LONGS_EQUAL(77, sent[0].first);
    LONGS_EQUAL(vector_poke, sent[0].second);
}

TEST(Interrupts, the_timer_counts_its_own_ticks)
{
    machine::set_timer(Nanoseconds(time_now + 1000));
    LONGS_EQUAL(101, counts_written.back());    // 10 ns each, and none too early
    machine::set_timer(Nanoseconds(time_now + 1000));
    LONGS_EQUAL(1, counts_written.size());      // it is set already
    machine::set_timer(Nanoseconds(time_now - 1));
    LONGS_EQUAL(1, counts_written.back());      // at once
    machine::set_timer(never);
    LONGS_EQUAL(0, counts_written.back());      // off
}

TEST(Interrupts, a_timer_that_cannot_wait_so_long_fires_early)
{
    machine::set_timer(Nanoseconds(time_now + 3'000'000'000'000));
    LONGS_EQUAL(100'000'001, counts_written.back());
}

TEST(Interrupts, in_deadline_mode_the_timer_takes_a_moment)
{
    the_features.tsc_deadline = true;
    start_timer();
    machine::set_timer(Nanoseconds(123'456'789));
    UNSIGNED_LONGLONGS_EQUAL(123'456'789, deadlines_written.back());
    machine::set_timer(never);
    UNSIGNED_LONGLONGS_EQUAL(0, deadlines_written.back());
    LONGS_EQUAL(0, counts_written.size());
}

TEST(Interrupts, a_serial_port_without_an_interrupt_is_looked_at_now_and_then)
{
    polled = true;
    start_timer();
    CHECK(cpus[0].machine.timer_deadline == Nanoseconds(time_now + 1'000'000));
    handle_interrupt(vector_timer);
    LONGS_EQUAL(work_timer | work_console, work());
    CHECK(cpus[0].machine.timer_deadline == Nanoseconds(time_now + 1'000'000));
    // A nearer deadline of somebody else goes first.
    machine::set_timer(Nanoseconds(time_now + 10));
    CHECK(cpus[0].machine.timer_deadline == Nanoseconds(time_now + 10));
}
