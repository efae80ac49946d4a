// SPDX-License-Identifier: BSD-2-Clause
// A PV guest's control registers are a view: only CR0.TS and a few bits of CR4 are its to change.
// Source: Intel SDM vol 3, "Control Registers"; xen/include/public/arch-x86/xen-x86_64.h.
#include "core/pv/emulate_control.hpp"

#include "core/pv/control_bits.hpp"
#include "core/pv/cpuid_policy.hpp"
#include "core/pv/debug_registers.hpp"
#include "core/pv/emulate_complete.hpp"
#include "core/pv/fpu.hpp"
#include "machine/control.hpp"

#include <optional>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

namespace {

uint64_t guest_cr0(const Vcpu& vcpu) { return cr0::fixed | (vcpu.pv.task_switched ? cr0::ts : 0); }

std::optional<uint64_t> read_control(const Vcpu& vcpu, unsigned number)
{
    switch (number) {
    case 0:
        return guest_cr0(vcpu);
    case 2:
        return vcpu.pv.cr2;
    case 3:
        return xen_pfn_to_cr3(vcpu.pv.kernel_table.raw());
    case 4:
        return vcpu.pv.cr4 | cr4::fixed;
    default:
        return std::nullopt;    // there is no local APIC behind CR8
    }
}

// What the guest may not set is ignored, as on Xen: its kernel tries several bits at start.
void write_cr4(Vcpu& vcpu, uint64_t value)
{
    uint64_t own = cr4::tsd | cr4::de;
    if (policy_xcr0() != 0)
        own |= cr4::osxsave;
    if (policy_offers_fsgsbase())
        own |= cr4::fsgsbase;
    const uint64_t before = vcpu.pv.cr4;
    vcpu.pv.cr4 = value & own;
    if (((before ^ vcpu.pv.cr4) & cr4::tsd) != 0)
        machine::set_time_stamp_disable((vcpu.pv.cr4 & cr4::tsd) != 0);
}

bool write_control(Vcpu& vcpu, unsigned number, uint64_t value)
{
    switch (number) {
    case 0:
        if (((value ^ guest_cr0(vcpu)) & ~cr0::ts) != 0)
            return false;
        set_task_switched(vcpu, (value & cr0::ts) != 0);
        return true;
    case 2:
        vcpu.pv.cr2 = value;
        vcpu.info->arch.cr2 = value;
        return true;
    case 4:
        write_cr4(vcpu, value);
        return true;
    default:
        // CR3: a change of page tables may need several steps, for which there is MMUEXT_NEW_BASEPTR.
        return false;
    }
}

Emulation move_debug(Vcpu& vcpu, GuestFrame& frame, const Instruction& instruction)
{
    vcpu.pv.emulation.count(Trapped::debug_register);
    uint64_t& general = register_of(frame, instruction.reg);
    Errno error{};
    if (instruction.operation == Operation::read_debug) {
        const Result<uint64_t> value = read_debug_register(vcpu, instruction.control);
        if (value.has_value()) {
            general = *value;
            return complete(vcpu, frame, instruction.length);
        }
        error = value.error();
    } else {
        const Result<> written = write_debug_register(vcpu, instruction.control, general);
        if (written.has_value())
            return complete(vcpu, frame, instruction.length);
        error = written.error();
    }
    return error == XEN_EPERM ? Emulation::inject_gp : Emulation::inject_ud;
}

}  // namespace

Emulation emulate_move(Vcpu& vcpu, GuestFrame& frame, const Instruction& instruction)
{
    if (instruction.operation == Operation::read_debug || instruction.operation == Operation::write_debug)
        return move_debug(vcpu, frame, instruction);

    vcpu.pv.emulation.count(Trapped::control_register);
    uint64_t& general = register_of(frame, instruction.reg);
    if (instruction.operation == Operation::read_control) {
        const std::optional<uint64_t> value = read_control(vcpu, instruction.control);
        if (!value.has_value())
            return Emulation::inject_gp;
        general = *value;
    } else if (!write_control(vcpu, instruction.control, general)) {
        return Emulation::inject_gp;
    }
    return complete(vcpu, frame, instruction.length);
}

Emulation emulate_clts(Vcpu& vcpu, GuestFrame& frame, unsigned length)
{
    vcpu.pv.emulation.count(Trapped::control_register);
    set_task_switched(vcpu, false);
    return complete(vcpu, frame, length);
}

Emulation emulate_xsetbv(Vcpu& vcpu, GuestFrame& frame, unsigned length)
{
    vcpu.pv.emulation.count(Trapped::xsetbv);
    if ((vcpu.pv.cr4 & cr4::osxsave) == 0)
        return Emulation::inject_ud;
    const uint64_t value = frame.rdx << 32 | (frame.rax & 0xFFFF'FFFF);
    if (static_cast<uint32_t>(frame.rcx) != 0 || !set_xcr0(vcpu, value).has_value())
        return Emulation::inject_gp;
    return complete(vcpu, frame, length);
}

}  // namespace bulkhead
