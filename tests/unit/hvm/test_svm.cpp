// SPDX-License-Identifier: BSD-2-Clause
// AMD-V's entries and exits on the host, with a function in place of VMRUN: what goes into the VMCB at an entry, and
// what is made of what comes out.
#include "fake_core.hpp"

#include "hvm/cpu/svm.cpp"
#include "hvm/cpu/svm_events.cpp"
#include "hvm/cpu/svm_exit.cpp"

#include <functional>
#include <memory>
#include <vector>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;
using namespace bulkhead::svm;

namespace {

std::function<void(Vmcb&)> guest;
unsigned entries;
std::vector<uint8_t> code;
std::vector<uint8_t> injected;
unsigned machine_checks;

constexpr uint64_t interrupts_on = 0x202, shadow = 1;
constexpr uint64_t extended_interrupt = event_valid | uint64_t{event_interrupt} << event_type_shift;

}  // namespace

extern "C" void svm_enter(GuestFrame*, uint64_t vmcb_at, uint64_t)
{
    ++entries;
    Vmcb& block = *reinterpret_cast<Vmcb*>(vmcb_at);
    block.exit_interrupt = 0;
    if (guest)
        guest(block);
}

namespace bulkhead {

constinit const VendorOperations* vendor_of_box = &svm_operations;

unsigned fetch_code(const Vcpu&, uint64_t, uint8_t* to, unsigned bytes)
{
    const auto got = std::min<size_t>(bytes, code.size());
    std::copy_n(code.begin(), got, to);
    return static_cast<unsigned>(got);
}

CpuidResult hardware_cpuid(Vcpu&, uint32_t, uint32_t) { return {~0u, ~0u, ~0u, ~0u}; }
bool waits_for_task_priority(const LocalApic&) { return false; }
const Features& features()
{
    static const Features all{};
    return all;
}
void inject_exception(Vcpu&, uint8_t vector, uint32_t) { injected.push_back(vector); }
void machine::take_machine_check() { ++machine_checks; }

}  // namespace bulkhead

TEST_GROUP(Svm)
{
    Vcpu vcpu{};
    GuestFrame frame{};
    std::unique_ptr<Vmcb> block;
    std::unique_ptr<HardwareVcpu> hardware;

    void setup() override
    {
        fake::reset_core();
        block.reset(new Vmcb{});
        hardware.reset(new HardwareVcpu{});
        hardware->control = block.get();
        hardware->control_address = HostPhysical(reinterpret_cast<uint64_t>(block.get()));
        vcpu.hardware = hardware.get();
        reset(vcpu);
        hardware->flush = false;
        shared.next_rip = true;
        shared.flush_by_asid = true;
        frame = {};
        frame.rip = 0x1000;
        frame.rflags = interrupts_on;
        guest = [](Vmcb& at) { at.exit_code = svm::exit_interrupt; };
        entries = 0;
        code.clear();
        injected.clear();
        machine_checks = 0;
    }
    void teardown() override { guest = nullptr; }

    Exit leave() { return enter(vcpu, frame); }
    Exit leave(uint64_t exit_code)
    {
        guest = [exit_code](Vmcb& at) { at.exit_code = exit_code; };
        return leave();
    }
    // Delivery of this event was interrupted by an exit.
    const Injection& interrupted(uint64_t event)
    {
        guest = [event](Vmcb& at) {
            at.exit_code = exit_nested_fault;
            at.exit_interrupt = event;
        };
        (void)leave();
        return hardware->next;
    }
    void want_interrupt(uint8_t vector) { hardware->next = {Injection::Type::interrupt, vector, false, 0}; }
    // The guest is behind STI, and an interrupt waits.
    void behind_sti(uint8_t opcode)
    {
        shared.next_rip = false;
        code = {opcode};
        block->interrupt_shadow = shadow;
        hardware->window_wanted = true;
    }
};

TEST(Svm, an_entry_with_nothing_to_do_leaves_the_block_alone)
{
    CHECK(leave().reason == ExitReason::interrupt);
    CHECK_EQUAL(0u, block->injection);
    CHECK_TRUE(block->virtual_interrupt == virtual_masking);
    CHECK_EQUAL(0u, block->tlb_control);
}

TEST(Svm, an_interrupt_is_injected_once)
{
    want_interrupt(0x41);
    guest = [](Vmcb& at) {
        CHECK_EQUAL(event_valid | 0x41, at.injection);
        at.exit_code = svm::exit_interrupt;
    };
    (void)leave();
    CHECK_TRUE(hardware->interrupt_taken);
    (void)leave(svm::exit_interrupt);
    CHECK_EQUAL(0u, block->injection);
}

TEST(Svm, without_nrip_save_an_interrupt_goes_in_as_a_virtual_one_and_may_not_be_taken)
{
    shared.next_rip = false;
    want_interrupt(0x41);
    guest = [](Vmcb& at) {
        CHECK_EQUAL(0u, at.injection);
        CHECK_EQUAL(0x41u, at.virtual_interrupt >> 32);
        CHECK_TRUE((at.virtual_interrupt & virtual_request) != 0);
        at.exit_code = svm::exit_interrupt;
    };
    (void)leave();
    CHECK_FALSE(hardware->interrupt_taken);
    want_interrupt(0x41);
    guest = [](Vmcb& at) {
        at.virtual_interrupt &= ~uint64_t{virtual_request};
        at.exit_code = exit_cpuid;
    };
    (void)leave();
    CHECK_TRUE(hardware->interrupt_taken);
}

TEST(Svm, a_window_is_asked_for_and_forgotten)
{
    hardware->window_wanted = true;
    guest = [](Vmcb& at) {
        CHECK_TRUE((at.intercepts_1 & intercept_window) != 0);
        CHECK_TRUE((at.virtual_interrupt & virtual_request) != 0);
        at.exit_code = exit_window;
    };
    CHECK(leave().reason == ExitReason::interrupt_window);
    hardware->window_wanted = false;
    (void)leave(svm::exit_interrupt);
    CHECK_EQUAL(0u, block->intercepts_1 & intercept_window);
    CHECK_EQUAL(0u, block->virtual_interrupt & virtual_request);
}

TEST(Svm, exceptions_go_in_with_their_error_codes)
{
    hardware->next = {Injection::Type::exception, vector::page_fault, true, 0x15};
    (void)leave(exit_cpuid);
    CHECK_EQUAL(event_valid | uint64_t{event_exception} << event_type_shift | event_error_valid | uint64_t{0x15} << 32 |
                    vector::page_fault,
                block->injection);
    CHECK(hardware->next.type == Injection::Type::none);
}

TEST(Svm, changed_nested_tables_flush_once)
{
    hardware->flush = true;
    (void)leave(svm::exit_interrupt);
    CHECK_EQUAL(3u, block->tlb_control);
    (void)leave();
    CHECK_EQUAL(0u, block->tlb_control);
    shared.flush_by_asid = false;
    hardware->flush = true;
    (void)leave();
    CHECK_EQUAL(1u, block->tlb_control);
}

// --- Events whose delivery an exit has interrupted ------------------------------------------------------

TEST(Svm, an_interrupt_cut_off_is_delivered_again)
{
    const Injection& next = interrupted(extended_interrupt | 0x61);
    CHECK(next.type == Injection::Type::interrupt);
    CHECK_EQUAL(0x61u, next.vector);
    CHECK_FALSE(next.has_error_code);
}

TEST(Svm, an_exception_cut_off_keeps_its_error_code)
{
    const Injection& next = interrupted(event_valid | uint64_t{event_exception} << event_type_shift | event_error_valid |
                                        uint64_t{0x18} << 32 | vector::general_protection);
    CHECK(next.type == Injection::Type::exception);
    CHECK_EQUAL(vector::general_protection, next.vector);
    CHECK_TRUE(next.has_error_code);
    CHECK_EQUAL(0x18u, next.error_code);
}

TEST(Svm, an_nmi_cut_off_comes_again_and_blocks_nothing_until_then)
{
    hardware->next = {Injection::Type::nmi, 2, false, 0};
    const Injection& next = interrupted(event_valid | uint64_t{event_nmi} << event_type_shift | 2);
    CHECK(next.type == Injection::Type::nmi);
    CHECK_EQUAL(0u, block->intercepts_1 & intercept_iret);
    (void)leave(svm::exit_interrupt);
    CHECK_TRUE((block->intercepts_1 & intercept_iret) != 0);
}

TEST(Svm, what_an_instruction_raises_comes_by_executing_it_again)
{
    CHECK(interrupted(event_valid | uint64_t{event_software} << event_type_shift | 0x80).type == Injection::Type::none);
    for (const unsigned number : {3u, 4u})
        CHECK(interrupted(event_valid | uint64_t{event_exception} << event_type_shift | number).type == Injection::Type::none);
}

// --- Exits -----------------------------------------------------------------------------------------------

TEST(Svm, every_exit_has_its_reason)
{
    const std::vector<std::pair<uint64_t, ExitReason>> known = {
        {svm::exit_interrupt, ExitReason::interrupt}, {exit_nmi, ExitReason::interrupt},
        {exit_init, ExitReason::interrupt}, {exit_window, ExitReason::interrupt_window},
        {exit_cpuid, ExitReason::cpuid}, {exit_halt, ExitReason::halt}, {exit_vmmcall, ExitReason::hypercall},
        {exit_xsetbv, ExitReason::set_xcr0}, {exit_wbinvd, ExitReason::cache_control},
        {exit_invd, ExitReason::cache_control}, {exit_shutdown, ExitReason::triple_fault},
        {exit_invalid, ExitReason::entry_failed},
        {exit_invalid_32, ExitReason::entry_failed}, {exit_rdpmc, ExitReason::no_such_instruction},
        {exit_rsm, ExitReason::no_such_instruction}, {exit_invlpga, ExitReason::no_such_instruction},
        {exit_vmrun, ExitReason::no_such_instruction}, {exit_vmload, ExitReason::no_such_instruction},
        {exit_skinit, ExitReason::no_such_instruction}, {exit_monitor, ExitReason::no_such_instruction},
        {exit_mwait, ExitReason::no_such_instruction}, {exit_iret, ExitReason::nothing},
        {exit_exception + vector::alignment_check, ExitReason::exception}, {0x3FF, ExitReason::unknown}};
    for (const auto& [number, reason] : known) {
        const Exit exit = leave(number);
        LONGS_EQUAL_TEXT(static_cast<int>(reason), static_cast<int>(exit.reason), std::to_string(number).c_str());
    }
}

TEST(Svm, reads_and_writes_of_msrs_differ_in_their_information)
{
    block->exit_info_1 = 0;
    CHECK(leave(exit_msr).reason == ExitReason::msr_read);
    block->exit_info_1 = 1;
    CHECK(leave(exit_msr).reason == ExitReason::msr_write);
}

TEST(Svm, a_port_access_is_taken_apart)
{
    guest = [](Vmcb& at) {
        at.exit_code = exit_port;
        at.exit_info_1 = uint64_t{0x3F8} << 16 | 4 << 4 | 4 | 1;
        at.exit_info_2 = 0x1003;
    };
    const Exit exit = leave();
    CHECK(exit.reason == ExitReason::port);
    CHECK_EQUAL(0x3F8u, exit.port);
    CHECK_EQUAL(4u, exit.bytes);
    CHECK_TRUE(exit.string);
    CHECK_FALSE(exit.write);
    CHECK_EQUAL(3u, instruction_bytes(vcpu, frame));
}

TEST(Svm, a_nested_fault_tells_an_operand_from_fetches_and_walks)
{
    constexpr uint64_t write = 2;
    const auto fault = [&](uint64_t information) {
        guest = [information](Vmcb& at) {
            at.exit_code = exit_nested_fault;
            at.exit_info_1 = information;
            at.exit_info_2 = 0xFEE0'0080;
        };
        return leave();
    };
    const Exit exit = fault(write);
    CHECK_EQUAL(0xFEE0'0080u, exit.address);
    CHECK_TRUE(exit.write);
    CHECK_TRUE(exit.by_instruction);
    CHECK_FALSE(fault(nested_fetch).by_instruction);
    CHECK_FALSE(fault(nested_walk | write).by_instruction);
}

TEST(Svm, the_length_is_the_cpus_if_it_saves_the_next_rip)
{
    guest = [](Vmcb& at) {
        at.exit_code = exit_cpuid;
        at.next_rip = at.rip + 3;
    };
    CHECK_EQUAL(3u, leave().length);
    shared.next_rip = false;
    CHECK_EQUAL(0u, leave().length);
}

TEST(Svm, a_write_of_cr4_is_carried_out_or_refused)
{
    code = {0x0F, 0x22, 0xE3};              // mov %ebx, %cr4
    frame.rbx = 0x20;
    CHECK(leave(exit_write_of_cr4).reason == ExitReason::carried_out);
    CHECK_EQUAL(0x20u, read_cr4(vcpu));
    frame.rbx = 1u << 13;
    CHECK(leave(exit_write_of_cr4).reason == ExitReason::nothing);
    CHECK_EQUAL(0x20u, read_cr4(vcpu));
    CHECK_EQUAL(1u, injected.size());
    CHECK_EQUAL(vector::general_protection, injected[0]);
}

TEST(Svm, a_read_of_cr4_gives_the_guests_own)
{
    code = {0x0F, 0x20, 0xE3};              // mov %cr4, %ebx
    frame.rbx = ~uint64_t{0};
    CHECK(leave(exit_read_of_cr4).reason == ExitReason::carried_out);
    CHECK_EQUAL(0u, frame.rbx);
    code = {0x90};
    frame.rbx = 1;
    CHECK(leave(exit_read_of_cr4).reason == ExitReason::nothing);
    CHECK_EQUAL(1u, frame.rbx);
}

TEST(Svm, a_machine_check_is_the_boxs_and_not_the_guests)
{
    CHECK(leave(exit_exception + vector::machine_check).reason == ExitReason::nothing);
    CHECK_EQUAL(1u, machine_checks);
    CHECK_EQUAL(0u, injected.size());
    CHECK(hardware->next.type == Injection::Type::none);
    CHECK(leave(exit_exception + vector::alignment_check).reason == ExitReason::exception);
    CHECK_EQUAL(1u, machine_checks);
}

TEST(Svm, a_write_of_cr8_says_its_register)
{
    constexpr uint16_t long_mode_code = 0x200;
    block->efer |= efer_lma;
    block->cs.attributes |= long_mode_code;
    code = {0x44, 0x0F, 0x22, 0xC1};        // mov %rcx, %cr8
    const Exit exit = leave(exit_write_of_cr8);
    CHECK(exit.reason == ExitReason::task_priority);
    CHECK_EQUAL(1u, exit.general_register);
}

// --- The interrupt shadow that QEMU forgets --------------------------------------------------------------

TEST(Svm, a_halt_behind_sti_is_carried_out_without_an_entry)
{
    behind_sti(0xF4);
    const Exit exit = leave();
    CHECK(exit.reason == ExitReason::halt);
    CHECK_EQUAL(1u, exit.length);
    CHECK_EQUAL(0u, entries);
}

TEST(Svm, a_flush_waits_for_the_entry_behind_the_halt)
{
    behind_sti(0xF4);
    hardware->flush = true;
    (void)leave();
    CHECK_TRUE(hardware->flush.load());
}

TEST(Svm, other_code_behind_sti_is_entered)
{
    behind_sti(0x90);
    (void)leave();
    CHECK_EQUAL(1u, entries);
}

TEST(Svm, a_halt_is_entered_if_nothing_waits_or_something_else_comes_first)
{
    behind_sti(0xF4);
    hardware->window_wanted = false;
    (void)leave();
    CHECK_EQUAL(1u, entries);
    behind_sti(0xF4);
    hardware->next = {Injection::Type::exception, vector::page_fault, true, 0};
    (void)leave();
    CHECK_EQUAL(2u, entries);
    behind_sti(0xF4);
    frame.rflags = 2;
    (void)leave();
    CHECK_EQUAL(3u, entries);
}

TEST(Svm, an_interrupt_of_the_box_at_the_halt_does_not_lose_the_shadow)
{
    behind_sti(0xF4);
    hardware->window_wanted = false;
    guest = [](Vmcb& at) {
        at.exit_code = svm::exit_interrupt;
        at.interrupt_shadow = 0;
    };
    (void)leave();
    CHECK_EQUAL(shadow, block->interrupt_shadow);
    CHECK_FALSE(can_take_interrupt(vcpu, frame));
    guest = [](Vmcb& at) {
        at.exit_code = svm::exit_interrupt;
        at.interrupt_shadow = 0;
        ++at.rip;
    };
    (void)leave();
    CHECK_EQUAL(0u, block->interrupt_shadow);
}

TEST(Svm, a_cpu_with_nrip_save_keeps_the_shadow_itself)
{
    behind_sti(0xF4);
    shared.next_rip = true;
    (void)leave();
    CHECK_EQUAL(1u, entries);
}
