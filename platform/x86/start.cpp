// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/start.hpp"

#include "core/boot_allocator.hpp"
#include "machine/core_space.hpp"
#include "platform/x86/core_space.hpp"
#include "platform/x86/cpu_setup.hpp"
#include "platform/x86/features.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/layout.hpp"

extern "C" {
[[noreturn]] void continue_on_own_stack(bulkhead::BootInfo* info);
}

namespace bulkhead {

namespace {

constexpr HostPhysical boot_tables_end{uint64_t{4} << 30};

// Leaves start.S's stack for the one in CPU 0's block.
[[noreturn]] void continue_on_own_stack_of(const Cpu& cpu, BootInfo& info)
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

}  // namespace

void start_platform(BootInfo& info)
{
    init_features();
    patch_guest_access();
    start_boot_allocator(info, boot_tables_end);
    make_core_space(info);
    x86::write_cr3(address_of(machine::core_table()).raw());
    boot_allocator_reach_all();
    make_interrupt_table();
    Cpu& cpu = prepare_cpu(CpuNumber(0), 0);
    set_up_this_cpu(cpu);
    continue_on_own_stack_of(cpu, info);
}

}  // namespace bulkhead

void continue_on_own_stack(bulkhead::BootInfo* info)
{
    using namespace bulkhead;
    core_main(*info);
}
