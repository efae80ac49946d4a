// SPDX-License-Identifier: BSD-2-Clause
// How a PV vCPU's state leaves a CPU and comes into it. Included by platform/x86/switch.cpp and the tests of it
// only. Own CPU, interrupts off.
#pragma once

#include "core/partition.hpp"
#include "core/pv/control_bits.hpp"
#include "core/pv/emulate.hpp"
#include "machine/control.hpp"
#include "machine/fpu.hpp"
#include "machine/guest_view.hpp"
#include "machine/memory.hpp"
#include "machine/registers.hpp"
#include "machine/this_cpu.hpp"
#include "machine/tlb.hpp"
#include "platform/x86/layout.hpp"

namespace bulkhead::machine {

inline constexpr uint16_t ldt_selector = 0xe050;       // in the core's page of every GDT, above the TSS

// Source: Intel SDM vol 3, "LDT Descriptor" (64-bit form as of the TSS descriptor).
struct SystemDescriptor {
    uint64_t low;
    uint64_t high;
};

constexpr SystemDescriptor ldt_descriptor(uint64_t base, uint32_t limit)
{
    constexpr uint64_t present_ldt = 0x82;
    return {
        .low = (limit & 0xffff) | ((base & 0xffffff) << 16) | (present_ldt << 40)
            | (uint64_t{(limit >> 16) & 0xf} << 48) | (((base >> 24) & 0xff) << 56),
        .high = base >> 32,
    };
}

inline uint64_t window_of(const Vcpu& vcpu)
{
    return layout::descriptor_windows + vcpu.index * layout::descriptor_window_size;
}

inline void load_ldt_of(Vcpu& vcpu)
{
    if (vcpu.pv.ldt_entries == 0) {
        load_ldt_register(0);
        return;
    }
    auto* page = frame_pointer<char>(this_cpu().machine.gdt_frame);
    auto* slot = reinterpret_cast<SystemDescriptor*>(page + (ldt_selector & 0xfff));
    *slot = ldt_descriptor(window_of(vcpu) + layout::ldt_offset, vcpu.pv.ldt_entries * 8 - 1);
    load_ldt_register(ldt_selector);
}

inline void load_debug_registers(const Vcpu& vcpu)
{
    const auto& debug = vcpu.pv.debug;
    write_debug({{debug[0], debug[1], debug[2], debug[3]}, debug[6], debug[7]});
}

// Few have any of it: looked at together. CR0.TS must be off before the FPU's state is saved.
[[gnu::cold, gnu::noinline]] inline void leave_rare_state(const Vcpu& vcpu)
{
    if (vcpu.pv.task_switched)
        set_task_switched(false);
    if (vcpu.pv.debug_active)
        disable_breakpoints();
}

[[gnu::cold, gnu::noinline]] inline void load_rare_state(const Vcpu& vcpu)
{
    if (vcpu.pv.task_switched)
        set_task_switched(true);
    if (vcpu.pv.debug_active)
        load_debug_registers(vcpu);
}

inline bool has_rare_state(const Vcpu& vcpu) { return vcpu.pv.task_switched | vcpu.pv.debug_active; }

[[gnu::always_inline]] inline void save_vcpu(Vcpu& vcpu)
{
    read_selectors(vcpu.pv.selectors);
    const Bases bases = read_bases();
    vcpu.pv.fs_base = bases.fs;
    vcpu.pv.gs_base = bases.gs;
    vcpu.pv.gs_base_other = read_kernel_gs_base();
    if (has_rare_state(vcpu)) [[unlikely]]
        leave_rare_state(vcpu);
    save_fpu(vcpu.fpu_area, vcpu.pv.xcr0);
}

// `held`: the PV vCPU whose state the registers still hold, because it has just been saved; null: who
// knows. What both have the same of is not loaded again:
//   - the selectors, when all of both are null (a selector that is not null must be loaded: the same
//     number names another descriptor now);
//   - LDTR, when neither has an LDT: it was loaded with null for the one before;
//   - the base that SWAPGS would bring, which is 0 for the programs of most kernels.
[[gnu::always_inline]] inline void load_vcpu(Vcpu& vcpu, const PvVcpuState* held)
{
    const Cpu& cpu = this_cpu();
    const PvVcpuState& pv = vcpu.pv;
    load_table(pv.kernel_mode ? pv.kernel_table : pv.user_table);
    load_view(vcpu);
    load_gdt(vcpu.gdt);
    if (held == nullptr || (held->ldt_entries | pv.ldt_entries) != 0) [[unlikely]]
        load_ldt_of(vcpu);
    if (held == nullptr || !all_null(held->selectors, pv.selectors)) [[unlikely]]
        (void)load_selectors(pv.selectors);
    write_bases({pv.fs_base, pv.gs_base});
    if (held == nullptr || held->gs_base_other != pv.gs_base_other)
        write_kernel_gs_base(pv.gs_base_other);
    restore_fpu(vcpu.fpu_area, pv.xcr0);
    if (pv.emulation.tsc_aux != cpu.machine.tsc_aux || ((pv.cr4 ^ cpu.machine.cr4_of_guest) & cr4::tsd) != 0) [[unlikely]]
        load_emulated_registers(vcpu);
    if (has_rare_state(vcpu)) [[unlikely]]
        load_rare_state(vcpu);
}

}  // namespace bulkhead::machine
