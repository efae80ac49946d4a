// SPDX-License-Identifier: BSD-2-Clause
// One CPU's own tables and registers: GDT page, TSS, stacks for exceptions, SYSCALL stubs, control
// and model-specific registers. The same for the boot CPU and the others.
#pragma once

#include "core/cpu.hpp"
#include "platform/x86/core_space.hpp"

namespace bulkhead {

// Makes the block and fills it in; the CPU itself does not run yet. Start-up, any CPU.
Cpu& prepare_cpu(CpuNumber number, uint32_t apic_id);
// On the CPU itself, on a stack in its block, interrupts off. Loads everything but page tables.
void set_up_this_cpu(Cpu& cpu);
// Fills in the table of exception and interrupt entries that all CPUs share.
void make_interrupt_table();
// Of that table, which is a page.
[[nodiscard]] uint64_t interrupt_table_address();
// Turns the places of STAC and CLAC into these instructions if the CPU has them. While the text can
// still be written: with start.S's tables.
void patch_guest_access();

}  // namespace bulkhead
