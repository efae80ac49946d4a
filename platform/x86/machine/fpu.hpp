// SPDX-License-Identifier: BSD-2-Clause
// Floating-point and extended state of guests: the core itself never uses it.
#pragma once

#include <cstdint>

namespace bulkhead::machine {

// Components that are saved and restored, and so may be offered to guests (bits of XCR0).
// 0: the CPU has no XSAVE; FXSAVE is used.
[[nodiscard]] inline uint64_t fpu_components();
// Bytes of one area; areas are aligned to 64.
[[nodiscard]] uint32_t fpu_area_bytes();
// Whether XSAVEC puts the packed state where XRSTOR looks for it. Bochs 2.7 does not: from AVX on it is 160 bytes too
// early, so that a guest that uses it loses registers.
[[nodiscard]] bool packs_fpu_soundly();
// The state after reset, MXCSR and FCW included.
void init_fpu_area(void* area);

// On each CPU at start: CR0, CR4.OSXSAVE, XCR0.
void init_fpu();
// guest_xcr0: what the guest runs with; all components are saved and restored whatever it is. Eagerly:
// a lazy switch leaks register contents on CPUs that speculate past #NM.
inline void save_fpu(void* area, uint64_t guest_xcr0);
// After save_fpu() of the vCPU before, or the CPU's start: XCR0 holds all components.
inline void restore_fpu(const void* area, uint64_t guest_xcr0);
inline void write_xcr0(uint64_t value);
[[nodiscard]] uint64_t read_xcr0();

}  // namespace bulkhead::machine

#include "machine/fpu_inline.hpp"
