// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/cpu_setup.hpp"

#include "machine/control.hpp"
#include "machine/core_space.hpp"
#include "machine/memory.hpp"
#include "machine/registers.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/interrupt_table.hpp"
#include "platform/x86/mitigations.hpp"
#include "platform/x86/msr.hpp"
#include "platform/x86/offsets.hpp"
#include "platform/x86/selectors.hpp"
#include "platform/x86/start_only.hpp"

#include <cstring>
#include <new>
#include <span>

extern "C" {
extern const uint64_t exception_entries[256];
extern const char syscall_stub_begin[], syscall_stub_jump[], syscall_stub_end[];
extern const char syscall32_stub_begin[], syscall32_stub_jump[], syscall32_stub_end[];
extern const char syscall_common[], syscall32_common[], sysenter_entry[];
extern const uint64_t smap_patch_begin[], smap_patch_end[];
}

namespace bulkhead {

namespace {

using machine::Tss;

alignas(4096) constinit std::array<Gate, 256> interrupt_table{};

// Source: Intel SDM vol 3, "Segment Descriptors". All are marked accessed, so that the CPU never
// writes to the page, which guests' windows show read-only.
constexpr uint64_t core_code = 0x00AF'9B00'0000'FFFF;
constexpr uint64_t core_data = 0x00CF'9300'0000'FFFF;
constexpr uint64_t guest_code32 = 0x00CF'FB00'0000'FFFF;
constexpr uint64_t guest_data = 0x00CF'F300'0000'FFFF;
constexpr uint64_t guest_code64 = 0x00AF'FB00'0000'FFFF;

// Exceptions that may come at any time get a known good stack: the page of it in the CPU's block.
struct OwnStack {
    uint8_t vector;
    uint8_t page;
};
constexpr std::array<OwnStack, 4> own_stacks{{{2, 5}, {8, 7}, {18, 9}, {1, 11}}};

// Control register bits. Source: Intel SDM vol 3, "Control Registers".
constexpr uint64_t cr0_value = 0x8001'0033;     // PG, WP, NE, ET, MP, PE
enum Cr4 : uint64_t {
    cr4_pae = 1u << 5,
    cr4_mce = 1u << 6,
    cr4_pge = 1u << 7,
    cr4_osfxsr = 1u << 9,
    cr4_osxmmexcpt = 1u << 10,
    cr4_umip = 1u << 11,
    cr4_fsgsbase = 1u << 16,
    cr4_osxsave = 1u << 18,
    cr4_smep = 1u << 20,
    cr4_smap = 1u << 21,
};

constexpr uint64_t efer_sce_lme_lma_nxe = 0xD01;
// As Xen sets it, which PV guests expect: WB, WT, UC-, UC, WC, WP, UC, UC.
constexpr uint64_t page_attributes = 0x0000'0501'0007'0406;
constexpr uint64_t star = (uint64_t{SELECTOR_GUEST_CS32} << 48) | (uint64_t{SELECTOR_CORE_CODE} << 32);
// TF, IF, DF, IOPL, NT, RF, VM, AC are off on the way in.
constexpr uint64_t flags_off = 0x100 | 0x200 | 0x400 | 0x3000 | 0x4000 | 0x1'0000 | 0x2'0000 | 0x4'0000;

uint64_t stack_end_of_page(uint64_t block, unsigned page) { return block + (page + 1) * page_size; }

START_ONLY void fill_descriptors(uint64_t* page, const Tss& tss)
{
    const auto set = [page](unsigned selector, uint64_t value) {
        page[(selector - SELECTOR_FIRST_BYTE) / 8] = value;
    };
    set(SELECTOR_CORE_CODE, core_code);
    set(SELECTOR_CORE_DATA, core_data);
    set(SELECTOR_GUEST_CS32 & ~7u, guest_code32);
    set(SELECTOR_GUEST_DATA & ~7u, guest_data);
    set(SELECTOR_GUEST_CS64 & ~7u, guest_code64);
    const auto base = reinterpret_cast<uint64_t>(&tss);
    constexpr uint64_t available_tss = 0x89;
    set(SELECTOR_TASK, (sizeof(Tss) - 1) | ((base & 0xFF'FFFF) << 16) | (available_tss << 40)
                           | ((base >> 24 & 0xFF) << 56));
    set(SELECTOR_TASK + 8, base >> 32);
}

void fill_tss(Tss& tss, uint64_t block)
{
    tss.rsp[0] = block + LAYOUT_CPU_STACK_END;
    for (size_t i = 0; i < own_stacks.size(); ++i)
        tss.ist[i] = stack_end_of_page(block, own_stacks[i].page);
    tss.io_map_base = sizeof(Tss);      // beyond the limit: no port is open to ring 3
}

// The stub's code is position-independent but for its last jump, to code in the image.
void copy_stub(char* page, uint64_t page_address, unsigned offset, std::span<const char> stub, size_t jump,
               const char* target)
{
    memcpy(page + offset, stub.data(), stub.size());
    const uint64_t next = page_address + offset + jump + sizeof(int32_t);
    const auto displacement = static_cast<int32_t>(reinterpret_cast<uint64_t>(target) - next);
    memcpy(page + offset + jump, &displacement, sizeof(displacement));
}

void fill_stub_page(char* page, uint64_t block)
{
    memset(page, 0xCC, page_size);
    copy_stub(page, block, STUB_OFFSET_SYSCALL, {syscall_stub_begin, syscall_stub_end},
              static_cast<size_t>(syscall_stub_jump - syscall_stub_begin), syscall_common);
    copy_stub(page, block, STUB_OFFSET_SYSCALL32, {syscall32_stub_begin, syscall32_stub_end},
              static_cast<size_t>(syscall32_stub_jump - syscall32_stub_begin), syscall32_common);
}

uint64_t cr4_value()
{
    const Features& f = features();
    uint64_t value = cr4_pae | cr4_mce | cr4_osfxsr | cr4_osxmmexcpt;
    // Global entries would stay when a guest gets tables without the core.
    value |= f.global_pages && !mitigations().hides_core ? uint64_t{cr4_pge} : 0;
    value |= f.umip ? uint64_t{cr4_umip} : 0;
    value |= f.fsgsbase ? uint64_t{cr4_fsgsbase} : 0;
    value |= f.xsave ? uint64_t{cr4_osxsave} : 0;
    value |= f.smep ? uint64_t{cr4_smep} : 0;
    value |= f.smap ? uint64_t{cr4_smap} : 0;
    return value;
}

void load_segments()
{
    asm volatile(
        "pushq %[code]\n"
        "leaq 1f(%%rip), %%rax\n"
        "pushq %%rax\n"
        "lretq\n"
        "1: movl %[data], %%eax\n"
        "movl %%eax, %%ss\n"
        "xorl %%eax, %%eax\n"
        "movl %%eax, %%ds\n"
        "movl %%eax, %%es\n"
        "movl %%eax, %%fs\n"
        "movl %%eax, %%gs\n"
        :
        : [code] "i"(SELECTOR_CORE_CODE), [data] "i"(SELECTOR_CORE_DATA)
        : "rax", "memory");
}

void set_model_specific_registers(uint64_t block)
{
    write_msr(Msr::IA32_EFER, efer_sce_lme_lma_nxe);
    write_msr(Msr::IA32_PAT, page_attributes);
    write_msr(Msr::IA32_STAR, star);
    write_msr(Msr::IA32_LSTAR, block + STUB_OFFSET_SYSCALL);
    write_msr(Msr::IA32_CSTAR, block + STUB_OFFSET_SYSCALL32);
    write_msr(Msr::IA32_FMASK, flags_off);
    write_msr(Msr::IA32_SYSENTER_CS, SELECTOR_CORE_CODE);
    write_msr(Msr::IA32_SYSENTER_ESP, block + LAYOUT_CPU_STACK_END);
    write_msr(Msr::IA32_SYSENTER_EIP, reinterpret_cast<uint64_t>(sysenter_entry));
}

}  // namespace

START_ONLY Cpu& prepare_cpu(CpuNumber number, uint32_t apic_id)
{
    const CpuBlockFrames frames = make_cpu_block(number);
    const uint64_t block = cpu_block(number);
    Cpu& cpu = *new (reinterpret_cast<void*>(block + LAYOUT_CPU_DATA)) Cpu{};
    static_assert(sizeof(Cpu) <= layout::cpu_data_pages * page_size);
    cpu.number = number;
    cpu.machine.apic_id = apic_id;
    cpu.machine.gdt_frame = frames.descriptors;
    cpu.machine.idle_cr3 = address_of(machine::core_table()).raw();
    cpu.machine.timer_deadline = never;
    fill_tss(cpu.machine.tss, block);
    fill_descriptors(machine::frame_pointer<uint64_t>(frames.descriptors), cpu.machine.tss);
    fill_stub_page(machine::frame_pointer<char>(frames.stub), block);
    return cpu;
}

uint64_t interrupt_table_address() { return reinterpret_cast<uint64_t>(interrupt_table.data()); }

START_ONLY void make_interrupt_table()
{
    constexpr unsigned breakpoint = 3;
    constexpr unsigned overflow = 4;
    for (unsigned vector = 0; vector < interrupt_table.size(); ++vector) {
        const uint8_t privilege = vector == breakpoint || vector == overflow ? 3 : 0;
        interrupt_table[vector] = make_gate(exception_entries[vector], SELECTOR_CORE_CODE, 0, privilege);
    }
    for (size_t i = 0; i < own_stacks.size(); ++i)
        interrupt_table[own_stacks[i].vector].ist = static_cast<uint8_t>(i + 1);
}

void set_up_this_cpu(Cpu& cpu)
{
    const uint64_t block = cpu_block(cpu.number);
    const auto descriptors = reinterpret_cast<uint64_t>(machine::frame_pointer(cpu.machine.gdt_frame));
    // Only the core's page exists; what lies below is reached by no selector that the core loads.
    x86::load_gdt({0xFFFF, descriptors - SELECTOR_FIRST_BYTE});
    load_segments();
    x86::load_ldt(0);
    x86::load_task_register(SELECTOR_TASK);
    x86::load_idt({sizeof(interrupt_table) - 1, reinterpret_cast<uint64_t>(interrupt_table.data())});
    x86::write_cr0(cr0_value);
    x86::write_cr4(cr4_value());
    machine::has_base_instructions = features().fsgsbase;
    set_model_specific_registers(block);
    set_up_mitigations();
    machine::write_tsc_aux(0);
    cpu.machine.spec_ctrl = mitigations().intel_ibrs ? 1 : 0;
    write_msr(Msr::IA32_FS_BASE, 0);
    write_msr(Msr::IA32_GS_BASE, 0);
    write_msr(Msr::IA32_KERNEL_GS_BASE, 0);
}

START_ONLY void patch_guest_access()
{
    if (!features().smap)
        return;
    // nopl (%rax) stands for CLAC, nopl (%rbx) for STAC.
    for (const uint64_t* place = smap_patch_begin; place != smap_patch_end; ++place) {
        auto* code = reinterpret_cast<uint8_t*>(*place);
        const bool opens = code[2] == 0x03;
        code[0] = 0x0F;
        code[1] = 0x01;
        code[2] = opens ? 0xCB : 0xCA;
    }
}

}  // namespace bulkhead
