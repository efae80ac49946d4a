// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/fpu.hpp in unit tests: a CPU with x87, SSE and AVX, or
// what the test says; no state is kept, only the calls' order.
#pragma once

#include <cstdint>
#include <cstring>

namespace bulkhead::fake {

inline uint64_t components_of_fpu = 7;
inline uint64_t xcr0;
inline bool packs_soundly = true;

}  // namespace bulkhead::fake

namespace bulkhead::machine {

[[nodiscard]] inline uint64_t fpu_components() { return fake::components_of_fpu; }
[[nodiscard]] inline uint32_t fpu_area_bytes() { return 832; }
[[nodiscard]] inline bool packs_fpu_soundly() { return fake::packs_soundly; }
inline void init_fpu_area(void* area) { std::memset(area, 0, fpu_area_bytes()); }
inline void init_fpu() {}
inline void save_fpu(void*, uint64_t) { fake::xcr0 = fake::components_of_fpu; }
inline void restore_fpu(const void*, uint64_t guest_xcr0) { fake::xcr0 = guest_xcr0; }
inline void write_xcr0(uint64_t value) { fake::xcr0 = value; }
[[nodiscard]] inline uint64_t read_xcr0() { return fake::xcr0; }

}  // namespace bulkhead::machine
