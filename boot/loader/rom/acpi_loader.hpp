// SPDX-License-Identifier: BSD-2-Clause
// Puts the emulator's ACPI tables into memory, as its table loader's script says.
#pragma once

#include <cstdint>

namespace bulkhead::loader::rom {

// `allocate` gives page-aligned memory. The address of the RSDP, 0 if there are no tables. `begin` and
// `end`: what was allocated for tables.
[[nodiscard]] uint64_t load_acpi_tables(uint64_t (*allocate)(uint64_t bytes), uint64_t& begin, uint64_t& end);

}  // namespace bulkhead::loader::rom
