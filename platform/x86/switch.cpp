// SPDX-License-Identifier: BSD-2-Clause
// See machine/switch.hpp. Own CPU, interrupts off.
#include "machine/switch.hpp"

#include "core/partition.hpp"
#include "core/pv/control_bits.hpp"
#include "core/pv/emulate.hpp"
#include "machine/clock.hpp"
#include "machine/fpu.hpp"
#include "machine/memory.hpp"
#include "machine/registers.hpp"
#include "machine/this_cpu.hpp"
#include "machine/tlb.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/layout.hpp"

namespace bulkhead::machine {

namespace {

constexpr uint16_t ldt_selector = 0xe050;       // in the core's page of every GDT, above the TSS
constexpr uint16_t gdt_limit = 0xffff;

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

uint64_t window_of(const Vcpu& vcpu)
{
    return layout::descriptor_windows + vcpu.index * layout::descriptor_window_size;
}

void load_debug_registers(const Vcpu& vcpu)
{
    const auto& debug = vcpu.pv.debug;
    write_debug({{debug[0], debug[1], debug[2], debug[3]}, debug[6], debug[7]});
}

}  // namespace

void load_ldt(Vcpu& vcpu)
{
    if (vcpu.pv.ldt_entries == 0) {
        x86::load_ldt(0);
        return;
    }
    auto* page = frame_pointer<char>(this_cpu().machine.gdt_frame);
    auto* slot = reinterpret_cast<SystemDescriptor*>(page + (ldt_selector & 0xfff));
    *slot = ldt_descriptor(window_of(vcpu) + layout::ldt_offset, vcpu.pv.ldt_entries * 8 - 1);
    x86::load_ldt(ldt_selector);
}

void save_guest(Vcpu& vcpu)
{
    const Selectors selectors = read_selectors();
    vcpu.pv.ds = selectors.ds;
    vcpu.pv.es = selectors.es;
    vcpu.pv.fs = selectors.fs;
    vcpu.pv.gs = selectors.gs;
    vcpu.pv.fs_base = read_fs_base();
    vcpu.pv.gs_base = read_gs_base();
    vcpu.pv.gs_base_other = read_kernel_gs_base();
    if (vcpu.pv.task_switched)
        set_task_switched(false);
    save_fpu(vcpu.fpu_area, vcpu.pv.xcr0);
    if (vcpu.pv.debug_active)
        disable_breakpoints();
}

void load_guest(Vcpu& vcpu)
{
    Cpu& cpu = this_cpu();
    vcpu.partition->memory.running_on.fetch_or(uint64_t{1} << cpu.number.raw(), std::memory_order_seq_cst);
    load_table(vcpu.pv.kernel_mode ? vcpu.pv.kernel_table : vcpu.pv.user_table);
    choose_view(vcpu);
    x86::load_gdt({gdt_limit, window_of(vcpu)});
    load_ldt(vcpu);
    // Kernels of 64 bits leave them null for nearly everything that they run.
    const Selectors now = read_selectors();
    if ((now.ds | now.es | now.fs | now.gs | vcpu.pv.ds | vcpu.pv.es | vcpu.pv.fs | vcpu.pv.gs) != 0) [[unlikely]]
        (void)load_selectors({vcpu.pv.ds, vcpu.pv.es, vcpu.pv.fs, vcpu.pv.gs});
    write_fs_base(vcpu.pv.fs_base);
    write_gs_base(vcpu.pv.gs_base);
    write_kernel_gs_base(vcpu.pv.gs_base_other);
    restore_fpu(vcpu.fpu_area, vcpu.pv.xcr0);
    if (vcpu.pv.task_switched)
        set_task_switched(true);
    if (vcpu.pv.emulation.tsc_aux != cpu.machine.tsc_aux
        || ((vcpu.pv.cr4 & cr4::tsd) != 0) != cpu.machine.time_stamp_disabled) [[unlikely]]
        load_emulated_registers(vcpu);
    if (vcpu.pv.debug_active)
        load_debug_registers(vcpu);
}

void load_idle()
{
    Cpu& cpu = this_cpu();
    x86::load_ldt(0);
    (void)load_selectors({});
    x86::write_cr3(cpu.machine.idle_cr3);
}

void halt_until_work()
{
    Cpu& cpu = this_cpu();
    const uint64_t before = read_tsc().raw();
    if (cpu.work.load(std::memory_order_acquire) == 0)
        asm volatile("sti; hlt; cli" : : : "memory");
    cpu.idle_ticks += read_tsc().raw() - before;
}

// STI lets one more instruction pass before the first interrupt.
void take_interrupts()
{
    asm volatile("sti; nop; cli" : : : "memory");
}

}  // namespace bulkhead::machine
