// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/start.hpp"

#include "core/boot_allocator.hpp"
#include "core/panic.hpp"
#include "core/slot_health.hpp"
#include "machine/core_space.hpp"
#include "machine/memory.hpp"
#include "platform/x86/acpi.hpp"
#include "platform/x86/clock.hpp"
#include "platform/x86/core_space.hpp"
#include "platform/x86/cpu_setup.hpp"
#include "platform/x86/cpus.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/mitigations.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/interrupts.hpp"
#include "platform/x86/io_apic.hpp"
#include "platform/x86/iommu.hpp"
#include "platform/x86/layout.hpp"
#include "platform/x86/local_apic.hpp"
#include "platform/x86/panic.hpp"
#include "platform/x86/pci.hpp"
#include "platform/x86/uart.hpp"
#include "platform/x86/vectors.hpp"
#include "platform/x86/start_only.hpp"

extern "C" {
[[noreturn]] void continue_on_own_stack(bulkhead::BootInfo* info);
}

namespace bulkhead {

namespace {

constexpr HostPhysical boot_tables_end{uint64_t{4} << 30};

// start.S has put the first 4 GiB where the direct map will be.
const void* first_4g(uint64_t address, uint64_t size_bytes)
{
    if (address >= boot_tables_end.raw() || size_bytes > boot_tables_end.raw() - address)
        return nullptr;
    return machine::physical_pointer(HostPhysical(address));
}

// Leaves start.S's stack for the one in CPU 0's block.
[[noreturn]] void leave_first_stack(const Cpu& cpu, BootInfo& info)
{
    asm volatile(
        "mov %[stack], %%rsp\n"
        "xor %%ebp, %%ebp\n"
        "call continue_on_own_stack\n"
        "ud2\n"
        :
        : [stack] "r"(cpu_block(cpu.number) + LAYOUT_CPU_STACK_END), "D"(&info)
        : "memory");
    __builtin_unreachable();
}

// A serial card serves as the console of a box without a port of its own.
START_ONLY void find_serial_card()
{
    constexpr uint32_t class_16550 = 0x070002;
    constexpr uint16_t reg_command = 4;
    constexpr uint16_t decode_io_and_memory = 3;
    constexpr uint64_t register_bytes = 8;
    for (const PciFunction& function : pci_functions()) {
        const PciBar& bar = function.bars[0];
        if (uart_present() || function.class_code != class_16550 || bar.base == 0)
            continue;
        const auto command = static_cast<uint16_t>(pci_read32(function.address, reg_command) | decode_io_and_memory);
        pci_write16(function.address, reg_command, command);
        if (bar.kind == PciBar::Kind::io)
            uart_use_ports(static_cast<uint16_t>(bar.base));
        else
            uart_use_window(machine::map_device(HostPhysical(bar.base), register_bytes));
    }
}

// The console's port interrupts CPU 0, or is looked at by its timer.
void start_uart_interrupts()
{
    if (!uart_present())
        return;
    const int line = uart_isa_line();
    if (line < 0 || !route_isa_line(static_cast<uint8_t>(line), vector_uart, local_apic_id()))
        uart_set_polled();
    else
        uart_enable_interrupts();
}

}  // namespace

START_ONLY void start_platform(BootInfo& info)
{
    init_features();
    if (const char* missing = missing_feature(features()); missing != nullptr)
        panic("this CPU has %s; Bulkhead cannot run on it", missing);
    patch_guest_access();
    init_mitigations();
    init_acpi(first_4g, info.rsdp);
    note_iommu(acpi().has_dmar, acpi().has_ivrs);
    start_boot_allocator(info, boot_tables_end);
    reserve_panic_record();
    reserve_slot_note();
    make_core_space(info);
    x86::write_cr3(address_of(machine::core_table()).raw());
    open_panic_record();
    boot_allocator_reach_all();
    make_interrupt_table();
    Cpu& cpu = prepare_cpu(CpuNumber(0), 0);
    set_up_this_cpu(cpu);
    leave_first_stack(cpu, info);
}

}  // namespace bulkhead

void continue_on_own_stack(bulkhead::BootInfo* info)
{
    using namespace bulkhead;
    init_local_apic();
    enable_local_apic();
    init_interrupt_lines();
    begin_clock_calibration(TscTicks(info->entry_tsc));
    init_pci();
    find_iommus();
    find_serial_card();
    start_uart_interrupts();
    init_cpus(*info);
    finish_clock_calibration();
    start_wall_clock_refinement();
    start_timer();
    core_main(*info);
}
