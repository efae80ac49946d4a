// SPDX-License-Identifier: BSD-2-Clause
// Accesses to the local APIC's page: the question, the service's turns, what the core believes of an
// answer, and what carrying it out does.
#include "fake_core.hpp"
#include "fake_world.hpp"

#include "core/partition_fault.hpp"
#include "core/schedule.hpp"
#include "core/services.hpp"
#include "hvm/cpu/exits.hpp"
#include "machine/clock.hpp"

#include "core/machine_service.cpp"
#include "hvm/cpu/decoded.cpp"
#include "hvm/cpu/local_apic.cpp"
#include "hvm/cpu/page_access.cpp"
#include "hvm/cpu/xapic.cpp"

#include <CppUTest/TestHarness.h>

#include <initializer_list>
#include <memory>
#include <string>

namespace bulkhead {

namespace fake {
inline std::string crash;
inline std::vector<uint8_t> code;
inline bool wide;
}  // namespace fake

void timers_changed(Vcpu&) {}
void init_shared_frame(Mfn, DomainId, SharedAccess) {}
void crash_partition(Vcpu&, const char* format, ...)
{
    char text[240];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fake::crash = text;
}
void step_by(Vcpu&, GuestFrame& frame, unsigned bytes) { frame.rip += bytes; }
const char* text_of_code(std::span<const uint8_t>, unsigned, CodeText& text)
{
    text[0] = 0;
    return text.data();
}
unsigned fetch_code(const Vcpu&, uint64_t, uint8_t* to, unsigned bytes)
{
    const size_t count = std::min<size_t>(bytes, fake::code.size());
    std::copy_n(fake::code.begin(), count, to);
    return static_cast<unsigned>(count);
}
static constinit VendorOperations operations = [] {
    VendorOperations made{};
    made.code_base = [](const Vcpu&) { return uint64_t{0}; };
    made.in_64_bit_code = [](const Vcpu&) { return fake::wide; };
    made.in_32_bit_code = [](const Vcpu&) { return false; };
    made.fetched_code = [](const Vcpu&, std::array<uint8_t, longest_instruction>&) { return 0u; };
    return made;
}();
const VendorOperations* vendor_of_box = &operations;
constinit const HardwareOperations hardware_operations = [] {
    HardwareOperations made{};
    made.machine_answer = take_machine_answer;
    return made;
}();

}  // namespace bulkhead

using namespace bulkhead;

namespace {

constexpr uint64_t answer_of(bulkhead_does does, unsigned length, uint64_t flags = 0, unsigned number = 0,
                             uint32_t value = 0, unsigned size_code = 2)
{
    return value | uint64_t{length} << BULKHEAD_ANSWER_LENGTH_SHIFT | uint64_t{does} << BULKHEAD_ANSWER_DOES_SHIFT |
           uint64_t{number} << BULKHEAD_ANSWER_REGISTER_SHIFT | flags | uint64_t{size_code} << BULKHEAD_ANSWER_SIZE_SHIFT;
}
constexpr uint64_t to_memory = BULKHEAD_ANSWER_TO_MEMORY;
constexpr uint64_t immediate = BULKHEAD_ANSWER_IMMEDIATE;

}  // namespace

// Partition 0 is the guest, partition 1 its service.
TEST_GROUP(PageAccess)
{
    static constexpr uint64_t argument_at = 0x20000;
    std::unique_ptr<fake::World> world;
    std::unique_ptr<HardwareVcpu[]> hardware = std::make_unique<HardwareVcpu[]>(2);
    HardwarePartition hardware_partition{};
    GuestFrame frame{};
    bulkhead_machine_info info{};

    void setup() override
    {
        fake::reset_core();
        fake::crash.clear();
        fake::code.assign(15, 0x90);
        fake::wide = true;
        world = std::make_unique<fake::World>(2);
        guest().hardware = &hardware_partition;
        world->plans[0].services = uint8_t{1} << first_machine;
        world->plans[0].flags = plan::apic_by_page;
        world->plans[1].type = plan::PartitionType::service;
        world->plans[1].domain = BULKHEAD_DOMAIN_MACHINE;
        world->plans[1].flags = plan::autostart;
        service().id = DomainId(BULKHEAD_DOMAIN_MACHINE);
        service().state = PartitionState::running;
        for (unsigned i = 0; i < 2; ++i) {
            Vcpu& vcpu = world->vcpu(0, i);
            vcpu.hold = 0;
            vcpu.hardware = &hardware[i];
            hardware[i].apic.by_page = true;
            hardware[i].apic.id = 2 * i;
            reset_apic(hardware[i].apic);
            write_apic_page(vcpu, 0xF0, 0x1FF);
        }
        world->vcpu(1).hold = hold_blocked;
        init_machine_service(service());
        fake::releases.clear();
    }
    void teardown() override { world.reset(); }

    Partition& guest() { return (*world)[0]; }
    Partition& service() { return (*world)[1]; }
    Vcpu& vcpu(unsigned number = 0) { return world->vcpu(0, number); }
    PageAccess& access(unsigned number = 0) { return hardware[number].page; }
    bulkhead_machine_page& page() { return *service().service.machine.page; }
    bool is_held(unsigned number = 0) { return (vcpu(number).hold & hold_machine) != 0; }

    void leave(uint32_t offset, bool write, unsigned number = 0)
    {
        Exit exit{};
        exit.reason = ExitReason::nested_fault;
        exit.address = apic_page + offset;
        exit.write = write;
        exit.by_instruction = true;
        CHECK_TRUE(is_page_access(vcpu(number), exit));
        begin_page_access(vcpu(number), frame, exit);
    }
    long turn(uint32_t slot, uint64_t answer) { return machine_turn(world->vcpu(1), slot, answer); }
    uint64_t ticketed(uint64_t answer, unsigned number = 0)
    {
        return answer | uint64_t{page().slots[number].ticket} << BULKHEAD_ANSWER_TICKET_SHIFT;
    }
    // One access, the whole way.
    void does(uint32_t offset, bool write, uint64_t answer)
    {
        leave(offset, write);
        CHECK_TRUE(is_held());
        LONGS_EQUAL(0, turn(0, ticketed(answer)));
        CHECK_FALSE(is_held());
        resume_page_access(vcpu(), frame);
        // The next one is another instruction's.
        frame.rip += 1;
    }
    void is_refused(bool write, uint64_t answer)
    {
        fake::crash.clear();
        const uint64_t rip = frame.rip;
        forget_page_access(vcpu());
        leave(0x80, write);
        LONGS_EQUAL(0, turn(0, ticketed(answer)));
        resume_page_access(vcpu(), frame);
        CHECK_TRUE(fake::crash.find("is not carried out") != std::string::npos);
        LONGS_EQUAL(rip, frame.rip);
        LONGS_EQUAL(0, hardware[0].apic.task_priority);
    }
};

TEST(PageAccess, an_access_asks_and_holds_its_vcpu_and_wakes_the_service)
{
    fake::code = {0x89, 0x07, 0x90};
    leave(0x80, true);
    CHECK_TRUE(is_held());
    LONGS_EQUAL(1, page().waiting);
    LONGS_EQUAL(0, world->vcpu(1).hold & hold_blocked);
    LONGS_EQUAL(3, page().slots[0].length);
    LONGS_EQUAL(BULKHEAD_CODE_64, page().slots[0].mode);
    MEMCMP_EQUAL(fake::code.data(), page().slots[0].bytes, 3);
    CHECK_TRUE(page().slots[0].ticket != 0);
}

TEST(PageAccess, an_answer_is_carried_out_by_the_vcpu)
{
    frame.rax = 0x30;
    frame.rip = 0x1000;
    leave(0x80, true);
    LONGS_EQUAL(0, turn(0, ticketed(answer_of(BULKHEAD_DOES_move, 2, to_memory))));
    CHECK_FALSE(is_held());
    LONGS_EQUAL(0, page().waiting);
    LONGS_EQUAL(0, hardware[0].apic.task_priority);             // not by the service's CPU
    resume_page_access(vcpu(), frame);
    LONGS_EQUAL(0x30, hardware[0].apic.task_priority);
    LONGS_EQUAL(0x1002, frame.rip);
    CHECK_FALSE(access().open);
}

TEST(PageAccess, a_service_without_questions_waits)
{
    world->vcpu(1).hold = 0;
    LONGS_EQUAL(0, turn(BULKHEAD_NO_SLOT, 0));
    CHECK_TRUE((world->vcpu(1).hold & hold_blocked) != 0);
}

TEST(PageAccess, a_service_with_questions_goes_on)
{
    leave(0x80, true);
    leave(0x80, true, 1);
    LONGS_EQUAL(0, turn(1, ticketed(answer_of(BULKHEAD_DOES_move, 2, to_memory), 1)));
    LONGS_EQUAL(0, world->vcpu(1).hold & hold_blocked);
    LONGS_EQUAL(1, page().waiting);
    CHECK_TRUE(is_held(0));
    CHECK_FALSE(is_held(1));
}

TEST(PageAccess, answers_to_nobody_are_refused)
{
    LONGS_EQUAL(-XEN_EINVAL, turn(0, 0));
    LONGS_EQUAL(-XEN_EINVAL, turn(2, 0));                       // the partition has two vCPUs
    LONGS_EQUAL(-XEN_EINVAL, turn(31, 0));
    LONGS_EQUAL(-XEN_EINVAL, turn(0x8000'0000, 0));
    leave(0x80, true);
    LONGS_EQUAL(0, turn(0, ticketed(answer_of(BULKHEAD_DOES_move, 2, to_memory))));
    LONGS_EQUAL(-XEN_EINVAL, turn(0, ticketed(answer_of(BULKHEAD_DOES_move, 2, to_memory))));
}

TEST(PageAccess, others_than_machine_services_have_no_turns)
{
    LONGS_EQUAL(-XEN_EPERM, machine_turn(vcpu(), 0, 0));
    LONGS_EQUAL(-XEN_EPERM, bulkhead::machine_page(guest(), GuestVirtual(argument_at)));
}

TEST(PageAccess, the_service_learns_where_its_page_is)
{
    fake::map_guest(argument_at, info);
    LONGS_EQUAL(0, bulkhead::machine_page(service(), GuestVirtual(argument_at)));
    UNSIGNED_LONGLONGS_EQUAL(service().service.machine.frame.raw(), info.page_mfn);
    LONGS_EQUAL(2, info.slots);
    LONGS_EQUAL(-XEN_EFAULT, bulkhead::machine_page(service(), GuestVirtual(0x9'0000'0000)));
}

TEST(PageAccess, a_wrong_ticket_is_asked_again)
{
    leave(0x80, true);
    LONGS_EQUAL(0, turn(0, ticketed(answer_of(BULKHEAD_DOES_move, 2, to_memory)) ^ uint64_t{1} << 63));
    CHECK_FALSE(is_held());
    resume_page_access(vcpu(), frame);
    CHECK_TRUE(is_held());
    LONGS_EQUAL(1, page().waiting);
    STRCMP_EQUAL("", fake::crash.c_str());
}

TEST(PageAccess, what_a_service_left_open_waits_for_its_next_life)
{
    leave(0x80, true);
    service().state = PartitionState::shut_down;
    machine_service_changed(service());
    CHECK_FALSE(is_held());
    resume_page_access(vcpu(), frame);                          // looks, and waits again
    CHECK_TRUE(is_held());
    service().state = PartitionState::running;
    LONGS_EQUAL(0, turn(0, ticketed(answer_of(BULKHEAD_DOES_move, 2, to_memory))));
    resume_page_access(vcpu(), frame);
    LONGS_EQUAL(2, frame.rip);
    STRCMP_EQUAL("", fake::crash.c_str());
}

TEST(PageAccess, a_service_that_is_gone_ends_the_partition)
{
    leave(0x80, true);
    for (const PartitionState state : {PartitionState::crashed, PartitionState::left_out}) {
        service().state = state;
        fake::crash.clear();
        machine_service_changed(service());
        resume_page_access(vcpu(), frame);
        CHECK_TRUE(fake::crash.find("its machine service does not run") != std::string::npos);
        CHECK_FALSE(is_held());
        LONGS_EQUAL(0, page().waiting);
    }
    fake::crash.clear();
    leave(0x80, true);
    CHECK_TRUE(fake::crash.find("does not run") != std::string::npos);
}

TEST(PageAccess, a_service_that_has_yet_to_start_is_waited_for)
{
    service().state = PartitionState::stopped;
    service().generation = 0;
    leave(0x80, true);
    CHECK_TRUE(is_held());
    STRCMP_EQUAL("", fake::crash.c_str());
    service().generation = 1;                                   // the operator's stop
    resume_page_access(vcpu(), frame);
    CHECK_TRUE(fake::crash.find("does not run") != std::string::npos);
}

TEST(PageAccess, a_box_without_the_service_ends_the_partition)
{
    service().service.machine.client = nullptr;
    leave(0x80, true);
    CHECK_TRUE(fake::crash.find("no machine service") != std::string::npos);
}

TEST(PageAccess, code_that_cannot_be_read_ends_the_partition)
{
    fake::code.clear();
    leave(0x80, true);
    CHECK_TRUE(fake::crash.find("cannot be read") != std::string::npos);
    CHECK_FALSE(is_held());
}

TEST(PageAccess, a_life_begins_without_questions)
{
    leave(0x80, true);
    const uint64_t late = ticketed(answer_of(BULKHEAD_DOES_move, 2, to_memory));
    forget_page_access(vcpu());
    CHECK_FALSE(access().open);
    LONGS_EQUAL(0, page().waiting);
    LONGS_EQUAL(-XEN_EINVAL, turn(0, late));
}

TEST(PageAccess, what_was_decoded_is_known_by_its_bytes)
{
    fake::code = {0x89, 0x07, 0x55, 0x56};
    frame.rip = 0x4000;
    frame.rax = 0x20;
    leave(0x80, true);
    LONGS_EQUAL(0, turn(0, ticketed(answer_of(BULKHEAD_DOES_move, 2, to_memory))));
    resume_page_access(vcpu(), frame);
    // What follows the instruction does not matter.
    fake::code = {0x89, 0x07, 0x99};
    frame.rip = 0x4000;
    frame.rax = 0x40;
    leave(0x80, true);
    CHECK_FALSE(is_held());
    LONGS_EQUAL(0x40, hardware[0].apic.task_priority);
    LONGS_EQUAL(0x4002, frame.rip);
    LONGS_EQUAL(1, access().from_memory);
    // The instruction itself does.
    fake::code = {0x89, 0x0F, 0x99};
    frame.rip = 0x4000;
    leave(0x80, true);
    CHECK_TRUE(is_held());
    forget_page_access(vcpu());
    fake::code = {0x89, 0x07, 0x99};
    frame.rip = 0x4000;
    leave(0x80, true);
    CHECK_TRUE(is_held());                                      // a new life knows nothing
}

TEST(PageAccess, the_mode_and_the_missing_bytes_matter_too)
{
    fake::code = {0x89, 0x07, 0x90};
    frame.rip = 0x4000;
    leave(0x80, true);
    LONGS_EQUAL(0, turn(0, ticketed(answer_of(BULKHEAD_DOES_move, 2, to_memory))));
    resume_page_access(vcpu(), frame);
    frame.rip = 0x4000;
    fake::wide = false;
    leave(0x80, true);
    CHECK_TRUE(is_held());
    forget_page_access(vcpu());
    fake::wide = true;
    fake::code = {0x89};
    leave(0x80, true);
    CHECK_TRUE(is_held());
}

TEST(PageAccess, answers_without_sense_are_not_carried_out)
{
    frame.rax = 0x55;
    is_refused(true, 0);
    is_refused(true, answer_of(BULKHEAD_DOES_nothing_known, 2));
    for (unsigned does = BULKHEAD_DOES_test + 1; does < 16; ++does)
        is_refused(true, answer_of(static_cast<bulkhead_does>(does), 2, to_memory));
    is_refused(true, answer_of(BULKHEAD_DOES_move, 0, to_memory));
    is_refused(true, answer_of(BULKHEAD_DOES_move, 2, to_memory, 0, 0, 0));         // a store of a byte
    is_refused(true, answer_of(BULKHEAD_DOES_move, 2, to_memory, 0, 0, 3));
    is_refused(false, answer_of(BULKHEAD_DOES_move, 2, 0, 0, 0, 3));
    is_refused(false, answer_of(BULKHEAD_DOES_move, 2, immediate));                 // into what?
    is_refused(true, answer_of(BULKHEAD_DOES_exchange, 2, to_memory | immediate));
    is_refused(false, answer_of(BULKHEAD_DOES_compare, 2, immediate));
    is_refused(false, answer_of(BULKHEAD_DOES_and, 2, 0, 0, 0, 1));
    fake::code = {0x89, 0x07, 0x90};
    is_refused(true, answer_of(BULKHEAD_DOES_move, 4, to_memory));                  // longer than what is there
}

TEST(PageAccess, the_direction_is_what_the_cpu_saw)
{
    is_refused(true, answer_of(BULKHEAD_DOES_move, 2));
    is_refused(false, answer_of(BULKHEAD_DOES_move, 2, to_memory));
    is_refused(true, answer_of(BULKHEAD_DOES_compare, 2, to_memory));
    is_refused(true, answer_of(BULKHEAD_DOES_test, 2));
    is_refused(true, answer_of(BULKHEAD_DOES_or, 2));
    // One that reads and writes is seen as either.
    does(0x80, true, answer_of(BULKHEAD_DOES_or, 2, to_memory | immediate, 0, 0x10));
    does(0x80, false, answer_of(BULKHEAD_DOES_or, 2, to_memory | immediate, 0, 0x20));
    LONGS_EQUAL(0x30, hardware[0].apic.task_priority);
}

TEST(PageAccess, loads_fill_the_whole_register)
{
    hardware[0].apic.id = 0x12;
    frame.r15 = ~uint64_t{0};
    does(0x20, false, answer_of(BULKHEAD_DOES_move, 2, 0, 15));
    UNSIGNED_LONGLONGS_EQUAL(0x1200'0000, frame.r15);
    frame.rbx = ~uint64_t{0};
    does(0x23, false, answer_of(BULKHEAD_DOES_move, 3, 0, 3, 0, 0));
    UNSIGNED_LONGLONGS_EQUAL(0x12, frame.rbx);
    frame.rcx = ~uint64_t{0};
    does(0x30, false, answer_of(BULKHEAD_DOES_move, 3, 0, 1, 0, 1));
    UNSIGNED_LONGLONGS_EQUAL(0x0014, frame.rcx);
}

TEST(PageAccess, there_is_nothing_between_registers)
{
    frame.rax = 0x77;
    does(0x24, false, answer_of(BULKHEAD_DOES_move, 2, 0, 0));
    UNSIGNED_LONGLONGS_EQUAL(0, frame.rax);
    frame.rax = 0x77;
    does(0x84, true, answer_of(BULKHEAD_DOES_move, 2, to_memory));
    does(0x82, true, answer_of(BULKHEAD_DOES_move, 2, to_memory));
    LONGS_EQUAL(0, hardware[0].apic.task_priority);
    does(0xFFE, false, answer_of(BULKHEAD_DOES_move, 2));
    UNSIGNED_LONGLONGS_EQUAL(0, frame.rax);
}

TEST(PageAccess, an_exchange_gives_what_was_there)
{
    does(0x80, true, answer_of(BULKHEAD_DOES_move, 2, to_memory | immediate, 0, 0x20));
    frame.rdx = 0x60;
    does(0x80, true, answer_of(BULKHEAD_DOES_exchange, 2, to_memory, 2));
    LONGS_EQUAL(0x60, hardware[0].apic.task_priority);
    UNSIGNED_LONGLONGS_EQUAL(0x20, frame.rdx);
}

TEST(PageAccess, arithmetic_sets_flags_as_the_cpu_does)
{
    constexpr uint64_t carry = 1, parity = 4, zero = 0x40, sign = 0x80, overflow = 0x800, interrupts = 0x200;
    hardware[0].apic.id = 0x80;                                 // the register reads 0x80000000
    const auto flags_after = [&](bulkhead_does what, uint32_t value) {
        frame.rflags = interrupts;
        does(0x20, false, answer_of(what, 3, to_memory | immediate, 0, value));
        return frame.rflags;
    };
    UNSIGNED_LONGLONGS_EQUAL(interrupts | zero | parity, flags_after(BULKHEAD_DOES_compare, 0x8000'0000));
    UNSIGNED_LONGLONGS_EQUAL(interrupts | carry | sign | parity, flags_after(BULKHEAD_DOES_compare, 0x9000'0000));
    UNSIGNED_LONGLONGS_EQUAL(interrupts | overflow | 0x10 | parity, flags_after(BULKHEAD_DOES_compare, 1));
    UNSIGNED_LONGLONGS_EQUAL(interrupts | sign | parity, flags_after(BULKHEAD_DOES_test, 0x8000'0000));
    frame.rcx = 0xFFFF'FFFF'8000'0000;
    frame.rflags = interrupts;
    does(0x20, false, answer_of(BULKHEAD_DOES_add, 2, 0, 1));
    UNSIGNED_LONGLONGS_EQUAL(0, frame.rcx);
    UNSIGNED_LONGLONGS_EQUAL(interrupts | zero | parity | carry | overflow, frame.rflags);
}

TEST(PageAccess, the_page_has_the_registers_of_that_mode)
{
    hardware[1].apic.id = 2;
    UNSIGNED_LONGS_EQUAL(0x0200'0000, read_apic_page(vcpu(1), 0x20));
    write_apic_page(vcpu(), 0xD0, 0x0112'3456);
    UNSIGNED_LONGS_EQUAL(0x0100'0000, read_apic_page(vcpu(), 0xD0));
    UNSIGNED_LONGS_EQUAL(0xFFFF'FFFF, read_apic_page(vcpu(), 0xE0));
    write_apic_page(vcpu(), 0xE0, 0);
    UNSIGNED_LONGS_EQUAL(0x0FFF'FFFF, read_apic_page(vcpu(), 0xE0));
    write_apic_page(vcpu(), 0x310, 0x02FF'FFFF);
    UNSIGNED_LONGS_EQUAL(0x0200'0000, read_apic_page(vcpu(), 0x310));
    write_apic_page(vcpu(), 0x350, 0xFFFF'FFFF);                // LINT0: what does not exist is ignored
    UNSIGNED_LONGS_EQUAL(0x1A7FF, read_apic_page(vcpu(), 0x350));
    LONGS_EQUAL(0, hardware[0].apic.error_status);
}

TEST(PageAccess, registers_that_are_not_there_are_noted)
{
    for (const uint32_t offset : {0x0u, 0x40u, 0x3F0u, 0x400u, 0xFF0u}) {
        hardware[0].apic.error_status = 0;
        UNSIGNED_LONGS_EQUAL(0, read_apic_page(vcpu(), offset));
        LONGS_EQUAL(0x80, hardware[0].apic.error_status);
        hardware[0].apic.error_status = 0;
        write_apic_page(vcpu(), offset, 1);
        LONGS_EQUAL(0x80, hardware[0].apic.error_status);
    }
    write_apic_page(vcpu(), 0x280, 0x55);                       // any write clears
    LONGS_EQUAL(0, hardware[0].apic.error_status);
    write_apic_page(vcpu(), 0x20, 0x55);                        // read-only ones take no note
    write_apic_page(vcpu(), 0x390, 0x55);
    LONGS_EQUAL(0, hardware[0].apic.error_status);
}

TEST(PageAccess, a_command_goes_to_a_physical_id_and_shows_what_was_written)
{
    write_apic_page(vcpu(), 0x310, 0x0200'0000);
    write_apic_page(vcpu(), 0x300, 0x4031);
    LONGS_EQUAL(0x31, deliverable(hardware[1].apic));
    LONGS_EQUAL(0, deliverable(hardware[0].apic));
    UNSIGNED_LONGS_EQUAL(0x4031, read_apic_page(vcpu(), 0x300));
    write_apic_page(vcpu(), 0x310, 0xFF00'0000);
    write_apic_page(vcpu(), 0x300, 0x4051);
    LONGS_EQUAL(0x51, deliverable(hardware[0].apic));
}

TEST(PageAccess, a_command_to_oneself_and_its_end)
{
    write_apic_page(vcpu(), 0x300, 0x44055 | 0xFFF0'0000);      // reserved bits are ignored
    LONGS_EQUAL(0x55, deliverable(hardware[0].apic));
    accept(hardware[0].apic, 0x55);
    UNSIGNED_LONGS_EQUAL(1u << 21, read_apic_page(vcpu(), 0x120));
    write_apic_page(vcpu(), 0xB0, 0x1234);
    UNSIGNED_LONGS_EQUAL(0, read_apic_page(vcpu(), 0x120));
}

TEST(PageAccess, logical_destinations_by_both_models)
{
    LocalApic flat{};
    flat.destination_format = ~0u;
    flat.logical_destination = 0x0200'0000;
    CHECK_TRUE(is_addressed_by_page(flat, 0, 0x03, true));
    CHECK_FALSE(is_addressed_by_page(flat, 0, 0x01, true));
    CHECK_TRUE(is_addressed_by_page(flat, 7, 0xFF, true));
    LocalApic cluster{};
    cluster.destination_format = 0x0FFF'FFFF;
    cluster.logical_destination = 0x3200'0000;
    CHECK_TRUE(is_addressed_by_page(cluster, 0, 0x36, true));
    CHECK_FALSE(is_addressed_by_page(cluster, 0, 0x31, true));
    CHECK_FALSE(is_addressed_by_page(cluster, 0, 0x26, true));
}

TEST(PageAccess, only_an_instructions_access_in_that_mode_is_one)
{
    Exit exit{};
    exit.address = apic_page + 0x80;
    exit.by_instruction = true;
    CHECK_TRUE(is_page_access(vcpu(), exit));
    exit.address = apic_page + page_size;
    CHECK_FALSE(is_page_access(vcpu(), exit));
    exit.address = apic_page;
    exit.by_instruction = false;
    CHECK_FALSE(is_page_access(vcpu(), exit));
    exit.by_instruction = true;
    hardware[0].next.type = Injection::Type::interrupt;         // it was being delivered
    CHECK_FALSE(is_page_access(vcpu(), exit));
    hardware[0].next.type = Injection::Type::none;
    hardware[0].apic.by_page = false;
    CHECK_FALSE(is_page_access(vcpu(), exit));
}
