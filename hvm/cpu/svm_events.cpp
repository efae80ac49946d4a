// SPDX-License-Identifier: BSD-2-Clause
// See svm_events.hpp. Source: AMD APM vol 2, "Event Injection", "Virtual Interrupts", "IRET Intercept".
#include "hvm/cpu/svm_events.hpp"

#include "hvm/cpu/cpuid_policy.hpp"

#include <array>

namespace bulkhead::svm {

namespace {

constexpr uint64_t flag_trap = 0x100;
constexpr uint64_t single_step = 0x4000;
constexpr uint64_t cr0_pg = uint64_t{1} << 31;
constexpr uint64_t cr4_pae = 0x20, cr4_mce = 0x40;

OwnState& own_of(Vmcb& block)
{
    // The block is packed, so its members do not bind to references; this one is aligned.
    static_assert(offsetof(Vmcb, own) % alignof(OwnState) == 0);
    return *reinterpret_cast<OwnState*>(reinterpret_cast<char*>(&block) + offsetof(Vmcb, own));
}

// The guest is to execute one instruction, after which it leaves.
void step_once(Vmcb& block)
{
    OwnState& own = own_of(block);
    own.nmi = NmiState::after_instruction;
    own.rip = block.rip;
    own.rsp = block.rsp;
}

// Its instruction has not been executed yet.
bool is_at_instruction(const Vmcb& block) { return block.rip == block.own.rip && block.rsp == block.own.rsp; }

bool is_prefix(uint8_t byte, bool wide)
{
    switch (byte) {
    case 0x26: case 0x2E: case 0x36: case 0x3E: case 0x64: case 0x65: case 0x66: case 0x67: case 0xF0: case 0xF2: case 0xF3:
        return true;
    default:
        return wide && (byte & 0xF0) == 0x40;
    }
}

// What of CR4 the guest's CPUID offers, and MCE, which is the core's.
uint64_t offered_cr4(Vcpu& vcpu)
{
    constexpr uint64_t always = 0x7FF;              // VME to OSXMMEXCPT
    constexpr uint64_t umip = 1u << 11, fsgsbase = 1u << 16, osxsave = 1u << 18, smep = 1u << 20, smap = 1u << 21;
    const auto bit = [](uint32_t word, unsigned number, uint64_t then) { return (word >> number & 1) != 0 ? then : 0; };
    const CpuidResult basic = hardware_cpuid(vcpu, 1, 0), extended = hardware_cpuid(vcpu, 7, 0);
    return always | bit(basic.ecx, 26, osxsave) | bit(extended.ebx, 0, fsgsbase) | bit(extended.ebx, 7, smep) |
           bit(extended.ebx, 20, smap) | bit(extended.ecx, 2, umip);
}

}  // namespace

void reset_events(Vmcb& block)
{
    block.own = {};
    block.intercepts_1 &= ~uint32_t{intercept_iret};
    block.intercept_cr_write = write_of_cr4;
    block.intercept_cr_read = read_of_cr4;
    block.cr4 |= cr4_mce;
}

void before_entry(Vmcb& block, const Injection& next, const LocalApic& apic)
{
    OwnState& own = own_of(block);
    block.virtual_interrupt |= apic.task_priority >> 4;
    // With a request pending QEMU 7.2 ends itself at a CR8 that does not leave.
    const bool watched = (block.virtual_interrupt & virtual_request) != 0 || is_held_by_task_priority(apic);
    block.intercept_cr_write = watched ? write_of_cr4 | write_of_cr8 : write_of_cr4;
    own.stepping = false;
    if (next.type == Injection::Type::none) {
        own.stepping = own.nmi == NmiState::after_instruction && own.wanted;
        if (own.stepping) {
            own.guest_trap = (block.rflags & flag_trap) != 0;
            own.flag_set = !own.guest_trap;
            block.rflags |= flag_trap;
            // Says nothing without a request, but that after_exit() is needed.
            block.virtual_interrupt |= virtual_ignore_tpr;
        }
        return;
    }
    // Delivery ends a shadow; and what comes now is not the instruction that was waited for.
    if (next.type != Injection::Type::interrupt)
        block.interrupt_shadow = 0;
    if (next.type == Injection::Type::nmi) {
        own.nmi = NmiState::blocked;
        block.intercepts_1 |= intercept_iret;
    }
}

void after_exit(Vmcb& block, LocalApic& apic)
{
    OwnState& own = own_of(block);
    const auto priority = static_cast<uint32_t>(block.virtual_interrupt & virtual_priority);
    if (priority != apic.task_priority >> 4)
        apic.task_priority = priority << 4;
    // If IRET itself has faulted, its handler's frame keeps the flag.
    if (own.flag_set && is_at_instruction(block))
        block.rflags &= ~flag_trap;
    own.flag_set = false;
    if (block.exit_code != exit_exception + vector::debug)
        own.stepping = false;
}

void forget_nmi(Vmcb& block)
{
    own_of(block).nmi = NmiState::open;
    block.intercepts_1 &= ~uint32_t{intercept_iret};
}

bool was_own_step(Vmcb& block)
{
    OwnState& own = own_of(block);
    // Whether DR6 says so is left open: Bochs 2.7 lets the guest leave before it writes DR6.
    const bool ours = own.stepping && !own.guest_trap && !is_at_instruction(block);
    own.stepping = false;
    if (ours)
        block.dr6 &= ~single_step;
    return ours;
}

bool can_take_nmi(Vmcb& block)
{
    OwnState& own = own_of(block);
    if (own.nmi == NmiState::after_instruction && !is_at_instruction(block))
        own.nmi = NmiState::open;
    if (own.nmi == NmiState::open && (block.interrupt_shadow & 1) != 0)
        step_once(block);
    own.wanted = own.nmi == NmiState::after_instruction;
    // The next entry is to set all anew.
    if (own.wanted)
        block.virtual_interrupt = 0;
    return own.nmi == NmiState::open;
}

void at_iret(Vmcb& block)
{
    block.intercepts_1 &= ~uint32_t{intercept_iret};
    step_once(block);
}

bool halts_in_shadow(const Vcpu& vcpu, const Vmcb& block)
{
    constexpr uint8_t halt = 0xF4;
    uint8_t opcode = 0;
    return block.cpl == 0 && fetch_code(vcpu, vendor().code_base(vcpu) + block.rip, &opcode, 1) == 1 && opcode == halt;
}

void keep_shadow(const Vcpu& vcpu, Vmcb& block, uint64_t entered_at)
{
    const bool by_the_box = block.exit_code == exit_interrupt || block.exit_code == exit_nmi;
    if (by_the_box && block.rip == entered_at && halts_in_shadow(vcpu, block))
        block.interrupt_shadow = 1;
}

ControlMove control_move(const Vcpu& vcpu, const Vmcb& block, const GuestFrame& frame, bool write)
{
    constexpr uint64_t decoded = uint64_t{1} << 63;
    const unsigned told = vendor().instruction_bytes(vcpu, frame);
    if ((block.exit_info_1 & decoded) != 0 && told != 0)
        return {told, static_cast<uint8_t>(block.exit_info_1 & 15)};
    std::array<uint8_t, 15> code;
    const bool wide = vendor().in_64_bit_code(vcpu);
    const unsigned got = fetch_code(vcpu, vendor().code_base(vcpu) + frame.rip, code.data(), code.size());
    unsigned at = 0;
    while (at < got && is_prefix(code[at], wide))
        ++at;
    if (at + 3 > got || code[at] != 0x0F || code[at + 1] != (write ? 0x22 : 0x20))
        return {};
    // Only the prefix right before the opcode counts as REX.
    const bool extended = wide && at > 0 && (code[at - 1] & 0xF1) == 0x41;
    return {at + 3, static_cast<uint8_t>((code[at + 2] & 7) | (extended ? 8 : 0))};
}

bool write_cr4(Vcpu& vcpu, Vmcb& block, uint64_t value)
{
    if ((value & ~offered_cr4(vcpu)) != 0 || ((block.efer & efer_lma) != 0 && (value & cr4_pae) == 0))
        return false;
    if (value != read_cr4(block))
        vcpu.hardware->flush.store(true, std::memory_order_relaxed);
    block.own.machine_check = (value & cr4_mce) != 0;
    block.cr4 = value | cr4_mce;
    write_efer(block, read_efer(block));
    return true;
}

uint64_t read_cr4(const Vmcb& block) { return (block.cr4 & ~cr4_mce) | (block.own.machine_check ? cr4_mce : 0); }

uint64_t read_efer(const Vmcb& block)
{
    return (block.efer & ~(efer_svme | efer_lme)) | (block.own.long_mode_enabled ? efer_lme : 0);
}

// A guest without paging and PAE gets LME when it sets PAE: with LME alone QEMU 7.2 forgets the core's CR0 at the
// next exit, and the box with it.
void write_efer(Vmcb& block, uint64_t value)
{
    const bool paging = (block.cr0 & cr0_pg) != 0;
    const uint64_t active = block.efer & efer_lma;          // does not change but by CR0.PG
    const bool enabled = (value & efer_lme) != 0;
    const bool can_be_seen = active != 0 || (!paging && (block.cr4 & cr4_pae) != 0);
    block.own.long_mode_enabled = enabled;
    block.efer = (value & ~(efer_lma | efer_lme)) | efer_svme | active | (enabled && can_be_seen ? efer_lme : 0);
}

}  // namespace bulkhead::svm
