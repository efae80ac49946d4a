// SPDX-License-Identifier: BSD-2-Clause
// AMD-V. Source: AMD APM vol 2, "Secure Virtual Machine".
#include "core/boot_allocator.hpp"
#include "core/panic.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/plain_instruction.hpp"
#include "hvm/cpu/svm_control.hpp"
#include "hvm/cpu/svm_events.hpp"
#include "hvm/cpu/svm_exit.hpp"
#include "machine/memory.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/cpuid.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/msr.hpp"

#include <algorithm>
#include <new>

extern "C" void svm_enter(bulkhead::GuestFrame* frame, uint64_t vmcb, uint64_t host_vmcb);

namespace bulkhead {

namespace {

using namespace svm;

constexpr uint64_t flags_interrupts = 0x200;
constexpr uint64_t pat_after_reset = 0x0007'0406'0007'0406;
constexpr uint32_t svm_leaf = 0x8000000A;

// A bit pair an MSR: read, write. Source: APM vol 2, "MSR Permission Map".
constexpr size_t msr_map_bytes = 2 * page_size;
constexpr size_t port_map_bytes = 3 * page_size;
constexpr uint32_t high_msrs = 0xC0000000;
constexpr size_t high_msrs_at = 0x800;

struct Shared {
    HostPhysical port_map;
    HostPhysical msr_map;
    uint64_t host_areas;            // state-save area and host VMCB, two pages a CPU, physical
    bool next_rip, flush_by_asid, decode_assists;
    uint32_t asids;                 // 1 to asids - 1 are guests'
    uint32_t vcpus;                 // made so far
};
constinit Shared shared{};

Vmcb& vmcb(const Vcpu& vcpu) { return *static_cast<Vmcb*>(vcpu.hardware->control); }

uint64_t save_area(CpuNumber cpu) { return shared.host_areas + cpu.raw() * 2 * page_size; }
uint64_t host_vmcb(CpuNumber cpu) { return save_area(cpu) + page_size; }

void pass_msr(uint8_t* map, Msr msr)
{
    const auto number = static_cast<uint32_t>(msr);
    const size_t at = number >= high_msrs ? high_msrs_at + (number - high_msrs) / 4 : number / 4;
    map[at] = static_cast<uint8_t>(map[at] & ~(3u << (number % 4 * 2)));
}

// What the guest may read and write by itself: state that is switched with it.
HostPhysical make_msr_map()
{
    auto* map = static_cast<uint8_t*>(boot_allocate(msr_map_bytes, page_size));
    for (size_t i = 0; i < msr_map_bytes; ++i)
        map[i] = 0xFF;
    for (const Msr msr : {Msr::IA32_SYSENTER_CS, Msr::IA32_SYSENTER_ESP, Msr::IA32_SYSENTER_EIP, Msr::IA32_STAR,
                          Msr::IA32_LSTAR, Msr::IA32_CSTAR, Msr::IA32_FMASK, Msr::IA32_FS_BASE, Msr::IA32_GS_BASE,
                          Msr::IA32_KERNEL_GS_BASE})
        pass_msr(map, msr);
    return machine::physical_of(map);
}

HostPhysical make_port_map()
{
    auto* map = static_cast<uint8_t*>(boot_allocate(port_map_bytes, page_size));
    for (size_t i = 0; i < port_map_bytes; ++i)
        map[i] = 0xFF;
    return machine::physical_of(map);
}

void make_shared()
{
    if (shared.host_areas != 0)
        return;
    const CpuidResult leaf = cpuid(svm_leaf, 0);
    shared.next_rip = (leaf.edx >> 3 & 1) != 0;
    shared.flush_by_asid = (leaf.edx >> 6 & 1) != 0;
    shared.decode_assists = (leaf.edx >> 7 & 1) != 0;
    shared.asids = leaf.ebx;
    shared.msr_map = make_msr_map();
    shared.port_map = make_port_map();
    shared.host_areas = machine::physical_of(boot_allocate(cpu_count() * 2 * page_size, page_size)).raw();
}

void enable_cpu()
{
    constexpr auto vm_hsave_pa = static_cast<Msr>(0xC0010117);
    const CpuNumber cpu = this_cpu().number;
    write_msr(Msr::IA32_EFER, read_msr(Msr::IA32_EFER) | efer_svme);
    write_msr(vm_hsave_pa, save_area(cpu));
    // What VMLOAD brings back after each exit; FS, GS and their kin are loaded with each guest.
    asm volatile("vmsave %0" : : "a"(host_vmcb(cpu)) : "memory");
}

void make(Vcpu& vcpu)
{
    make_shared();
    HardwareVcpu& hardware = *vcpu.hardware;
    auto* block = new (boot_allocate(sizeof(Vmcb), page_size)) Vmcb{};
    hardware.control = block;
    hardware.control_address = machine::physical_of(block);
    block->intercept_exceptions = 1u << vector::debug | 1u << vector::alignment_check | 1u << vector::machine_check;
    block->intercepts_1 = intercept_interrupt | intercept_nmi | intercept_init | intercept_rdpmc | intercept_cpuid |
                          intercept_rsm | intercept_invd | intercept_halt | intercept_invlpga | intercept_port |
                          intercept_msr | intercept_shutdown;
    block->intercepts_2 = intercept_vmrun | intercept_vmmcall | intercept_vmload | intercept_vmsave | intercept_stgi |
                          intercept_clgi | intercept_skinit | intercept_wbinvd | intercept_monitor | intercept_mwait |
                          intercept_xsetbv;
    block->port_map = shared.port_map.raw();
    block->msr_map = shared.msr_map.raw();
    block->asid = 1 + shared.vcpus++ % (std::max(shared.asids, 2u) - 1);
    block->nested_control = 1;
    block->nested_root = address_of(vcpu.partition->hardware->nested_root).raw();
}

constexpr uint16_t code_16 = 0x9B, data_16 = 0x93, code_32 = 0xC9B, data_32 = 0xC93, busy_tss = 0x8B, ldt_present = 0x82;

void reset(Vcpu& vcpu)
{
    Vmcb& block = vmcb(vcpu);
    block.es = block.ss = block.ds = block.fs = block.gs = {0, data_16, 0xFFFF, 0};
    block.cs = {0xF000, code_16, 0xFFFF, 0xFFFF0000};
    block.gdtr = block.idtr = {0, 0, 0xFFFF, 0};
    block.ldtr = {0, ldt_present, 0xFFFF, 0};
    block.tr = {0, busy_tss, 0xFFFF, 0};
    block.cpl = 0;
    block.efer = efer_svme;
    block.cr4 = block.cr3 = block.cr2 = 0;
    block.cr0 = 0x60000010;
    block.dr7 = 0x400;
    block.dr6 = 0xFFFF0FF0;
    block.star = block.lstar = block.cstar = block.sfmask = block.kernel_gs_base = 0;
    block.sysenter_cs = block.sysenter_esp = block.sysenter_eip = 0;
    block.pat = pat_after_reset;
    block.virtual_interrupt = virtual_masking;
    block.interrupt_shadow = 0;
    block.injection = 0;
    block.intercepts_1 &= ~uint32_t{intercept_window};
    reset_events(block);
    vcpu.hardware->flush.store(true, std::memory_order_relaxed);
}

// Source: xen/include/public/arch-x86/hvm/start_info.h, "Start of day structure passed to PVH guests".
void set_flat_entry(Vcpu& vcpu)
{
    Vmcb& block = vmcb(vcpu);
    block.cs = {0x08, code_32, 0xFFFFFFFF, 0};
    block.ds = block.es = block.ss = {0x10, data_32, 0xFFFFFFFF, 0};
    block.fs = block.gs = {0, 0, 0, 0};
    block.tr = {0x18, busy_tss, 0x67, 0};
    block.cr0 = 0x11;
}

void set_real_mode_entry(Vcpu& vcpu, uint8_t vector)
{
    Vmcb& block = vmcb(vcpu);
    block.cs = {static_cast<uint16_t>(vector << 8), code_16, 0xFFFF, uint64_t{vector} << 12};
}

// Where there are more vCPUs than ASIDs, another one may have filled the TLB under this one's.
void load(Vcpu& vcpu)
{
    if (shared.vcpus >= shared.asids)
        vcpu.hardware->flush.store(true, std::memory_order_relaxed);
}
void save(Vcpu&) {}

// --- Entry ----------------------------------------------------------------------------------------

uint64_t encode(const Injection& next)
{
    uint64_t type = event_exception;
    switch (next.type) {
    case Injection::Type::none:
        return 0;
    case Injection::Type::interrupt:
        type = event_interrupt;
        break;
    case Injection::Type::nmi:
        type = event_nmi;
        break;
    case Injection::Type::exception:
        break;
    }
    return event_valid | type << event_type_shift | next.vector | (next.has_error_code ? event_error_valid : 0) |
           uint64_t{next.error_code} << 32;
}

bool in_64_bit_code(const Vcpu& vcpu)
{
    constexpr uint16_t long_mode_code = 0x200;
    const Vmcb& block = vmcb(vcpu);
    return (block.efer & efer_lma) != 0 && (block.cs.attributes & long_mode_code) != 0;
}

// Where the CPU saves the next RIP, or what is remembered of the code; 0: to be found.
[[gnu::always_inline]] inline uint8_t length_of_instruction(const Vcpu& vcpu, const Vmcb& block, ExitReason reason)
{
    if (shared.next_rip && block.next_rip != 0)
        return static_cast<uint8_t>(block.next_rip - block.rip);
    return in_64_bit_code(vcpu) ? plain_instruction_length(vcpu, block.rip, reason) : 0;
}

// The most frequent exits are instructions.
[[gnu::always_inline]] inline Exit decode(Vcpu& vcpu, GuestFrame& frame, Vmcb& block)
{
    ExitReason reason;
    if (block.exit_code == exit_vmmcall)
        reason = ExitReason::hypercall;
    else if (block.exit_code == exit_msr)
        reason = block.exit_info_1 != 0 ? ExitReason::msr_write : ExitReason::msr_read;
    else if (block.exit_code == exit_cpuid)
        reason = ExitReason::cpuid;
    else if (block.exit_code == exit_halt)
        reason = ExitReason::halt;
    else
        return decode_rare(vcpu, frame, block);
    Exit exit{};
    exit.reason = reason;
    exit.detail = block.exit_code;
    exit.length = length_of_instruction(vcpu, block, reason);
    return exit;
}

// A virtual interrupt that the guest takes at its first instruction, or one without a vector that makes
// it leave as soon as it could take one.
void set_virtual_interrupt(Vmcb& block, bool leave, bool take, uint8_t vector)
{
    constexpr unsigned vector_shift = 32;
    block.virtual_interrupt = virtual_masking;
    block.intercepts_1 &= ~uint32_t{intercept_window};
    if (leave || take)
        block.virtual_interrupt |= virtual_request | virtual_highest_priority | virtual_ignore_tpr;
    if (take)
        block.virtual_interrupt |= uint64_t{vector} << vector_shift;
    else if (leave)
        block.intercepts_1 |= intercept_window;
}

// What goes in at this entry. True: an interrupt, as a virtual one.
[[gnu::noinline]] bool put_in(HardwareVcpu& hardware, Vmcb& block)
{
    // By event injection QEMU 7.2 delivers an interrupt twice when one of the box comes at that moment, so a
    // guest that can take it gets it as a virtual one there, unless that is needed for the window. It is the CPU
    // without NRIP save. Bochs 2.7 does not deliver virtual ones to a guest that is entered with IF on.
    const Injection next = hardware.next;
    const bool as_virtual = !shared.next_rip && next.type == Injection::Type::interrupt && !hardware.window_wanted;
    hardware.interrupt_taken = true;
    hardware.next.type = Injection::Type::none;
    block.injection = as_virtual ? 0 : encode(next);
    set_virtual_interrupt(block, hardware.window_wanted, as_virtual, next.vector);
    before_entry(block, next, hardware.apic);
    return as_virtual;
}

// An interrupt waits for the end of a shadow that only a HLT brings.
[[gnu::noinline]] bool halt_comes_first(const Vcpu& vcpu, const Vmcb& block)
{
    return vcpu.hardware->window_wanted && vcpu.hardware->next.type == Injection::Type::none &&
           (block.rflags & flags_interrupts) != 0 && halts_in_shadow(vcpu, block);
}

Exit halt_without_entry(Vmcb& block)
{
    block.exit_code = exit_halt;
    Exit exit{};
    exit.reason = ExitReason::halt;
    exit.detail = exit_halt;
    exit.length = 1;
    return exit;
}

Exit enter(Vcpu& vcpu, GuestFrame& frame)
{
    HardwareVcpu& hardware = *vcpu.hardware;
    Vmcb& block = vmcb(vcpu);
    block.rax = frame.rax;
    block.rip = frame.rip;
    block.rsp = frame.rsp;
    block.rflags = frame.rflags;
    block.injection = 0;
    const bool shadow_is_lost = (block.interrupt_shadow & 1) != 0 && !shared.next_rip;
    if (shadow_is_lost && halt_comes_first(vcpu, block)) [[unlikely]]
        return halt_without_entry(block);
    bool as_virtual = false;
    if (hardware.next.type != Injection::Type::none || hardware.window_wanted ||
        block.virtual_interrupt != virtual_masking || hardware.apic.task_priority != 0)
        as_virtual = put_in(hardware, block);
    block.tlb_control = 0;
    // Acquire pairs with the release of who changed the nested tables.
    if (hardware.flush.load(std::memory_order_relaxed) && hardware.flush.exchange(false, std::memory_order_acquire))
        block.tlb_control = shared.flush_by_asid ? 3 : 1;
    svm_enter(&frame, hardware.control_address.raw(), host_vmcb(this_cpu().number));
    if (shadow_is_lost) [[unlikely]]
        keep_shadow(vcpu, block, frame.rip);
    frame.rax = block.rax;
    frame.rip = block.rip;
    frame.rsp = block.rsp;
    frame.cs = block.cs.selector;
    frame.ss = block.ss.selector;
    if ((block.exit_interrupt & event_valid) != 0) [[unlikely]]
        keep_interrupted(block, hardware.next);
    if (block.virtual_interrupt != virtual_masking) [[unlikely]] {
        if (as_virtual)
            hardware.interrupt_taken = (block.virtual_interrupt & virtual_request) == 0;
        after_exit(block, hardware.apic);
    }
    frame.rflags = block.rflags;
    return decode(vcpu, frame, block);
}

bool can_take_interrupt(const Vcpu& vcpu, const GuestFrame& frame)
{
    return (frame.rflags & flags_interrupts) != 0 && (vmcb(vcpu).interrupt_shadow & 1) == 0;
}

bool can_take_nmi(Vcpu& vcpu) { return svm::can_take_nmi(vmcb(vcpu)); }
bool delivers_apic() { return false; }
bool works_on_apic_page() { return false; }

uint64_t read_cr4(const Vcpu& vcpu) { return svm::read_cr4(vmcb(vcpu)); }

GuestPaging paging(const Vcpu& vcpu)
{
    const Vmcb& block = vmcb(vcpu);
    return {block.cr0, block.cr3, block.cr4, block.efer, block.rflags, block.cpl};
}

bool in_32_bit_code(const Vcpu& vcpu)
{
    constexpr uint16_t default_32 = 0x400;
    return (vmcb(vcpu).cs.attributes & default_32) != 0;
}

// Source: APM vol 2, "Nested and intercepted #PF": only for those, and the CPU may have none.
unsigned fetched_code(const Vcpu& vcpu, std::array<uint8_t, longest_instruction>& to)
{
    const Vmcb& block = vmcb(vcpu);
    if (!shared.decode_assists || block.exit_code != exit_nested_fault)
        return 0;
    to = block.fetched_code;
    return std::min(block.fetched_bytes & 0xFu, longest_instruction);
}

uint64_t code_base(const Vcpu& vcpu) { return in_64_bit_code(vcpu) ? 0 : vmcb(vcpu).cs.base; }

unsigned instruction_bytes(const Vcpu& vcpu, const GuestFrame& frame)
{
    const Vmcb& block = vmcb(vcpu);
    if (block.exit_code == exit_port)
        return static_cast<unsigned>(block.exit_info_2 - frame.rip);
    return shared.next_rip && block.next_rip != 0 ? static_cast<unsigned>(block.next_rip - frame.rip) : 0;
}

void end_shadow(Vcpu& vcpu) { vmcb(vcpu).interrupt_shadow = 0; }

HypercallOrigin hypercall_origin(Vcpu& vcpu)
{
    end_shadow(vcpu);
    if (vmcb(vcpu).cpl != 0)
        return HypercallOrigin::user;
    return in_64_bit_code(vcpu) ? HypercallOrigin::kernel_64 : HypercallOrigin::other_mode;
}

void single_stepped(Vcpu& vcpu)
{
    constexpr uint64_t single_step = 0x4000;
    vmcb(vcpu).dr6 |= single_step;
}

uint64_t read_efer(const Vcpu& vcpu) { return svm::read_efer(vmcb(vcpu)); }
void write_efer(Vcpu& vcpu, uint64_t value) { svm::write_efer(vmcb(vcpu), value); }

bool read_switched_msr(const Vcpu& vcpu, uint32_t msr, uint64_t& value)
{
    if (msr != static_cast<uint32_t>(Msr::IA32_PAT))
        return false;
    value = vmcb(vcpu).pat;
    return true;
}

bool write_switched_msr(Vcpu& vcpu, uint32_t msr, uint64_t value)
{
    if (msr != static_cast<uint32_t>(Msr::IA32_PAT))
        return false;
    vmcb(vcpu).pat = value;
    return true;
}

const char* why_not() { return nullptr; }
unsigned largest_page_level() { return features().pages_1g ? 2 : 1; }

constexpr uint64_t present_writable_user = 7;
constexpr uint64_t accessed_dirty = 0x60;

}  // namespace

constinit const VendorOperations svm_operations{
    .name = "AMD-V",
    .hypercall_opcode = 0xD9,
    .table_bits = present_writable_user | 0x20,
    .page_bits = present_writable_user | accessed_dirty,
    .large_page_bits = present_writable_user | accessed_dirty | 0x80,
    .largest_page_level = largest_page_level,
    .why_not = why_not,
    .enable_cpu = enable_cpu,
    .make = make,
    .reset = reset,
    .set_flat_entry = set_flat_entry,
    .set_real_mode_entry = set_real_mode_entry,
    .load = load,
    .save = save,
    .enter = enter,
    .can_take_interrupt = can_take_interrupt,
    .can_take_nmi = can_take_nmi,
    .delivers_apic = delivers_apic,
    .works_on_apic_page = works_on_apic_page,
    .paging = paging,
    .read_cr4 = read_cr4,
    .code_base = code_base,
    .instruction_bytes = instruction_bytes,
    .end_shadow = end_shadow,
    .single_stepped = single_stepped,
    .in_64_bit_code = in_64_bit_code,
    .hypercall_origin = hypercall_origin,
    .in_32_bit_code = in_32_bit_code,
    .fetched_code = fetched_code,
    .read_efer = read_efer,
    .write_efer = write_efer,
    .read_switched_msr = read_switched_msr,
    .write_switched_msr = write_switched_msr,
};

}  // namespace bulkhead
