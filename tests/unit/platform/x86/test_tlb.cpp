// SPDX-License-Identifier: BSD-2-Clause
// TLB shoot-downs between CPUs, which are threads here where they must run at once.
#include "core/panic.hpp"
#include "platform/x86/machine/clock.hpp"
#include "platform/x86/machine/tlb.hpp"

#include <cstdlib>
#include <vector>

// What only ring 0 can do is replaced in the source under test, by names.
namespace bulkhead {

using fake::cpus;
using fake::current_cpu;
constexpr size_t cpu_total = fake::max_cpus;

namespace machine {
void test_flush_local();
void test_flush_page_local(GuestVirtual address);
}  // namespace machine

}  // namespace bulkhead

#define flush_local test_flush_local
#define flush_page_local test_flush_page_local
#include "platform/x86/tlb.cpp"
#undef flush_local
#undef flush_page_local

#include <functional>
#include <thread>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

static std::function<void(uint32_t, uint8_t)> on_interrupt;
static std::function<void(bool whole, uint64_t address)> on_flush;

namespace bulkhead {

void panic(const char*, ...) { std::abort(); }
Cpu& cpu_by_number(CpuNumber number) { return cpus[number.raw()]; }
void send_interrupt(uint32_t apic_id, uint8_t vector)
{
    if (on_interrupt)
        on_interrupt(apic_id, vector);
}

namespace machine {
TscTicks to_ticks(Nanoseconds time) { return TscTicks(time.raw()); }
void test_flush_local() { on_flush(true, 0); }
void test_flush_page_local(GuestVirtual address) { on_flush(false, address.raw()); }
}  // namespace machine

}  // namespace bulkhead

namespace {

constexpr uint32_t first_apic_id = 40;

// As the CPU of that number.
template <class Function>
void on_cpu(size_t number, Function function)
{
    const size_t here = current_cpu;
    current_cpu = number;
    function();
    current_cpu = here;
}

struct Done {
    size_t cpu;
    bool whole;
    uint64_t address;
};
std::vector<Done> done;

}  // namespace

TEST_GROUP(Tlb)
{
    std::vector<uint32_t> interrupted;

    void setup() override
    {
        current_cpu = 0;
        done.clear();
        for (size_t i = 0; i < cpu_total; ++i) {
            cpus[i].number = CpuNumber(static_cast<uint16_t>(i));
            cpus[i].machine.apic_id = first_apic_id + static_cast<uint32_t>(i);
            cpus[i].machine.flush_from = 0;
            cpus[i].machine.flush_request.waiting_for = 0;
        }
        on_flush = [](bool whole, uint64_t address) {
            done.push_back({current_cpu, whole, address});
        };
        // Others answer as soon as the interrupt reaches them.
        on_interrupt = [this](uint32_t apic_id, uint8_t vector) {
            LONGS_EQUAL(vector_flush, vector);
            interrupted.push_back(apic_id);
            on_cpu(apic_id - first_apic_id, answer_flush_requests);
        };
    }
    void teardown() override
    {
        on_interrupt = nullptr;
        on_flush = nullptr;
        done = {};
    }
};

TEST(Tlb, this_cpu_alone_is_flushed_without_an_interrupt)
{
    machine::flush_cpus({1});
    LONGS_EQUAL(0, interrupted.size());
    LONGS_EQUAL(1, done.size());
    CHECK_TRUE(done[0].cpu == 0 && done[0].whole);
    machine::flush_cpus({0});
    LONGS_EQUAL(1, done.size());
}

TEST(Tlb, each_cpu_of_the_set_is_asked_once_and_no_other)
{
    machine::flush_cpus({0b1011'0001});
    CHECK(interrupted == (std::vector<uint32_t>{first_apic_id + 4, first_apic_id + 5, first_apic_id + 7}));
    LONGS_EQUAL(4, done.size());
    for (const Done& one : done)
        CHECK_TRUE(one.whole && (0b1011'0001 >> one.cpu & 1) != 0);
    UNSIGNED_LONGLONGS_EQUAL(0, cpus[0].machine.flush_request.waiting_for.load());
}

TEST(Tlb, a_page_is_flushed_by_its_address)
{
    machine::flush_page_cpus({0b110}, GuestVirtual(0x7000));
    LONGS_EQUAL(2, done.size());
    for (const Done& one : done) {
        CHECK_FALSE(one.whole);
        UNSIGNED_LONGLONGS_EQUAL(0x7000, one.address);
    }
}

TEST(Tlb, an_interrupt_without_a_request_does_nothing)
{
    answer_flush_requests();
    LONGS_EQUAL(0, done.size());
}

TEST(Tlb, requests_of_several_cpus_are_answered_in_one_go)
{
    on_interrupt = nullptr;
    for (size_t i : {1u, 2u}) {
        cpus[i].machine.flush_request.address = i * 0x1000;
        cpus[i].machine.flush_request.waiting_for = 1;
        cpus[0].machine.flush_from.fetch_or(uint64_t{1} << i);
    }
    machine::relax();
    LONGS_EQUAL(2, done.size());
    UNSIGNED_LONGLONGS_EQUAL(0x1000, done[0].address);
    UNSIGNED_LONGLONGS_EQUAL(0x2000, done[1].address);
    for (size_t i : {1u, 2u})
        UNSIGNED_LONGLONGS_EQUAL(0, cpus[i].machine.flush_request.waiting_for.load());
    UNSIGNED_LONGLONGS_EQUAL(0, cpus[0].machine.flush_from.load());
}

TEST(Tlb, cpus_that_all_ask_each_other_at_once_all_come_back)
{
    constexpr size_t count = 4;
    constexpr unsigned rounds = 25;
    on_interrupt = nullptr;     // nobody is interrupted: they answer from their waiting
    std::atomic<unsigned> flushed[count]{};
    std::atomic<unsigned> finished{0};
    std::vector<std::thread> threads;
    on_flush = [&](bool, uint64_t) { ++flushed[current_cpu]; };
    for (size_t cpu = 0; cpu < count; ++cpu) {
        threads.emplace_back([&, cpu] {
            current_cpu = cpu;
            for (unsigned i = 0; i < rounds; ++i)
                machine::flush_cpus({(uint64_t{1} << count) - 1});
            ++finished;
            while (finished != count)
                machine::relax();
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    // Its own, and each of the others': none is lost or merged, since each CPU waits for all.
    for (const auto& number : flushed)
        LONGS_EQUAL(count * rounds, number.load());
}
