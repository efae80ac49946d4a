// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_iret: the end of every handler of a PV kernel, and its way to user mode.
// Source: xen/include/public/arch-x86/xen-x86_64.h, struct iret_context.
#include "core/hypercall.hpp"
#include "core/partition.hpp"
#include "core/partition_fault.hpp"
#include "core/pv/bounce.hpp"
#include "core/pv/entry_points.hpp"
#include "core/schedule.hpp"
#include "machine/guest_frames.hpp"

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

namespace {

constexpr uint64_t rflags_if = 1u << 9;
// What a guest may set: status, TF, DF, NT, RF, AC, ID. Never IOPL, VM, VIF or VIP.
constexpr uint64_t rflags_settable = 0x254DD5;
constexpr uint64_t rflags_fixed = 0x2;

constexpr uint8_t count_one_more(uint8_t count)
{
    return count == 0xff ? count : static_cast<uint8_t>(count + 1);
}

// Apart, so that the path that all take stays short.
[[gnu::noinline, gnu::cold]] void no_frame(Vcpu& vcpu, const GuestFrame& frame)
{
    crash_partition(vcpu, "its iret hypercall finds no frame at %#lx (vCPU %u)", frame.rsp, vcpu.number.raw());
}

[[gnu::noinline, gnu::cold]] void no_user_tables(Vcpu& vcpu)
{
    crash_partition(vcpu, "its iret hypercall goes to user mode without user page tables (vCPU %u)",
                    vcpu.number.raw());
}

}  // namespace

void guest_iret_hypercall(Vcpu& vcpu, GuestFrame& frame)
{
    machine::IretContext context;
    if (!machine::load_frame(context, frame)) [[unlikely]]
        return no_frame(vcpu, frame);

    const bool to_user = (context.cs & 3) == 3;
    if (to_user && vcpu.pv.user_table.raw() == 0) [[unlikely]]
        return no_user_tables(vcpu);

    if ((vcpu.partition->vm_assist & (uint64_t{1} << VMASST_TYPE_architectural_iopl)) != 0)
        vcpu.pv.iopl = static_cast<uint8_t>((context.rflags >> 12) & 3);

    frame.cs = static_cast<uint16_t>(context.cs | 3);
    frame.rflags = (context.rflags & rflags_settable) | rflags_if | rflags_fixed;
    if ((context.flags & VGCF_in_syscall) != 0) {
        // CS and SS are discarded: SYSRET brings its own, as it does RCX and R11.
        frame.vector = entry_syscall;
        if (frame.cs != FLAT_RING3_CS32)
            frame.cs = FLAT_RING3_CS64;
        frame.ss = FLAT_RING3_SS64;
    } else {
        frame.vector = 0;
        frame.ss = static_cast<uint16_t>(context.ss | 3);
    }
    const bool masked = (context.rflags & rflags_if) == 0;
    vcpu_info_t& info = *vcpu.info;
    info.evtchn_upcall_mask = masked;
    const bool next_event_follows = !masked && info.evtchn_upcall_pending != 0;
    vcpu.pv.upcalls_in_a_row = next_event_follows ? count_one_more(vcpu.pv.upcalls_in_a_row) : uint8_t{0};
    if (vcpu.pv.nmi_masked) [[unlikely]]
        end_nmi(vcpu);
    if (to_user)
        enter_user_mode(vcpu);
}

// In a multicall there is no frame of its own to return to.
long do_iret(Vcpu&, HypercallArguments&) { return negative(XEN_ENOSYS); }

}  // namespace bulkhead
