// SPDX-License-Identifier: BSD-2-Clause
// AMD-V's events on the host: when an NMI may come, the step behind an IRET, the task priority, decoding of MOV to
// control registers, what CR4 takes, and when the CPU sees EFER.LME.
#include "fake_core.hpp"

#include "hvm/cpu/svm_events.cpp"

#include <algorithm>
#include <memory>
#include <vector>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;
using namespace bulkhead::svm;

namespace {

std::vector<uint8_t> code;
bool wide;
bool priority_waits;
CpuidResult leaf_1, leaf_7;

bool fake_wide(const Vcpu&) { return wide; }
uint64_t fake_base(const Vcpu&) { return 0; }
unsigned fake_bytes(const Vcpu&, const GuestFrame&) { return 0; }

const VendorOperations fake_vendor = [] {
    VendorOperations made{};
    made.in_64_bit_code = fake_wide;
    made.code_base = fake_base;
    made.instruction_bytes = fake_bytes;
    return made;
}();

constexpr uint64_t trap = 0x100, step_status = 0x4000;
constexpr Injection none{}, nmi{Injection::Type::nmi, 2, false, 0};

}  // namespace

namespace bulkhead {

constinit const VendorOperations* vendor_of_box = nullptr;

unsigned fetch_code(const Vcpu&, uint64_t, uint8_t* to, unsigned bytes)
{
    const auto got = std::min<size_t>(bytes, code.size());
    std::copy_n(code.begin(), got, to);
    return static_cast<unsigned>(got);
}

CpuidResult hardware_cpuid(Vcpu&, uint32_t leaf, uint32_t) { return leaf == 1 ? leaf_1 : leaf_7; }
bool waits_for_task_priority(const LocalApic&) { return priority_waits; }

}  // namespace bulkhead

TEST_GROUP(SvmEvents)
{
    std::unique_ptr<Vmcb> block;
    LocalApic apic{};
    Vcpu vcpu{};

    void setup() override
    {
        block.reset(new Vmcb{});
        priority_waits = false;
        vendor_of_box = &fake_vendor;
        reset_events(*block);
        block->rip = 0x1000;
        block->rsp = 0x2000;
    }

    void enter(const Injection& next) { before_entry(*block, next, apic); }
    void leave() { after_exit(*block, apic); }
    bool leaves_at_iret() const { return (block->intercepts_1 & intercept_iret) != 0; }
    bool steps() const { return (block->rflags & trap) != 0; }

    void end_by_step()
    {
        block->exit_code = exit_exception + vector::debug;
        block->dr6 = step_status;
    }
    void to_the_iret()
    {
        enter(nmi);
        leave();
        at_iret(*block);
    }
};

TEST(SvmEvents, an_nmi_blocks_the_next_one_until_iret)
{
    CHECK_TRUE(svm::can_take_nmi(*block));
    enter(nmi);
    leave();
    CHECK_FALSE(svm::can_take_nmi(*block));
    CHECK_TRUE(leaves_at_iret());
}

TEST(SvmEvents, an_nmi_whose_delivery_was_interrupted_blocks_nothing)
{
    enter(nmi);
    leave();
    forget_nmi(*block);
    CHECK_TRUE(svm::can_take_nmi(*block));
    CHECK_FALSE(leaves_at_iret());
}

TEST(SvmEvents, nothing_steps_if_no_nmi_waits_at_the_iret)
{
    to_the_iret();
    CHECK_FALSE(leaves_at_iret());
    enter(none);
    CHECK_FALSE(steps());
}

TEST(SvmEvents, an_nmi_that_waits_comes_behind_the_iret)
{
    to_the_iret();
    CHECK_FALSE(svm::can_take_nmi(*block));
    enter(none);
    CHECK_TRUE(steps());
    block->rip = 0x3000;
    block->rflags &= ~trap;
    end_by_step();
    leave();
    CHECK_TRUE(was_own_step(*block));
    CHECK_EQUAL(0u, block->dr6);
    CHECK_TRUE(svm::can_take_nmi(*block));
}

TEST(SvmEvents, a_step_that_was_cut_off_leaves_no_flag)
{
    to_the_iret();
    (void)svm::can_take_nmi(*block);
    enter(none);
    CHECK_TRUE(block->virtual_interrupt != virtual_masking);
    leave();
    CHECK_FALSE(steps());
    CHECK_FALSE(svm::can_take_nmi(*block));
}

TEST(SvmEvents, a_step_of_the_guests_own_stays_the_guests)
{
    block->rflags = trap;
    to_the_iret();
    (void)svm::can_take_nmi(*block);
    enter(none);
    block->rip = 0x3000;
    end_by_step();
    leave();
    CHECK_FALSE(was_own_step(*block));
    CHECK_EQUAL(step_status, block->dr6);
}

TEST(SvmEvents, a_step_that_was_not_asked_for_is_the_guests)
{
    enter(none);
    end_by_step();
    leave();
    CHECK_FALSE(was_own_step(*block));
}

TEST(SvmEvents, a_step_ends_with_the_exit_that_it_did_not_cause)
{
    to_the_iret();
    (void)svm::can_take_nmi(*block);
    enter(none);
    block->rip = 0x3000;
    leave();
    end_by_step();
    CHECK_FALSE(was_own_step(*block));
}

TEST(SvmEvents, an_nmi_waits_behind_mov_ss)
{
    block->interrupt_shadow = 1;
    CHECK_FALSE(svm::can_take_nmi(*block));
    enter(none);
    CHECK_TRUE(steps());
    block->interrupt_shadow = 0;
    block->rip = 0x1002;
    leave();
    CHECK_TRUE(svm::can_take_nmi(*block));
}

TEST(SvmEvents, delivery_of_an_exception_ends_a_shadow)
{
    block->interrupt_shadow = 1;
    enter({Injection::Type::exception, 13, true, 0});
    CHECK_EQUAL(0u, block->interrupt_shadow);
}

TEST(SvmEvents, the_task_priority_goes_in_and_comes_back)
{
    apic.task_priority = 0x73;
    enter(none);
    CHECK_EQUAL(7u, block->virtual_interrupt & virtual_priority);
    leave();
    CHECK_EQUAL(0x73u, apic.task_priority);
    block->virtual_interrupt = virtual_masking | 4;
    leave();
    CHECK_EQUAL(0x40u, apic.task_priority);
}

TEST(SvmEvents, cr8_leaves_only_while_something_waits)
{
    apic.task_priority = 0x70;
    enter(none);
    CHECK_EQUAL(write_of_cr4, block->intercept_cr_write);
    priority_waits = true;
    enter(none);
    CHECK_EQUAL(write_of_cr4 | write_of_cr8, block->intercept_cr_write);
    priority_waits = false;
    block->virtual_interrupt = virtual_request;
    enter(none);
    CHECK_EQUAL(write_of_cr4 | write_of_cr8, block->intercept_cr_write);
}

TEST_GROUP(SvmControlMove)
{
    Vcpu vcpu{};
    GuestFrame frame{};
    std::unique_ptr<Vmcb> block;

    void setup() override
    {
        block.reset(new Vmcb{});
        vendor_of_box = &fake_vendor;
        wide = true;
    }
    ControlMove decode(std::vector<uint8_t> bytes, bool write = true)
    {
        code = std::move(bytes);
        return control_move(vcpu, *block, frame, write);
    }
};

TEST(SvmControlMove, without_prefixes)
{
    const ControlMove found = decode({0x0F, 0x22, 0xE3});
    CHECK_EQUAL(3u, found.bytes);
    CHECK_EQUAL(3u, found.general_register);
}

TEST(SvmControlMove, rex_extends_the_register_and_the_number)
{
    const ControlMove found = decode({0x45, 0x0F, 0x22, 0xC1});
    CHECK_EQUAL(4u, found.bytes);
    CHECK_EQUAL(9u, found.general_register);
    CHECK_EQUAL(1u, decode({0x44, 0x0F, 0x22, 0xC1}).general_register);
}

TEST(SvmControlMove, rex_before_another_prefix_does_not_count)
{
    CHECK_EQUAL(1u, decode({0x41, 0x66, 0x0F, 0x22, 0xE1}).general_register);
}

TEST(SvmControlMove, there_is_no_rex_outside_64_bit_code)
{
    wide = false;
    CHECK_EQUAL(0u, decode({0x41, 0x0F, 0x22, 0xE1}).bytes);
    CHECK_EQUAL(4u, decode({0xF0, 0x0F, 0x22, 0xC0}).bytes);
}

TEST(SvmControlMove, reads_and_writes_are_told_apart)
{
    CHECK_EQUAL(3u, decode({0x0F, 0x20, 0xE2}, false).bytes);
    CHECK_EQUAL(2u, decode({0x0F, 0x20, 0xE2}, false).general_register);
    CHECK_EQUAL(0u, decode({0x0F, 0x22, 0xE2}, false).bytes);
}

TEST(SvmControlMove, other_code_and_too_little_of_it_is_none)
{
    CHECK_EQUAL(0u, decode({0x0F, 0x20, 0xE0}).bytes);
    CHECK_EQUAL(0u, decode({0x0F, 0x22}).bytes);
    CHECK_EQUAL(0u, decode({}).bytes);
}

TEST_GROUP(SvmCr4)
{
    Vcpu vcpu{};
    std::unique_ptr<Vmcb> block;
    std::unique_ptr<HardwareVcpu> hardware;

    void setup() override
    {
        block.reset(new Vmcb{});
        hardware.reset(new HardwareVcpu{});
        vcpu.hardware = hardware.get();
        leaf_1 = leaf_7 = {};
    }
};

TEST(SvmCr4, takes_what_cpuid_offers)
{
    constexpr uint64_t osxsave = 1u << 18, smep = 1u << 20;
    CHECK_FALSE(write_cr4(vcpu, *block, osxsave));
    leaf_1.ecx = 1u << 26;
    CHECK_TRUE(write_cr4(vcpu, *block, osxsave));
    CHECK_FALSE(write_cr4(vcpu, *block, smep));
    leaf_7.ebx = 1u << 7;
    CHECK_TRUE(write_cr4(vcpu, *block, smep));
    CHECK_EQUAL(smep, svm::read_cr4(*block));
}

TEST(SvmCr4, refuses_what_is_never_offered)
{
    leaf_1 = leaf_7 = {~0u, ~0u, ~0u, ~0u};
    for (const unsigned bit : {12u, 13u, 14u, 17u, 22u, 23u, 24u, 63u})
        CHECK_FALSE(write_cr4(vcpu, *block, uint64_t{1} << bit));
}

TEST(SvmCr4, keeps_pae_in_long_mode)
{
    block->efer = efer_lma | efer_lme;
    CHECK_FALSE(write_cr4(vcpu, *block, 0));
    CHECK_TRUE(write_cr4(vcpu, *block, cr4_pae));
}

TEST(SvmCr4, has_machine_checks_on_whatever_the_guest_sees)
{
    reset_events(*block);
    CHECK_EQUAL(cr4_mce, block->cr4);
    CHECK_EQUAL(0u, svm::read_cr4(*block));
    CHECK_EQUAL(read_of_cr4, block->intercept_cr_read);
    CHECK_TRUE(write_cr4(vcpu, *block, cr4_mce | cr4_pae));
    CHECK_EQUAL(cr4_mce | cr4_pae, svm::read_cr4(*block));
    CHECK_TRUE(write_cr4(vcpu, *block, cr4_pae));
    CHECK_EQUAL(cr4_pae, svm::read_cr4(*block));
    CHECK_EQUAL(cr4_mce | cr4_pae, block->cr4);
    reset_events(*block);
    CHECK_EQUAL(0u, block->own.machine_check);
}

TEST(SvmCr4, flushes_if_it_changes)
{
    CHECK_TRUE(write_cr4(vcpu, *block, 0));
    CHECK_FALSE(hardware->flush.load());
    CHECK_TRUE(write_cr4(vcpu, *block, cr4_pae));
    CHECK_TRUE(hardware->flush.load());
}

TEST(SvmCr4, shows_the_cpu_lme_only_with_pae)
{
    write_efer(*block, efer_lme);
    CHECK_EQUAL(efer_svme, block->efer);
    CHECK_EQUAL(efer_lme, svm::read_efer(*block));
    CHECK_TRUE(write_cr4(vcpu, *block, cr4_pae));
    CHECK_EQUAL(efer_svme | efer_lme, block->efer);
    CHECK_TRUE(write_cr4(vcpu, *block, 0));
    CHECK_EQUAL(efer_svme, block->efer);
    CHECK_EQUAL(efer_lme, svm::read_efer(*block));
}

TEST(SvmCr4, long_mode_begins_by_paging_alone)
{
    block->cr0 = cr0_pg;
    write_efer(*block, efer_lme);
    CHECK_TRUE(write_cr4(vcpu, *block, cr4_pae));
    CHECK_EQUAL(0u, block->efer & (efer_lma | efer_lme));
}

TEST(SvmCr4, long_mode_stays_whatever_else_is_written)
{
    block->cr0 = cr0_pg;
    block->cr4 = cr4_pae;
    block->efer = efer_svme | efer_lma | efer_lme;
    write_efer(*block, efer_lme | 1);
    CHECK_EQUAL(efer_svme | efer_lma | efer_lme | 1, block->efer);
}

TEST(SvmEvents, a_halt_of_the_kernel_is_found)
{
    code = {0xF4};
    CHECK_TRUE(halts_in_shadow(vcpu, *block));
    code = {0x90};
    CHECK_FALSE(halts_in_shadow(vcpu, *block));
    code = {};
    CHECK_FALSE(halts_in_shadow(vcpu, *block));
    code = {0xF4};
    block->cpl = 3;
    CHECK_FALSE(halts_in_shadow(vcpu, *block));
}

TEST(SvmEvents, an_interrupt_of_the_box_before_a_halt_does_not_end_the_shadow)
{
    code = {0xF4};
    for (const uint64_t reason : {svm::exit_interrupt, svm::exit_nmi}) {
        block->interrupt_shadow = 0;
        block->exit_code = reason;
        keep_shadow(vcpu, *block, block->rip);
        CHECK_EQUAL(1u, block->interrupt_shadow);
    }
}

TEST(SvmEvents, a_shadow_ends_behind_its_instruction_and_at_other_code)
{
    code = {0xF4};
    block->exit_code = svm::exit_interrupt;
    keep_shadow(vcpu, *block, block->rip - 1);
    CHECK_EQUAL(0u, block->interrupt_shadow);
    code = {0xEB};                          // a loop of one instruction waits for the interrupt, too
    keep_shadow(vcpu, *block, block->rip);
    CHECK_EQUAL(0u, block->interrupt_shadow);
    code = {0xF4};
    block->exit_code = exit_window;
    keep_shadow(vcpu, *block, block->rip);
    CHECK_EQUAL(0u, block->interrupt_shadow);
}
