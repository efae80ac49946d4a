// SPDX-License-Identifier: BSD-2-Clause
// Control bits of this CPU that follow the running guest, and facts about code segments.
#pragma once

#include <cstdint>

namespace bulkhead::machine {

// Whether code under this selector runs in 64-bit mode, by the guest's descriptor tables as they are
// loaded now. Source: Intel SDM vol 2, "LAR - Load Access Rights Byte".
[[nodiscard]] inline bool is_64bit_code(uint16_t selector);

// CR4.TSD: RDTSC and RDTSCP trap in ring 3.
void set_time_stamp_disable(bool on);
// What RDTSCP and RDPID return. Does nothing on a CPU that has neither.
void write_tsc_aux(uint64_t value);

// Revision of the CPU's microcode, 0 if it does not tell.
[[nodiscard]] uint64_t microcode_revision();

}  // namespace bulkhead::machine

#include "machine/control_inline.hpp"
