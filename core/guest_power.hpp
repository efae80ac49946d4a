// SPDX-License-Identifier: BSD-2-Clause
// The only ports that a hardware guest has: ACPI's sleep and reset registers, which its tables
// name (boot/plan/acpi_tables.cpp) and hvm/cpu/ answers. One source for both.
#pragma once

#include <cstdint>

namespace bulkhead::guest_power {

inline constexpr uint16_t sleep_port = 0x604;
inline constexpr uint16_t status_port = 0x605;
inline constexpr uint16_t reset_port = 0x606;
inline constexpr uint8_t reset_value = 1;
inline constexpr uint8_t sleep_type_off = 5;
inline constexpr uint8_t sleep_enable = 1u << 5;        // SLP_EN; SLP_TYP is in bits 2 to 4
inline constexpr unsigned sleep_type_shift = 2;

}  // namespace bulkhead::guest_power
