// SPDX-License-Identifier: BSD-2-Clause
// What the firmware's static ACPI tables say, gathered once at start. No AML is interpreted. Firmware
// data is not trusted: every length is checked, a table with a wrong checksum is left out and shown.
// Source: ACPI Specification 6.4, chapter "ACPI Software Programming Model".
#pragma once

#include "core/types.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace bulkhead {

// Source: "Generic Address Structure (GAS)".
struct AcpiRegister {
    enum Space : uint8_t { memory = 0, io = 1 };
    Space space;
    uint8_t width_bits;
    uint64_t address;       // 0: there is none
};

struct AcpiTable {
    std::array<char, 5> signature;
    std::array<char, 7> oem;
    uint8_t revision;
    bool usable;            // false: does not fit or has a wrong checksum
    HostPhysical address;
    uint32_t length;
};

struct AcpiIoApic {
    uint8_t id;
    HostPhysical address;
    uint32_t first_line;    // global interrupt number of its first input
};

// Where an ISA interrupt really goes. Source: "Interrupt Source Override Structure".
struct AcpiOverride {
    uint8_t isa_line;
    uint32_t line;
    bool active_low;
    bool level;
};

struct AcpiPciSegment {
    HostPhysical base;      // configuration space, 4 KiB a function
    uint16_t segment;
    uint8_t first_bus;
    uint8_t last_bus;
};

struct AcpiFacts {
    static constexpr size_t max_tables = 48;
    static constexpr size_t max_cpus = 64;

    bool present;                   // an RSDP and a root table were found
    uint8_t revision;
    const char* problem;            // a sentence, or null
    std::array<AcpiTable, max_tables> tables;
    uint32_t table_count;

    // MADT
    HostPhysical local_apic;
    bool has_pic;
    std::array<uint32_t, max_cpus> apic_ids;    // of the CPUs that are enabled, in the table's order
    uint32_t cpu_count;
    uint32_t cpus_beyond;                       // enabled, but more than fit
    std::array<AcpiIoApic, 8> io_apics;
    uint32_t io_apic_count;
    std::array<AcpiOverride, 16> overrides;
    uint32_t override_count;
    bool has_nmi_pin;
    uint8_t nmi_pin;                            // input of every local APIC that is wired to NMI

    // FADT
    bool hardware_reduced;
    bool has_keyboard_controller;
    AcpiRegister pm_timer;
    bool pm_timer_32bit;
    AcpiRegister reset;
    uint8_t reset_value;
    AcpiRegister pm1a_control;
    AcpiRegister pm1b_control;
    AcpiRegister sleep_control;
    bool can_power_off;                         // \_S5 was found
    uint8_t sleep_type_a;
    uint8_t sleep_type_b;

    HostPhysical hpet;                          // 0: none
    std::array<AcpiPciSegment, 4> pci_segments;
    uint32_t pci_segment_count;
    bool has_dmar;
    bool has_ivrs;
};

// Memory at a physical address, or null if the range cannot be looked at.
using AcpiView = const void* (*)(uint64_t address, uint64_t size_bytes);

// rsdp 0: searches the BIOS areas for it. `facts` is filled from scratch.
void read_acpi(AcpiView view, HostPhysical rsdp, AcpiFacts& facts);

// What was found at start.
[[nodiscard]] const AcpiFacts& acpi();
void init_acpi(AcpiView view, HostPhysical rsdp);

}  // namespace bulkhead
