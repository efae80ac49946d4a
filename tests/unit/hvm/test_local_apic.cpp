// SPDX-License-Identifier: BSD-2-Clause
// The local APIC of hardware vCPUs: priorities, IPIs, SMP start, the timer, and registers that are
// not there.
#include "fake_core.hpp"

#include "core/schedule.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "machine/clock.hpp"

#include "hvm/cpu/local_apic.cpp"
#include "hvm/cpu/xapic.cpp"

#include <memory>

#include <CppUTest/TestHarness.h>

namespace bulkhead {

namespace fake {
inline std::vector<std::pair<const Vcpu*, uint32_t>> released;
inline unsigned timer_changes;
}  // namespace fake

void release(Vcpu& vcpu, uint32_t reasons)
{
    vcpu.hold.fetch_and(~reasons);
    fake::released.emplace_back(&vcpu, reasons);
}
void hold(Vcpu& vcpu, uint32_t reasons) { vcpu.hold.fetch_or(reasons); }
void timers_changed(Vcpu&) { ++fake::timer_changes; }

}  // namespace bulkhead

using namespace bulkhead;

TEST_GROUP(LocalApic)
{
    static constexpr unsigned vcpus = 3;
    std::unique_ptr<Vcpu[]> all = std::make_unique<Vcpu[]>(vcpus);
    std::unique_ptr<HardwareVcpu[]> hardware = std::make_unique<HardwareVcpu[]>(vcpus);
    std::unique_ptr<Partition> partition = std::make_unique<Partition>();

    void setup() override
    {
        fake::reset_core();
        fake::released.clear();
        fake::timer_changes = 0;
        fake::tsc = 1'000'000;
        partition->vcpus = {all.get(), vcpus};
        for (unsigned i = 0; i < vcpus; ++i) {
            all[i].partition = partition.get();
            all[i].number = VcpuNumber(static_cast<uint16_t>(i));
            all[i].cpu = CpuNumber(static_cast<uint16_t>(i));
            all[i].hardware = &hardware[i];
            hardware[i].apic.id = 2 * i;
            reset_apic(hardware[i].apic);
            write(0x80F, 0x1FF, i);
        }
    }

    bool write(uint32_t msr, uint64_t value, unsigned vcpu = 0) { return write_apic(all[vcpu], msr, value); }
    uint64_t read(uint32_t msr, unsigned vcpu = 0)
    {
        uint64_t value = ~uint64_t{0};
        CHECK_TRUE(read_apic(all[vcpu], msr, value));
        return value;
    }
    bool is_refused(uint32_t msr)
    {
        uint64_t value = 0;
        return !read_apic(all[0], msr, value);
    }
    uint8_t waiting(unsigned vcpu = 0) { return deliverable(hardware[vcpu].apic); }
    void take(uint8_t vector, unsigned vcpu = 0) { accept(hardware[vcpu].apic, vector); }
    static uint64_t command(uint32_t destination, uint32_t low) { return uint64_t{destination} << 32 | low; }
};

TEST(LocalApic, ids_are_twice_the_number_as_cpuid_has_them)
{
    LONGS_EQUAL(0, read(0x802, 0));
    LONGS_EQUAL(4, read(0x802, 2));
    LONGS_EQUAL(1u << 4, read(0x80D, 2));
}

TEST(LocalApic, delivers_the_highest_vector_first_and_one_class_at_a_time)
{
    request_interrupt(all[0], 0x31);
    request_interrupt(all[0], 0x52);
    request_interrupt(all[0], 0x51);
    BYTES_EQUAL(0x52, waiting());
    take(0x52);
    BYTES_EQUAL(0, waiting());          // 0x51 is of the class that is being served
    CHECK_TRUE(write(0x80B, 0));
    BYTES_EQUAL(0x51, waiting());
    take(0x51);
    CHECK_TRUE(write(0x80B, 0));
    BYTES_EQUAL(0x31, waiting());
}

TEST(LocalApic, a_higher_class_interrupts_a_lower_one)
{
    request_interrupt(all[0], 0x31);
    take(0x31);
    request_interrupt(all[0], 0x41);
    BYTES_EQUAL(0x41, waiting());
    LONGS_EQUAL(0x30, read(0x80A));
}

TEST(LocalApic, the_task_priority_holds_back_its_class_and_lower_ones)
{
    CHECK_TRUE(write(0x808, 0x40));
    request_interrupt(all[0], 0x41);
    BYTES_EQUAL(0, waiting());
    request_interrupt(all[0], 0x51);
    BYTES_EQUAL(0x51, waiting());
    CHECK_FALSE(write(0x808, 0x100));
}

TEST(LocalApic, keeps_requests_while_it_is_switched_off)
{
    CHECK_TRUE(write(0x80F, 0xFF));
    request_interrupt(all[0], 0x41);
    BYTES_EQUAL(0, waiting());
    CHECK_TRUE(write(0x80F, 0x1FF));
    BYTES_EQUAL(0x41, waiting());
}

TEST(LocalApic, sends_to_one_to_all_to_itself_and_to_all_others)
{
    CHECK_TRUE(write(0x830, command(2, 0x41)));
    BYTES_EQUAL(0x41, waiting(1));
    BYTES_EQUAL(0, waiting(2));
    CHECK_TRUE(write(0x830, command(0, 0x42 | 1u << 18)));
    BYTES_EQUAL(0x42, waiting(0));
    CHECK_TRUE(write(0x830, command(0, 0x53 | 3u << 18)));
    BYTES_EQUAL(0x42, waiting(0));
    BYTES_EQUAL(0x53, waiting(2));
    CHECK_TRUE(write(0x83F, 0x61));
    BYTES_EQUAL(0x61, waiting(0));
}

TEST(LocalApic, a_logical_destination_names_several)
{
    CHECK_TRUE(write(0x830, command(1u << 2 | 1u << 4, 0x41 | 0x800)));
    BYTES_EQUAL(0, waiting(0));
    BYTES_EQUAL(0x41, waiting(1));
    BYTES_EQUAL(0x41, waiting(2));
}

TEST(LocalApic, a_vector_below_16_is_an_error_that_the_status_shows)
{
    CHECK_TRUE(write(0x830, command(2, 0x0F)));
    BYTES_EQUAL(0, waiting(1));
    LONGS_EQUAL(1u << 5, read(0x828));
    CHECK_TRUE(write(0x828, 0));
    LONGS_EQUAL(0, read(0x828));
}

TEST(LocalApic, a_start_up_ipi_starts_a_vcpu_that_is_down_and_no_other)
{
    all[1].hold = hold_down;
    CHECK_TRUE(write(0x830, command(2, 0x4500)));
    CHECK_TRUE(write(0x830, command(2, 0x4600 | 0x9A)));
    LONGS_EQUAL(0x19A, hardware[1].start_vector.load());
    LONGS_EQUAL(0, all[1].hold.load());
    CHECK_TRUE(write(0x830, command(2, 0x4600 | 0x12)));
    LONGS_EQUAL(0x19A, hardware[1].start_vector.load());
    CHECK_TRUE(write(0x830, command(4, 0x4600 | 0x9A)));
    LONGS_EQUAL(0, hardware[2].start_vector.load());
}

TEST(LocalApic, init_takes_a_running_vcpu_down)
{
    CHECK_TRUE(write(0x830, command(2, 0x4500)));
    CHECK_TRUE((all[1].hold.load() & hold_down) != 0);
}

TEST(LocalApic, the_count_runs_down_by_the_divider_and_fires_once)
{
    CHECK_TRUE(write(0x832, 0xEC));
    CHECK_TRUE(write(0x83E, 3));        // by 16
    CHECK_TRUE(write(0x838, 1000));
    LONGS_EQUAL(fake::tsc + 16'000, all[0].time.apic_deadline.raw());
    fake::tsc += 1600;
    LONGS_EQUAL(900, read(0x839));
    fake::tsc += 20'000;
    apic_timer_expired(all[0], machine::now());
    BYTES_EQUAL(0xEC, waiting());
    CHECK(all[0].time.apic_deadline == never);
    LONGS_EQUAL(0, read(0x839));
}

TEST(LocalApic, a_periodic_timer_goes_on_and_counts_missed_ticks_as_one)
{
    CHECK_TRUE(write(0x832, 0xEC | 1u << 17));
    CHECK_TRUE(write(0x83E, 0xB));      // by 1
    CHECK_TRUE(write(0x838, 1000));
    const uint64_t begin = fake::tsc;
    fake::tsc += 3500;
    apic_timer_expired(all[0], machine::now());
    LONGS_EQUAL(begin + 4000, all[0].time.apic_deadline.raw());
}

TEST(LocalApic, the_deadline_register_works_in_its_mode_only)
{
    CHECK_TRUE(write(0x6E0, 5'000'000));
    LONGS_EQUAL(0, read(0x6E0));
    CHECK_TRUE(write(0x832, 0xEC | 2u << 17));
    CHECK_TRUE(write(0x6E0, 5'000'000));
    LONGS_EQUAL(5'000'000, all[0].time.apic_deadline.raw());
    CHECK_TRUE(write(0x838, 1000));     // ignored in this mode
    LONGS_EQUAL(5'000'000, all[0].time.apic_deadline.raw());
    fake::tsc = 5'000'001;
    apic_timer_expired(all[0], machine::now());
    LONGS_EQUAL(0, read(0x6E0));
    BYTES_EQUAL(0xEC, waiting());
}

TEST(LocalApic, a_masked_timer_expires_without_an_interrupt)
{
    CHECK_TRUE(write(0x832, 0xEC | 1u << 16));
    CHECK_TRUE(write(0x838, 10));
    fake::tsc += 1000;
    apic_timer_expired(all[0], machine::now());
    BYTES_EQUAL(0, waiting());
}

TEST(LocalApic, switching_it_off_masks_all_local_vectors)
{
    CHECK_TRUE(write(0x832, 0xEC));
    CHECK_TRUE(write(0x80F, 0xFF));
    LONGS_EQUAL(0xEC | 1u << 16, read(0x832));
}

TEST(LocalApic, registers_that_are_not_there_and_reserved_bits_are_refused)
{
    CHECK_TRUE(is_refused(0x80E));
    CHECK_TRUE(is_refused(0x831));
    CHECK_TRUE(is_refused(0x8FF));
    CHECK_TRUE(is_refused(0x80B));
    CHECK_FALSE(write(0x802, 0));
    CHECK_FALSE(write(0x80B, 1));
    CHECK_FALSE(write(0x80F, 0x1000));
    CHECK_FALSE(write(0x832, 1u << 20));
    CHECK_FALSE(write(0x830, 1u << 16));
    CHECK_FALSE(write(0x838, uint64_t{1} << 32));
    CHECK_FALSE(write(0x83E, 4));
}

TEST(LocalApic, every_register_survives_every_bit)
{
    for (uint32_t msr = 0x800; msr < 0x900; ++msr) {
        for (unsigned bit = 0; bit < 64; ++bit) {
            (void)write(msr, uint64_t{1} << bit);
            uint64_t value = 0;
            (void)read_apic(all[0], msr, value);
        }
    }
}

TEST(LocalApic, looks_at_requests_only_after_one_and_forgets_none)
{
    LocalApic& apic = hardware[0].apic;
    LONGS_EQUAL(0, deliverable_now(apic));
    CHECK_FALSE(apic.requested.load());
    request_interrupt(all[0], 0x51);
    request_interrupt(all[0], 0x31);
    LONGS_EQUAL(0x51, deliverable_now(apic));
    take(0x51);
    // Held off by the one in service, and not forgotten.
    LONGS_EQUAL(0, deliverable_now(apic));
    CHECK_TRUE(apic.requested.load());
    write(0x80B, 0);
    LONGS_EQUAL(0x31, deliverable_now(apic));
    take(0x31);
    LONGS_EQUAL(0, deliverable_now(apic));
    CHECK_FALSE(apic.requested.load());
}
