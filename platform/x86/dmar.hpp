// SPDX-License-Identifier: BSD-2-Clause
// The firmware's table of VT-d units, read with every length checked: it is input.
// Source: Intel Virtualization Technology for Directed I/O, "BIOS Considerations".
#pragma once

#include "platform/x86/acpi_reader.hpp"
#include "platform/x86/pci.hpp"

namespace bulkhead {

struct DmarScope {
    enum Kind : uint8_t { endpoint = 1, bridge = 2, io_apic = 3, hpet = 4, named = 5 };
    uint8_t kind;
    uint8_t id;                     // of an I/O APIC
    uint8_t bus;                    // where the path begins
    uint8_t hops;
    struct Hop {
        uint8_t device;
        uint8_t function;
    };
    static constexpr uint8_t most_hops = 8;
    std::array<Hop, most_hops> path;
};

struct DmarUnit {
    HostPhysical base;
    bool all_others;                // of its segment, beside what other units have
    uint16_t first_scope;
    uint16_t scopes;
};

// Memory that a device uses since before the start, such as a keyboard's for the firmware.
struct DmarReserved {
    uint64_t base;
    uint64_t last;
    uint16_t first_scope;
    uint16_t scopes;
};

struct DmarFacts {
    bool interrupt_remapping;
    uint8_t address_bits;
    std::array<DmarUnit, 16> units;
    uint32_t unit_count;
    std::array<DmarReserved, 16> reserved;
    uint32_t reserved_count;
    std::array<DmarScope, 128> scopes;
    uint32_t scope_count;
    const char* problem;            // a sentence, or null: then it cannot be used
};

void read_dmar(const acpi_reader::Bytes& table, DmarFacts& facts);

// Where a scope's path ends. `read` is of configuration space.
[[nodiscard]] PciAddress dmar_target(const DmarScope& scope, PciRead read);

}  // namespace bulkhead
