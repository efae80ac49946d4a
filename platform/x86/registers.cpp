// SPDX-License-Identifier: BSD-2-Clause
// The guest's segment and debug registers.
#include "machine/registers.hpp"

#include "platform/x86/smap.hpp"

namespace bulkhead::machine {

constinit bool has_base_instructions{false};

// A selector that faults (#GP, #NP) leaves null in the register.
#define LOAD_SELECTOR(segment, value, ok)                       \
    asm volatile("1: mov %[selector], %%" segment "\n"          \
                 "   jmp 3f\n"                                  \
                 "2: xor %k[ok_], %k[ok_]\n"                    \
                 "   mov %k[ok_], %%" segment "\n"              \
                 "3:\n" FIXUP("1b", "2b")                       \
                 : [ok_] "+r"(ok)                               \
                 : [selector] "r"(uint32_t{value})              \
                 : "memory", "cc")

bool load_selectors(const Selectors& selectors)
{
    uint64_t ds_ok = 1;
    uint64_t es_ok = 1;
    uint64_t fs_ok = 1;
    uint64_t gs_ok = 1;
    LOAD_SELECTOR("ds", selectors.ds, ds_ok);
    LOAD_SELECTOR("es", selectors.es, es_ok);
    LOAD_SELECTOR("fs", selectors.fs, fs_ok);
    LOAD_SELECTOR("gs", selectors.gs, gs_ok);
    return (ds_ok & es_ok & fs_ok & gs_ok) != 0;
}

bool load_user_gs(uint16_t selector)
{
    uint64_t ok = 1;
    swap_gs();
    LOAD_SELECTOR("gs", selector, ok);
    swap_gs();
    return ok != 0;
}

void set_task_switched(bool on)
{
    if (on) {
        uint64_t cr0;
        asm volatile("mov %%cr0, %0" : "=r"(cr0));
        asm volatile("mov %0, %%cr0" : : "r"(cr0 | 8) : "memory");
    } else {
        asm volatile("clts" : : : "memory");
    }
}

uint64_t read_debug_status()
{
    uint64_t status;
    asm volatile("mov %%dr6, %0" : "=r"(status));
    asm volatile("mov %0, %%dr6" : : "r"(uint64_t{0xFFFF0FF0}));
    return status;
}

void write_debug_status(uint64_t status)
{
    asm volatile("mov %0, %%dr6" : : "r"(status));
}

void write_debug(const DebugRegisters& registers)
{
    disable_breakpoints();
    asm volatile("mov %0, %%dr0" : : "r"(registers.address[0]));
    asm volatile("mov %0, %%dr1" : : "r"(registers.address[1]));
    asm volatile("mov %0, %%dr2" : : "r"(registers.address[2]));
    asm volatile("mov %0, %%dr3" : : "r"(registers.address[3]));
    asm volatile("mov %0, %%dr6" : : "r"(registers.status));
    asm volatile("mov %0, %%dr7" : : "r"(registers.control));
}

void write_debug_addresses(const std::array<uint64_t, 4>& addresses)
{
    disable_breakpoints();
    asm volatile("mov %0, %%dr0" : : "r"(addresses[0]));
    asm volatile("mov %0, %%dr1" : : "r"(addresses[1]));
    asm volatile("mov %0, %%dr2" : : "r"(addresses[2]));
    asm volatile("mov %0, %%dr3" : : "r"(addresses[3]));
}

void read_debug_addresses(std::array<uint64_t, 4>& addresses)
{
    asm volatile("mov %%dr0, %0" : "=r"(addresses[0]));
    asm volatile("mov %%dr1, %0" : "=r"(addresses[1]));
    asm volatile("mov %%dr2, %0" : "=r"(addresses[2]));
    asm volatile("mov %%dr3, %0" : "=r"(addresses[3]));
}

void disable_breakpoints()
{
    asm volatile("mov %0, %%dr7" : : "r"(uint64_t{0x400}));
}

}  // namespace bulkhead::machine
