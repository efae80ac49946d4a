// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/registers.hpp in unit tests: the registers are variables.
#pragma once

#include "platform/x86/machine/segments.hpp"

#include <cstdint>
#include <utility>

namespace bulkhead::machine {

struct DebugRegisters {
    uint64_t address[4];
    uint64_t status;
    uint64_t control;
};

}  // namespace bulkhead::machine

namespace bulkhead::fake {

struct Registers {
    uint64_t fs_base, gs_base, kernel_gs_base;
    unsigned kernel_gs_writes, ldt_loads, selector_loads;
    uint64_t gdt_window;
    uint16_t ldt;
    machine::Selectors selectors;
    uint16_t user_gs;
    bool selectors_load = true;          // what load_selectors() and load_user_gs() answer
    uint64_t table;                      // frame number in CR3
    uint64_t cr2;
    bool task_switched;
    machine::DebugRegisters debug{{}, 0xFFFF0FF0, 0x400};
};
inline Registers registers;

}  // namespace bulkhead::fake

namespace bulkhead::machine {

[[nodiscard]] inline uint64_t read_fs_base() { return fake::registers.fs_base; }
[[nodiscard]] inline uint64_t read_gs_base() { return fake::registers.gs_base; }
[[nodiscard]] inline uint64_t read_kernel_gs_base() { return fake::registers.kernel_gs_base; }
inline void write_fs_base(uint64_t base) { fake::registers.fs_base = base; }
inline void write_gs_base(uint64_t base) { fake::registers.gs_base = base; }
inline void write_kernel_gs_base(uint64_t base)
{
    fake::registers.kernel_gs_base = base;
    ++fake::registers.kernel_gs_writes;
}
struct Bases {
    uint64_t fs, gs;
};
[[nodiscard]] inline Bases read_bases() { return {fake::registers.fs_base, fake::registers.gs_base}; }
inline void write_bases(Bases bases)
{
    fake::registers.fs_base = bases.fs;
    fake::registers.gs_base = bases.gs;
}
inline void swap_gs() { std::swap(fake::registers.gs_base, fake::registers.kernel_gs_base); }

inline void read_selectors(Selectors& to) { to = fake::registers.selectors; }
[[nodiscard]] inline bool load_selectors(const Selectors& selectors)
{
    fake::registers.selectors = selectors;
    ++fake::registers.selector_loads;
    return fake::registers.selectors_load;
}
[[nodiscard]] inline bool load_user_gs(uint16_t selector)
{
    fake::registers.user_gs = selector;
    return fake::registers.selectors_load;
}

inline void load_gdt(const TablePointer& window) { fake::registers.gdt_window = window.base; }
inline void load_ldt_register(uint16_t selector)
{
    fake::registers.ldt = selector;
    ++fake::registers.ldt_loads;
}

inline void switch_table(uint64_t frame) { fake::registers.table = frame; }
[[nodiscard]] inline uint64_t read_cr2() { return fake::registers.cr2; }
inline void write_cr2(uint64_t value) { fake::registers.cr2 = value; }
inline void set_task_switched(bool on) { fake::registers.task_switched = on; }

[[nodiscard]] inline uint64_t read_debug_status() { return std::exchange(fake::registers.debug.status, 0xFFFF0FF0); }
inline void write_debug_status(uint64_t status) { fake::registers.debug.status = status; }
inline void write_debug(const DebugRegisters& registers) { fake::registers.debug = registers; }
inline void disable_breakpoints() { fake::registers.debug.control = 0x400; }

}  // namespace bulkhead::machine
