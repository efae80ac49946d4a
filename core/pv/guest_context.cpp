// SPDX-License-Identifier: BSD-2-Clause
// Takes a vCPU's first state from the guest, each part read once and checked before it is used. The
// vCPU stays as good as new until the end: what was written to it by an attempt that failed is
// written again by the next. Source: xen/include/public/arch-x86/xen.h, struct vcpu_guest_context.
#include "core/pv/guest_context.hpp"

#include "core/partition.hpp"
#include "core/pv/descriptors.hpp"
#include "core/pv/page_table.hpp"
#include "core/pv/traps.hpp"
#include "core/schedule.hpp"
#include "machine/fpu.hpp"
#include "machine/memory.hpp"
#include "platform/x86/layout.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

namespace {

struct Head {
    uint64_t flags;
    cpu_user_regs_t registers;
};
struct Tail {
    uint64_t ldt_base, ldt_entries;
    std::array<uint64_t, 16> gdt_frames;
    uint64_t gdt_entries;
    uint64_t kernel_ss, kernel_sp;
    std::array<uint64_t, 8> control;       // [1]: the user's tables
    std::array<uint64_t, 8> debug;
    uint64_t event, failsafe, syscall;
    uint64_t vm_assist;
    uint64_t fs_base, gs_base_kernel, gs_base_user;
};
constexpr size_t head_offset = offsetof(vcpu_guest_context, flags);
constexpr size_t traps_offset = offsetof(vcpu_guest_context, trap_ctxt);
constexpr size_t tail_offset = offsetof(vcpu_guest_context, ldt_base);
static_assert(head_offset + sizeof(Head) == traps_offset);
static_assert(tail_offset + offsetof(Tail, gs_base_user) == offsetof(vcpu_guest_context, gs_base_user));
static_assert(tail_offset + offsetof(Tail, control) == offsetof(vcpu_guest_context, ctrlreg));
static_assert(tail_offset + offsetof(Tail, event) == offsetof(vcpu_guest_context, event_callback_eip));
static_assert(tail_offset + sizeof(Tail) == sizeof(vcpu_guest_context));

constexpr uint64_t rflags_if = 1u << 9;
constexpr uint64_t rflags_fixed = 0x2;
constexpr uint64_t rflags_settable = 0x254DD5;   // status, TF, DF, NT, RF, AC, ID
constexpr uint64_t cr0_ts = 1u << 3;
constexpr uint64_t dr6_after_reset = 0xFFFF0FF0;
constexpr uint64_t dr7_after_reset = 0x400;
constexpr uint64_t dr7_enables = 0xFF;
constexpr uint64_t ldt_entries_at_most = 8192;

bool is_legal(const Head& head, const Tail& tail)
{
    const uint64_t addresses[] = {head.registers.rip, head.registers.rsp, tail.kernel_sp, tail.event,
                                  tail.failsafe,      tail.syscall,       tail.fs_base,   tail.gs_base_kernel,
                                  tail.gs_base_user};
    if (!std::all_of(std::begin(addresses), std::end(addresses), layout::is_canonical))
        return false;
    if (tail.ldt_entries != 0 &&
        (tail.ldt_entries > ldt_entries_at_most || (tail.ldt_base & page_mask) != 0 ||
         !layout::guest_range_ok(tail.ldt_base, tail.ldt_entries * 8)))
        return false;
    // A breakpoint before the first instruction is of no use; the vCPU sets its own.
    if (tail.gdt_entries > guest_gdt_entries || (tail.debug[7] & dr7_enables) != 0)
        return false;
    return (head.flags & VGCF_in_kernel) != 0 || tail.control[1] != 0;
}

// 256 entries in portions that fit the stack; an entry's place is its vector.
Result<> take_traps(Vcpu& target, GuestVirtual traps)
{
    constexpr unsigned portion = 32;
    std::array<trap_info_t, portion> entries;
    for (unsigned first = 0; first < target.pv.traps.size(); first += portion) {
        if (!machine::read_guest(entries, traps + first * sizeof(trap_info_t)))
            return fail(XEN_EFAULT);
        for (unsigned i = 0; i < portion; ++i) {
            entries[i].vector = static_cast<uint8_t>(first + i);
            TRY_VOID(set_trap(target, entries[i]));
        }
    }
    return {};
}

// FXSAVE's image, which is the start of XSAVE's. Bits that the CPU might not take are cleared.
// Source: Intel SDM vol 1, "FXSAVE Area", "XSAVE Header".
Result<> take_fpu(Vcpu& target, const Head& head, GuestVirtual image)
{
    machine::init_fpu_area(target.fpu_area);
    if ((head.flags & VGCF_i387_valid) == 0)
        return {};
    constexpr size_t image_bytes = 512;
    constexpr size_t mxcsr_offset = 24;
    constexpr uint32_t mxcsr_of_every_cpu = 0xFFBF;
    auto* area = static_cast<unsigned char*>(target.fpu_area);
    if (!machine::copy_from_guest(area, image, image_bytes)) {
        machine::init_fpu_area(area);
        return fail(XEN_EFAULT);
    }
    uint32_t mxcsr;
    memcpy(&mxcsr, area + mxcsr_offset, sizeof(mxcsr));
    mxcsr &= mxcsr_of_every_cpu;
    memcpy(area + mxcsr_offset, &mxcsr, sizeof(mxcsr));
    if (machine::fpu_components() != 0) {
        constexpr uint64_t x87_and_sse = 3;
        memcpy(area + image_bytes, &x87_and_sse, sizeof(x87_and_sse));
    }
    return {};
}

// A reference once taken is kept over the calls that a long validation needs.
Result<> take_table(Vcpu& caller, Mfn& slot, Mfn wanted)
{
    if (slot == wanted)
        return {};
    if (slot.raw() != 0)
        TRY_VOID(drop_top_level(caller, slot));
    slot = Mfn(0);
    if (wanted.raw() != 0)
        TRY_VOID(reference_top_level(caller, wanted));
    slot = wanted;
    return {};
}

Result<> take_tables(Vcpu& caller, Vcpu& target, const Tail& tail)
{
    const Mfn kernel(xen_cr3_to_pfn(tail.control[3]));
    Result<> result = fail(XEN_EINVAL);
    if (kernel.raw() != 0)
        result = take_table(caller, target.pv.kernel_table, kernel);
    if (result.has_value())
        result = take_table(caller, target.pv.user_table, Mfn(xen_cr3_to_pfn(tail.control[1])));
    if (!result.has_value() && result.error() != XEN_ERESTART) {
        TRY_VOID(take_table(caller, target.pv.kernel_table, Mfn(0)));
        TRY_VOID(take_table(caller, target.pv.user_table, Mfn(0)));
    }
    return result;
}

void set_registers(Vcpu& target, const cpu_user_regs_t& from)
{
    GuestFrame& to = target.registers;
    to = {};
    to.r15 = from.r15;
    to.r14 = from.r14;
    to.r13 = from.r13;
    to.r12 = from.r12;
    to.rbp = from.rbp;
    to.rbx = from.rbx;
    to.r11 = from.r11;
    to.r10 = from.r10;
    to.r9 = from.r9;
    to.r8 = from.r8;
    to.rax = from.rax;
    to.rcx = from.rcx;
    to.rdx = from.rdx;
    to.rsi = from.rsi;
    to.rdi = from.rdi;
    to.rip = from.rip;
    to.cs = static_cast<uint16_t>(from.cs | 3);
    to.rflags = (from.rflags & rflags_settable) | rflags_if | rflags_fixed;
    to.rsp = from.rsp;
    to.ss = static_cast<uint16_t>(from.ss | 3);
}

void set_state(const Vcpu& caller, Vcpu& target, const Head& head, const Tail& tail)
{
    const cpu_user_regs_t& registers = head.registers;
    PvVcpuState& pv = target.pv;
    set_registers(target, registers);
    pv.kernel_mode = (head.flags & VGCF_in_kernel) != 0;
    pv.iopl = static_cast<uint8_t>((registers.rflags >> 12) & 3);
    pv.task_switched = (tail.control[0] & cr0_ts) != 0;
    pv.cr0 = caller.pv.cr0;
    pv.cr4 = caller.pv.cr4;
    pv.selectors = {registers.ds, registers.es, registers.fs, registers.gs};
    pv.fs_base = tail.fs_base;
    pv.gs_base = pv.kernel_mode ? tail.gs_base_kernel : tail.gs_base_user;
    pv.gs_base_other = pv.kernel_mode ? tail.gs_base_user : tail.gs_base_kernel;
    pv.kernel_ss = static_cast<uint16_t>(tail.kernel_ss | 3);
    pv.kernel_sp = tail.kernel_sp;
    pv.ldt_base = tail.ldt_entries != 0 ? tail.ldt_base : 0;
    pv.ldt_entries = static_cast<uint32_t>(tail.ldt_entries);
    pv.event = {tail.event, true};
    pv.failsafe = {tail.failsafe, (head.flags & VGCF_failsafe_disables_events) != 0};
    pv.syscall = {tail.syscall, (head.flags & VGCF_syscall_disables_events) != 0};
    pv.debug = {};
    pv.debug[6] = dr6_after_reset;
    pv.debug[7] = dr7_after_reset;
    pv.debug_active = false;
}

Result<> take_context(Vcpu& caller, Vcpu& target, GuestVirtual context)
{
    if (target.initialised)
        return fail(XEN_EEXIST);
    Head head;
    Tail tail;
    if (!machine::read_guest(head, context + head_offset) || !machine::read_guest(tail, context + tail_offset))
        return fail(XEN_EFAULT);
    if (!is_legal(head, tail))
        return fail(XEN_EINVAL);
    TRY_VOID(take_traps(target, context + traps_offset));
    TRY_VOID(take_fpu(target, head, context + offsetof(vcpu_guest_context, fpu_ctxt)));
    TRY_VOID(take_tables(caller, target, tail));
    const auto entries = static_cast<uint32_t>(tail.gdt_entries);
    const size_t frames = (entries + descriptors_per_frame - 1) / descriptors_per_frame;
    TRY_VOID(set_gdt(target, std::span(tail.gdt_frames).first(frames), entries));
    set_state(caller, target, head, tail);
    // Release pairs with VCPUOP_up on another CPU.
    __atomic_store_n(&target.initialised, true, __ATOMIC_RELEASE);
    if ((head.flags & VGCF_online) != 0)
        release(target, hold_down);
    return {};
}

}  // namespace

Result<> initialise_vcpu(Vcpu& caller, Vcpu& target, GuestVirtual context)
{
    // Another vCPU is at it: that takes longer than a CPU may wait.
    Spinlock& lock = target.partition->lifecycle.vcpu_lock;
    if (!lock.try_lock())
        return fail(XEN_ERESTART);
    const Result<> result = take_context(caller, target, context);
    lock.unlock();
    return result;
}

}  // namespace bulkhead
