// SPDX-License-Identifier: BSD-2-Clause
// Registers of the CPU that belong to the running guest.
#pragma once

#include "machine/segments.hpp"

#include <array>
#include <cstdint>

namespace bulkhead::machine {

[[nodiscard]] inline uint64_t read_fs_base();
[[nodiscard]] inline uint64_t read_gs_base();
[[nodiscard]] inline uint64_t read_kernel_gs_base();
// The address must be canonical.
inline void write_fs_base(uint64_t base);
inline void write_gs_base(uint64_t base);
inline void write_kernel_gs_base(uint64_t base);
// The two active ones.
struct Bases {
    uint64_t fs, gs;
};
[[nodiscard]] inline Bases read_bases();
inline void write_bases(Bases bases);
// Exchanges the active GS base with the other one.
inline void swap_gs();

inline void read_selectors(Selectors& to);
// Loads selectors; one that the guest's descriptor tables do not allow becomes null. False then.
[[nodiscard]] bool load_selectors(const Selectors& selectors);
// Loads the GS selector that user mode sees (the other base) without changing the active base.
[[nodiscard]] bool load_user_gs(uint16_t selector);

inline void load_gdt(const TablePointer& window);
// 0, or that of the LDT in the core's page of the window.
inline void load_ldt_register(uint16_t selector);

// CR3 without touching flush stamps: a change of mode of the same guest. frame: top-level table.
inline void switch_table(uint64_t frame);

[[nodiscard]] inline uint64_t read_cr2();
inline void write_cr2(uint64_t value);
void set_task_switched(bool on);

struct DebugRegisters {
    uint64_t address[4];
    uint64_t status;    // DR6
    uint64_t control;   // DR7
};
// DR6, which is cleared.
[[nodiscard]] uint64_t read_debug_status();
void write_debug_status(uint64_t status);
void write_debug(const DebugRegisters& registers);
// DR0 to DR3 alone, of guests whose DR6 and DR7 the CPU switches.
void write_debug_addresses(const std::array<uint64_t, 4>& addresses);
void read_debug_addresses(std::array<uint64_t, 4>& addresses);
void disable_breakpoints();

}  // namespace bulkhead::machine

#include "machine/registers_inline.hpp"
