// SPDX-License-Identifier: BSD-2-Clause
// The contents of a VMCS: what never changes, what a guest begins with, and its control registers.
// Source: Intel SDM vol 3, "Virtual Machine Control Structures".
#include "core/boot_allocator.hpp"
#include "core/cpu.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/vmx_instructions.hpp"
#include "hvm/cpu/vmx_vcpu.hpp"
#include "machine/clock.hpp"
#include "machine/memory.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/msr.hpp"
#include "platform/x86/selectors.hpp"

#include <cstring>

extern "C" const char vmx_exit[];

namespace bulkhead::vmx {

namespace {

constexpr uint64_t pat_after_reset = 0x0007'0406'0007'0406;
constexpr uint64_t dr7_after_reset = 0x400;
constexpr uint64_t cr0_after_reset = 0x6000'0010;

// Not the guest's own: the CPU asks for NE, and CD and NW would be the box's, because entries and exits
// leave them as they are.
constexpr uint64_t cr0_ne = 0x20, cr0_nw = 0x2000'0000, cr0_cd = 0x4000'0000;
constexpr uint64_t cr0_core = cr0_ne | cr0_nw | cr0_cd;

// What a guest may have, if the CPU has it: VME, PVI, TSD, DE, PSE, PAE, PGE, PCE, OSFXSR, OSXMMEXCPT,
// UMIP, FSGSBASE, OSXSAVE, SMEP, SMAP. MCE is the core's, so that a machine check always reaches it.
constexpr uint64_t cr4_guest = 0x35'0FBF;
constexpr uint64_t cr4_mce = 0x40, cr4_vmxe = 0x2000;
constexpr uint64_t cr4_tsd = 4;
constexpr uint64_t cr4_core = ~cr4_guest;

constexpr std::array<Msr, switched_msr_count> switched_msrs{
    Msr::IA32_STAR, Msr::IA32_LSTAR, Msr::IA32_CSTAR, Msr::IA32_FMASK, Msr::IA32_KERNEL_GS_BASE};
// Switched by the CPU at entry and exit.
constexpr std::array<Msr, 5> vmcs_msrs{Msr::IA32_SYSENTER_CS, Msr::IA32_SYSENTER_ESP, Msr::IA32_SYSENTER_EIP,
                                       Msr::IA32_FS_BASE, Msr::IA32_GS_BASE};

constexpr uint32_t code_16 = 0x9B, data_16 = 0x93, code_32 = 0xC09B, data_32 = 0xC093, busy_tss = 0x8B, ldt = 0x82;

SegmentState& segment_of(StartState& start, Segment segment)
{
    return start.segments[static_cast<size_t>(segment)];
}

void pass_msr(uint8_t* map, Msr msr)
{
    constexpr uint32_t high_msrs = 0xC0000000;
    constexpr size_t high_at = 0x400, writes_at = 0x800;
    const auto number = static_cast<uint32_t>(msr);
    const size_t at = number >= high_msrs ? high_at + (number - high_msrs) / 8 : number / 8;
    const auto mask = static_cast<uint8_t>(~(1u << (number % 8)));
    map[at] &= mask;
    map[writes_at + at] &= mask;
}

// From now on: times long ago have no ticks of their own once the clock has been refined.
uint64_t longest_deaf_ticks()
{
    constexpr uint64_t longest_ns = 1'000'000;
    const Nanoseconds time = machine::now();
    return machine::to_ticks(time + longest_ns) - machine::to_ticks(time);
}

void write_host_fields(const Vcpu& vcpu)
{
    const Cpu& cpu = this_cpu();
    const auto descriptors = reinterpret_cast<uint64_t>(machine::frame_pointer(cpu.machine.gdt_frame));
    write(Field::HOST_CR0, x86::read_cr0());
    write(Field::HOST_CR3, address_of(vcpu.hardware->window.root).raw());
    write(Field::HOST_CR4, x86::read_cr4() & ~cr4_tsd);
    write(Field::HOST_CS_SELECTOR, SELECTOR_CORE_CODE);
    write(Field::HOST_SS_SELECTOR, SELECTOR_CORE_DATA);
    for (const Field none : {Field::HOST_DS_SELECTOR, Field::HOST_ES_SELECTOR, Field::HOST_FS_SELECTOR,
                             Field::HOST_GS_SELECTOR, Field::HOST_FS_BASE, Field::HOST_GS_BASE})
        write(none, 0);
    write(Field::HOST_TR_SELECTOR, SELECTOR_TASK);
    write(Field::HOST_TR_BASE, reinterpret_cast<uint64_t>(&cpu.machine.tss));
    write(Field::HOST_GDTR_BASE, descriptors - SELECTOR_FIRST_BYTE);
    write(Field::HOST_IDTR_BASE, x86::read_idt().base);
    write(Field::HOST_SYSENTER_CS, read_msr(Msr::IA32_SYSENTER_CS));
    write(Field::HOST_SYSENTER_ESP, read_msr(Msr::IA32_SYSENTER_ESP));
    write(Field::HOST_SYSENTER_EIP, read_msr(Msr::IA32_SYSENTER_EIP));
    write(Field::HOST_PAT, read_msr(Msr::IA32_PAT));
    write(Field::HOST_EFER, read_msr(Msr::IA32_EFER));
    write(Field::HOST_RIP, reinterpret_cast<uint64_t>(vmx_exit));
}

}  // namespace

SwitchedMsrs read_switched_msrs()
{
    SwitchedMsrs values;
    for (size_t i = 0; i < switched_msr_count; ++i)
        values[i] = read_msr(switched_msrs[i]);
    return values;
}

void write_switched_msrs(const SwitchedMsrs& values)
{
    for (size_t i = 0; i < switched_msr_count; ++i)
        write_msr(switched_msrs[i], values[i]);
}

HostPhysical make_msr_bitmap(bool passes_apic)
{
    auto* map = static_cast<uint8_t*>(boot_allocate(page_size, page_size));
    memset(map, 0xFF, page_size);
    for (const Msr msr : switched_msrs)
        pass_msr(map, msr);
    for (const Msr msr : vmcs_msrs)
        pass_msr(map, msr);
    if (passes_apic) {
        pass_msr(map, static_cast<Msr>(x2apic_task_priority));
        pass_msr(map, static_cast<Msr>(x2apic_end_of_interrupt));
        // Nobody reads it.
        map[x2apic_end_of_interrupt / 8] = 0xFF & ~(1u << x2apic_task_priority % 8);
    }
    return machine::physical_of(map);
}

void write_constant_fields(const Vcpu& vcpu, VmxVcpu& own, const Capabilities& cpu, HostPhysical msr_bitmap)
{
    own.pin_controls = cpu.pin;
    own.primary_controls = cpu.primary;
    write(Field::PIN_CONTROLS, cpu.pin);
    write(Field::PRIMARY_CONTROLS, cpu.primary);
    write(Field::SECONDARY_CONTROLS, secondary_controls(cpu, vcpu.hardware->apic.by_page));
    if (own.works_on_page)
        write(Field::APIC_ACCESS_ADDRESS, address_of(vcpu.partition->hardware->apic_frame).raw());
    write(Field::EXIT_CONTROLS, cpu.exit);
    write(Field::EXCEPTION_BITMAP, 1u << vector::debug | 1u << vector::alignment_check | 1u << vector::machine_check);
    for (const Field none : {Field::PAGE_FAULT_MASK, Field::PAGE_FAULT_MATCH, Field::CR3_TARGET_COUNT,
                             Field::EXIT_MSR_STORE_COUNT, Field::EXIT_MSR_LOAD_COUNT, Field::ENTRY_MSR_LOAD_COUNT,
                             Field::ENTRY_EVENT, Field::GUEST_DEBUGCTL})
        write(none, 0);
    if (cpu.preemption_timer)
        write(Field::PREEMPTION_TIMER, longest_deaf_ticks() >> cpu.timer_shift);
    write(Field::MSR_BITMAP, msr_bitmap.raw());
    write(Field::EPT_POINTER, own.ept_pointer);
    if (cpu.vpid)
        write(Field::VIRTUAL_PROCESSOR_ID, own.vpid);
    if (own.virtual_apic != nullptr) {
        write(Field::VIRTUAL_APIC_PAGE, machine::physical_of(own.virtual_apic).raw());
        for (const Field none : {Field::TPR_THRESHOLD, Field::GUEST_INTERRUPT_STATUS, Field::EOI_EXIT_BITMAP_0,
                                 Field::EOI_EXIT_BITMAP_1, Field::EOI_EXIT_BITMAP_2, Field::EOI_EXIT_BITMAP_3})
            write(none, 0);
    }
    write(Field::VMCS_LINK_POINTER, ~uint64_t{0});
    write(Field::CR0_MASK, cr0_core);
    write(Field::CR4_MASK, cr4_core);
    write_host_fields(vcpu);
}

void reset_start(StartState& start)
{
    for (SegmentState& segment : start.segments)
        segment = {0, 0xFFFF, data_16, 0};
    segment_of(start, Segment::cs) = {0xF000, 0xFFFF, code_16, 0xFFFF0000};
    segment_of(start, Segment::ldtr) = {0, 0xFFFF, ldt, 0};
    segment_of(start, Segment::tr) = {0, 0xFFFF, busy_tss, 0};
    start.cr0 = cr0_after_reset;
}

// Source: xen/include/public/arch-x86/hvm/start_info.h, "Start of day structure passed to PVH guests".
void set_flat_start(StartState& start)
{
    segment_of(start, Segment::cs) = {0x08, 0xFFFFFFFF, code_32, 0};
    for (const Segment data : {Segment::ds, Segment::es, Segment::ss})
        segment_of(start, data) = {0x10, 0xFFFFFFFF, data_32, 0};
    for (const Segment none : {Segment::fs, Segment::gs})
        segment_of(start, none) = {0, 0, rights_unusable, 0};
    segment_of(start, Segment::tr) = {0x18, 0x67, busy_tss, 0};
    start.cr0 = 0x11;
}

void set_real_mode_start(StartState& start, uint8_t vector)
{
    segment_of(start, Segment::cs) = {static_cast<uint16_t>(vector << 8), 0xFFFF, code_16, uint64_t{vector} << 12};
}

void apply_start(VmxVcpu& own, const Capabilities& cpu)
{
    for (uint32_t i = 0; i < segment_count; ++i) {
        const auto segment = static_cast<Segment>(i);
        const SegmentState& state = own.start.segments[i];
        write(of_segment(Field::GUEST_ES_SELECTOR, segment), state.selector);
        write(of_segment(Field::GUEST_ES_LIMIT, segment), state.limit);
        write(of_segment(Field::GUEST_ES_RIGHTS, segment), state.rights);
        write(of_segment(Field::GUEST_ES_BASE, segment), state.base);
    }
    write(Field::GUEST_CR0, (own.start.cr0 & ~cr0_core) | cr0_ne);
    write(Field::CR0_SHADOW, own.start.cr0);
    write(Field::GUEST_CR4, cr4_vmxe | cr4_mce);
    write(Field::CR4_SHADOW, 0);
    for (const Field zero : {Field::GUEST_CR3, Field::GUEST_EFER, Field::GUEST_GDTR_BASE, Field::GUEST_IDTR_BASE,
                             Field::GUEST_SYSENTER_CS, Field::GUEST_SYSENTER_ESP, Field::GUEST_SYSENTER_EIP,
                             Field::GUEST_PENDING_DEBUG, Field::GUEST_ACTIVITY, Field::GUEST_INTERRUPTIBILITY})
        write(zero, 0);
    write(Field::GUEST_GDTR_LIMIT, 0xFFFF);
    write(Field::GUEST_IDTR_LIMIT, 0xFFFF);
    write(Field::GUEST_PAT, pat_after_reset);
    write(Field::GUEST_DR7, dr7_after_reset);
    write(Field::ENTRY_CONTROLS, cpu.entry);
    own.interruptibility = 0;
    own.cr2 = 0;
}

bool allow_cr0(uint64_t value)
{
    if ((value & cr0_nw) != 0 && (value & cr0_cd) == 0)
        return false;
    write(Field::CR0_SHADOW, value & cr0_core);
    return true;
}

bool allow_cr4(uint64_t value)
{
    if ((value & cr4_core & ~cr4_mce) != 0)
        return false;
    write(Field::CR4_SHADOW, value & cr4_mce);
    return true;
}

}  // namespace bulkhead::vmx
