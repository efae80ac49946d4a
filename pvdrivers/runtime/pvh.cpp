// SPDX-License-Identifier: BSD-2-Clause
// The program as a hardware guest: what start_pv() finds in start_info is put together from the
// hypervisor's CPUID leaves, start info and parameters; then it goes on as a PV guest does.
// Of the memory it uses what lies between its own beginning and the end of the first range of RAM, at
// most 1 GiB. One vCPU; it can grant, and not map what others grant.
// Source: xen/include/public/arch-x86/cpuid.h, hvm/start_info.h, hvm/params.h.
#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/runtime/fatal.hpp"
#include "pvdrivers/runtime/frames.hpp"
#include "pvdrivers/runtime/image.hpp"
#include "pvdrivers/runtime/start.hpp"
#include "pvdrivers/runtime/vcpu_local.hpp"

#include <bulkhead/memory.hpp>

#include <algorithm>
#include <cstring>

extern "C" {
#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
extern char pvh_trap_entries[], pvh_event_entry[], load_address[], linear_base[];
void pvh_wait();
}

namespace bulkhead {

namespace {

constexpr uint32_t ia32_gs_base = 0xc0000101;
constexpr unsigned exceptions = 32;
constexpr unsigned entry_bytes = 16;
constexpr unsigned double_fault = 8;
constexpr uint8_t event_vector = 0xf0;
constexpr uint16_t code_selector = 8;
constexpr uint16_t task_selector = 16;
constexpr uint64_t reach = uint64_t{1} << 30;      // of the tables of pvh_start.S

void write_msr(uint32_t msr, uint64_t value)
{
    asm volatile("wrmsr" : : "c"(msr), "a"(static_cast<uint32_t>(value)), "d"(static_cast<uint32_t>(value >> 32)));
}

// --- Descriptors ------------------------------------------------------------------------

struct Gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t stack;              // of the task state segment; 0: the one in use
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
static_assert(sizeof(Gate) == 16);

struct [[gnu::packed]] Table {
    uint16_t limit;
    uint64_t address;
};

struct [[gnu::packed]] TaskState {
    uint32_t reserved;
    uint64_t stack_of_ring[3];
    uint64_t reserved_too;
    uint64_t stacks[7];         // the gate's `stack` less one
    uint64_t reserved_again;
    uint16_t reserved_still;
    uint16_t map_base;
};
static_assert(sizeof(TaskState) == 104);

Gate gates[event_vector + 1];
uint64_t descriptors[4];
TaskState task;
alignas(16) char double_fault_stack[8192];

Gate gate_to(uint64_t entry, uint8_t stack)
{
    constexpr uint8_t present_interrupt_gate = 0x8e;
    return {static_cast<uint16_t>(entry), code_selector, stack, present_interrupt_gate,
            static_cast<uint16_t>(entry >> 16), static_cast<uint32_t>(entry >> 32), 0};
}

// A stack that is overrun is a double fault: the page fault finds no stack.
void install_descriptors()
{
    task.stacks[0] = reinterpret_cast<uint64_t>(double_fault_stack + sizeof(double_fault_stack));
    task.map_base = sizeof(task);
    const auto base = reinterpret_cast<uint64_t>(&task);
    descriptors[1] = 0x00af9b000000ffff;        // 64-bit code, as in pvh_start.S
    descriptors[2] = (sizeof(task) - 1) | (base & 0xffffff) << 16 | uint64_t{0x89} << 40 | (base >> 24 & 0xff) << 56;
    descriptors[3] = base >> 32;
    const Table gdt = {sizeof(descriptors) - 1, reinterpret_cast<uint64_t>(descriptors)};
    asm volatile("lgdt %0\n\tltr %w1" : : "m"(gdt), "r"(task_selector) : "memory");
    for (unsigned vector = 0; vector < exceptions; ++vector)
        gates[vector] = gate_to(reinterpret_cast<uint64_t>(pvh_trap_entries + vector * entry_bytes),
                                vector == double_fault ? 1 : 0);
    gates[event_vector] = gate_to(reinterpret_cast<uint64_t>(pvh_event_entry), 0);
    const Table idt = {sizeof(gates) - 1, reinterpret_cast<uint64_t>(gates)};
    asm volatile("lidt %0" : : "m"(idt) : "memory");
}

// --- The hypervisor ----------------------------------------------------------------------

struct Leaf {
    uint32_t eax, ebx, ecx, edx;
};

Leaf cpuid(uint32_t number)
{
    Leaf leaf;
    asm volatile("cpuid" : "=a"(leaf.eax), "=b"(leaf.ebx), "=c"(leaf.ecx), "=d"(leaf.edx) : "a"(number), "c"(0));
    return leaf;
}

// Nothing can be said before there are hypercalls.
[[noreturn]] void give_up()
{
    for (;;)
        asm volatile("cli\n\thlt");
}

void fill_hypercall_page()
{
    for (uint32_t base = XEN_CPUID_FIRST_LEAF; base < XEN_CPUID_FIRST_LEAF + 0x10000; base += 0x100) {
        const Leaf name = cpuid(base);
        if (name.ebx != XEN_CPUID_SIGNATURE_EBX || name.ecx != XEN_CPUID_SIGNATURE_ECX ||
            name.edx != XEN_CPUID_SIGNATURE_EDX)
            continue;
        const uint64_t page = reinterpret_cast<uint64_t>(hypercall_page) - layout::linear_base +
                              reinterpret_cast<uint64_t>(load_address);
        write_msr(cpuid(base + 2).ebx, page);
        return;
    }
    give_up();
}

uint64_t parameter(uint32_t index)
{
    xen_hvm_param_t request = {DOMID_SELF, 0, index, 0};
    return hypercall<__HYPERVISOR_hvm_op>(HVMOP_get_param, as_argument(&request)) == 0 ? request.value : 0;
}

void listen()
{
    xen_hvm_param_t request = {DOMID_SELF, 0, HVM_PARAM_CALLBACK_IRQ,
                               uint64_t{HVM_PARAM_CALLBACK_TYPE_VECTOR} << 56 | event_vector};
    if (const long error = hypercall<__HYPERVISOR_hvm_op>(HVMOP_set_param, as_argument(&request)); error != 0)
        fatal("the hypervisor refuses a vector for events: error %ld", error);
}

// Puts a shared page in the place of one of ours.
void* place(unsigned space, uint32_t index)
{
    const auto page = allocate_pages(1);
    if (!page)
        return nullptr;
    xen_add_to_physmap_t request = {};
    request.domid = DOMID_SELF;
    request.space = space;
    request.idx = index;
    request.gpfn = machine_frame(page->data());
    if (hypercall<__HYPERVISOR_memory_op>(XENMEM_add_to_physmap, as_argument(&request)) == 0)
        return page->data();
    free_pages(*page);
    return nullptr;
}

// --- Start info ----------------------------------------------------------------------------

start_info_t info;

template <class T>
const T* at_physical(uint64_t address)
{
    return reinterpret_cast<const T*>(address);     // the first GiB is mapped as it is
}

// Bytes from the program's beginning to the end of the range of RAM that it lies in.
uint64_t memory_bytes(const hvm_start_info& from)
{
    const auto* map = at_physical<hvm_memmap_table_entry>(from.memmap_paddr);
    const auto start = reinterpret_cast<uint64_t>(load_address);
    for (uint32_t i = 0; i < from.memmap_entries; ++i) {
        const uint64_t end = std::min(map[i].addr + map[i].size, reach);
        if (map[i].type == XEN_HVM_MEMMAP_TYPE_RAM && map[i].addr <= start && end > start)
            return end - start;
    }
    fatal("the memory map has no RAM at the program");
}

// The slice is moved behind the image, so that what is free is in one piece. Returns where that begins.
uint64_t take_module(const hvm_start_info& from)
{
    const uint64_t end = image::end();
    if (from.nr_modules == 0)
        return end;
    const hvm_modlist_entry module = *at_physical<hvm_modlist_entry>(from.modlist_paddr);
    memmove(reinterpret_cast<void*>(end), at_physical<char>(module.paddr), module.size);
    info.mod_start = end;
    info.mod_len = module.size;
    return end + module.size;
}

void use_tables(uint64_t physical) { asm volatile("mov %0, %%cr3" : : "r"(physical) : "memory"); }
void flush(uint64_t address) { asm volatile("invlpg (%0)" : : "r"(address) : "memory"); }
void* place_grant_frame(uint32_t index) { return place(XENMAPSPACE_grant_table, index); }

uint64_t fault_address()
{
    uint64_t address;
    asm volatile("mov %%cr2, %0" : "=r"(address));
    return address;
}

HardwareGuest operations = {use_tables, flush, place_grant_frame, pvh_wait, fault_address, 0};

}  // namespace

extern "C" [[noreturn]] void start_pvh(uint64_t start_info_address);

void start_pvh(uint64_t start_info_address)
{
    const hvm_start_info from = *at_physical<hvm_start_info>(start_info_address);
    operations.first_frame = reinterpret_cast<uint64_t>(load_address) >> layout::page_shift;
    hardware_guest = &operations;
    start_info = &info;
    write_msr(ia32_gs_base, as_argument(&vcpu_locals[0]));
    install_descriptors();
    begin_vcpu();
    fill_hypercall_page();
    info.nr_pages = memory_bytes(from) >> layout::page_shift;
    info.console.domU.mfn = parameter(HVM_PARAM_CONSOLE_PFN);
    info.console.domU.evtchn = static_cast<uint32_t>(parameter(HVM_PARAM_CONSOLE_EVTCHN));
    info.store_mfn = parameter(HVM_PARAM_STORE_PFN);
    info.store_evtchn = static_cast<uint32_t>(parameter(HVM_PARAM_STORE_EVTCHN));
    const auto* line = at_physical<char>(from.cmdline_paddr);
    if (from.cmdline_paddr != 0)
        memcpy(info.cmd_line, line, strnlen(line, sizeof(info.cmd_line) - 1));
    take_memory_over(take_module(from), info.nr_pages);
    shared_info = static_cast<shared_info_t*>(place(XENMAPSPACE_shared_info, 0));
    if (shared_info == nullptr)
        fatal("shared info cannot be mapped");
    listen();
    go_on();
}

}  // namespace bulkhead
