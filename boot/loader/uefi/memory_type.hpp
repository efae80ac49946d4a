// SPDX-License-Identifier: BSD-2-Clause
// UEFI's types of memory in E820's numbers. Source: UEFI Specification 2.10, "Memory Type Usage after
// ExitBootServices()"; ACPI Specification 6.4, "UEFI GetMemoryMap() Boot Services Function".
#pragma once

#include "boot/loader/uefi/abi.hpp"

namespace bulkhead::loader::uefi {

inline constexpr uint32_t e820_usable = 1;
inline constexpr uint32_t e820_reserved = 2;
inline constexpr uint32_t e820_acpi_reclaimable = 3;
inline constexpr uint32_t e820_acpi_nvs = 4;
inline constexpr uint32_t e820_bad = 5;

constexpr uint32_t e820_type(MemoryType type)
{
    switch (type) {
    case MemoryType::loader_code:
    case MemoryType::loader_data:
    case MemoryType::boot_services_code:
    case MemoryType::boot_services_data:
    case MemoryType::conventional:
        return e820_usable;
    case MemoryType::acpi_reclaim:
        return e820_acpi_reclaimable;
    case MemoryType::acpi_nvs:
        return e820_acpi_nvs;
    case MemoryType::unusable:
        return e820_bad;
    default:
        return e820_reserved;
    }
}

}  // namespace bulkhead::loader::uefi
