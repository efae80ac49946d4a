// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/control.hpp in unit tests: records what was set.
#pragma once

#include <cstdint>
#include <set>

namespace bulkhead::fake {

inline std::set<uint16_t> selectors_of_64bit_code;   // beside the ABI's flat one
inline bool time_stamp_disable;
inline uint64_t tsc_aux;
inline uint64_t revision_of_microcode = 0x1234;

}  // namespace bulkhead::fake

namespace bulkhead::machine {

[[nodiscard]] inline bool is_64bit_code(uint16_t selector)
{
    return fake::selectors_of_64bit_code.contains(selector);
}
inline void set_time_stamp_disable(bool on) { fake::time_stamp_disable = on; }
inline void write_tsc_aux(uint64_t value) { fake::tsc_aux = value; }
[[nodiscard]] inline uint64_t microcode_revision() { return fake::revision_of_microcode; }

}  // namespace bulkhead::machine
