// SPDX-License-Identifier: BSD-2-Clause
// Bits of control registers that a PV guest has a say in. Source: Intel SDM vol 3, "Control Registers".
#pragma once

#include <cstdint>

namespace bulkhead {

namespace cr0 {
inline constexpr uint64_t ts = 1u << 3;
// PE, MP, ET, NE, WP, AM, PG: as in any 64-bit kernel.
inline constexpr uint64_t fixed = 0x8005'0033;
}  // namespace cr0

namespace cr4 {
inline constexpr uint64_t tsd = 1u << 2;
inline constexpr uint64_t de = 1u << 3;
inline constexpr uint64_t fsgsbase = 1u << 16;
inline constexpr uint64_t osxsave = 1u << 18;
// PAE, OSFXSR, OSXMMEXCPT: always on.
inline constexpr uint64_t fixed = 0x620;
}  // namespace cr4

}  // namespace bulkhead
