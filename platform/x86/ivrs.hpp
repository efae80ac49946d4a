// SPDX-License-Identifier: BSD-2-Clause
// The firmware's table of AMD-Vi units, read with every length checked: it is input.
// Source: AMD I/O Virtualization Technology (IOMMU) Specification, "I/O Virtualization ACPI Table".
#pragma once

#include "platform/x86/acpi_reader.hpp"
#include "platform/x86/pci.hpp"

namespace bulkhead {

struct IvrsUnit {
    HostPhysical base;
    PciAddress own;                 // the unit's own function
    uint8_t flags;                  // of its block
};

// Functions of a unit, by their ids.
struct IvrsRange {
    uint8_t unit;
    uint16_t first;
    uint16_t last;
};

// Functions whose transactions go by another id.
struct IvrsAlias {
    uint16_t first;
    uint16_t last;
    uint16_t id;
};

struct IvrsIoApic {
    uint8_t id;
    uint16_t requester;
};

// Memory that devices use since before the start.
struct IvrsReserved {
    uint16_t first;
    uint16_t last;
    uint64_t base;
    uint64_t bytes;
};

struct IvrsFacts {
    std::array<IvrsUnit, 8> units;
    uint32_t unit_count;
    std::array<IvrsRange, 64> ranges;
    uint32_t range_count;
    std::array<IvrsAlias, 32> aliases;
    uint32_t alias_count;
    std::array<IvrsIoApic, 8> io_apics;
    uint32_t io_apic_count;
    std::array<IvrsReserved, 16> reserved;
    uint32_t reserved_count;
    const char* problem;            // a sentence, or null: then it cannot be used
};

void read_ivrs(const acpi_reader::Bytes& table, IvrsFacts& facts);

}  // namespace bulkhead
