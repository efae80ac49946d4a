// SPDX-License-Identifier: BSD-2-Clause
// The ACPI tables of a `pvh` partition: its CPUs, and how it switches itself off. Hardware-reduced:
// no timer, no interrupt of its own. Source: ACPI Specification 6.4, chapters 4 and 5.
#pragma once

#include <cstdint>

#include "boot/plan/bytes.hpp"

namespace bulkhead::tool {

// All tables in a row for guest-physical address `base`, the RSDP first.
[[nodiscard]] Bytes make_acpi_tables(uint64_t base, uint32_t vcpus);

}  // namespace bulkhead::tool
