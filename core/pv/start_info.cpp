// SPDX-License-Identifier: BSD-2-Clause
// See start_info.hpp.
#include "core/pv/start_info.hpp"

#include "core/frames.hpp"
#include "core/plan_check.hpp"
#include "core/services.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <array>
#include <cstring>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

namespace {

static_assert(FLAT_KERNEL_CS == 0xe033 && FLAT_KERNEL_SS == 0xe02b && FLAT_KERNEL_DS == 0);

uint64_t virtual_of(const plan::PvStart& start, uint64_t pfn) { return start.virt_base + (pfn << page_shift); }

Mfn frame_at(const Partition& partition, uint64_t pfn) { return initial_frame(partition.memory, Pfn(pfn)); }

void write_ramdisk(const plan::PvStart& start, start_info_t& info)
{
    if (start.ramdisk_pfn == plan::no_pfn)
        return;
    info.mod_len = start.ramdisk_bytes;
    info.mod_start = start.ramdisk_by_pfn != 0 ? start.ramdisk_pfn : virtual_of(start, start.ramdisk_pfn);
    if (start.ramdisk_by_pfn != 0)
        info.flags |= SIF_MOD_START_PFN;
}

void write_frame_list(const plan::PvStart& start, start_info_t& info)
{
    info.mfn_list = virtual_of(start, start.p2m_pfn);
    if (start.p2m_base == 0)
        return;
    info.mfn_list = start.p2m_base;
    info.first_p2m_pfn = start.p2m_pfn;
    info.nr_p2m_frames = start.p2m_frames + start.p2m_tables_frames;
}

// One entry of the hypercall page: 32 bytes for each number.
// Source: xen/include/public/arch-x86/xen-x86_64.h, "Hypercall interface".
constexpr size_t entry_bytes = 32;

void write_call(uint8_t* at, uint32_t number)
{
    static constexpr std::array<uint8_t, 14> code{
        0x51,                   // push %rcx
        0x41, 0x53,             // push %r11
        0xb8, 0, 0, 0, 0,       // mov $number, %eax
        0x0f, 0x05,             // syscall
        0x41, 0x5b,             // pop %r11
        0x59,                   // pop %rcx
        0xc3,                   // ret
    };
    std::copy(code.begin(), code.end(), at);
    memcpy(at + 4, &number, sizeof(number));
}

// Never returns: what it needs to restore is on the guest's stack.
void write_iret(uint8_t* at)
{
    static constexpr std::array<uint8_t, 11> code{
        0x51,                                   // push %rcx
        0x41, 0x53,                             // push %r11
        0x50,                                   // push %rax
        0xb8, __HYPERVISOR_iret, 0, 0, 0,       // mov $__HYPERVISOR_iret, %eax
        0x0f, 0x05,                             // syscall
    };
    std::copy(code.begin(), code.end(), at);
}

}  // namespace

void write_start_info(const plan::Header& header, const Partition& partition)
{
    const plan::PvStart& start = partition.plan->pv;
    auto& info = *machine::frame_pointer<start_info_t>(frame_at(partition, start.start_info_pfn));
    static constexpr char magic[] = "xen-3.0-x86_64";
    static_assert(sizeof(magic) <= sizeof(info.magic));
    memcpy(info.magic, magic, sizeof(magic));
    info.nr_pages = partition.plan->memory_frames;
    info.shared_info = address_of(partition.shared_frame).raw();
    info.flags = 0;
    // With a port that nobody answers a kernel would wait for ever.
    if (store_of(partition) != nullptr) {
        info.store_mfn = frame_at(partition, start.store_pfn).raw();
        info.store_evtchn = partition.plan->store_port;
    }
    info.console.domU.mfn = frame_at(partition, start.console_pfn).raw();
    info.console.domU.evtchn = partition.plan->console_port;
    info.pt_base = virtual_of(start, start.tables_pfn);
    info.nr_pt_frames = start.tables_frames;
    write_frame_list(start, info);
    write_ramdisk(start, info);
    const auto command_line = plan::text(header, partition.plan->cmdline);
    memcpy(info.cmd_line, command_line.data(), std::min<size_t>(command_line.size(), sizeof(info.cmd_line) - 1));
}

void write_hypercall_page(const Partition& partition)
{
    const plan::PvStart& start = partition.plan->pv;
    const uint64_t pfn = (start.hypercall_page - start.virt_base) >> page_shift;
    if (start.hypercall_page == ~uint64_t{0} || pfn >= start.mapped_end_pfn)
        return;
    auto* page = machine::frame_pointer<uint8_t>(frame_at(partition, pfn));
    constexpr int breakpoint = 0xcc;
    memset(page, breakpoint, page_size);
    for (uint32_t number = 0; number < page_size / entry_bytes; ++number)
        write_call(page + number * entry_bytes, number);
    memset(page + __HYPERVISOR_iret * entry_bytes, breakpoint, entry_bytes);
    write_iret(page + __HYPERVISOR_iret * entry_bytes);
}

void reset_shared_info(const Partition& partition)
{
    machine::clear_frame(machine::frame_pointer(partition.shared_frame));
    for (vcpu_info_t& info : partition.shared->vcpu_info)
        info.evtchn_upcall_mask = 1;
}

void set_start_registers(Partition& partition)
{
    const plan::PvStart& start = partition.plan->pv;
    Vcpu& vcpu = partition.vcpus[0];
    constexpr uint64_t interrupts_on = 0x202;
    vcpu.registers = {};
    vcpu.registers.rip = start.entry;
    vcpu.registers.cs = FLAT_KERNEL_CS;
    vcpu.registers.rflags = interrupts_on;
    vcpu.registers.rsp = virtual_of(start, start.stack_pfn + 1);
    vcpu.registers.ss = FLAT_KERNEL_SS;
    vcpu.registers.rsi = virtual_of(start, start.start_info_pfn);
    vcpu.pv.kernel_mode = true;
    vcpu.pv.kernel_ss = FLAT_KERNEL_SS;
    vcpu.pv.selectors = {FLAT_KERNEL_DS, FLAT_KERNEL_DS, FLAT_KERNEL_DS, FLAT_KERNEL_DS};
}

}  // namespace bulkhead
