// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel 82093AA I/O APIC data sheet, "Register Description"; Intel 8259A data sheet.
#include "platform/x86/io_apic.hpp"

#include "machine/core_space.hpp"
#include "platform/x86/acpi.hpp"
#include "platform/x86/instructions.hpp"

#include <array>

namespace bulkhead {

namespace {

constexpr uint32_t select_offset = 0x00;
constexpr uint32_t data_offset = 0x10;
constexpr uint32_t reg_version = 0x01;
constexpr uint32_t reg_first_entry = 0x10;

constexpr uint32_t entry_masked = 1u << 16;
constexpr uint32_t entry_level = 1u << 15;
constexpr uint32_t entry_active_low = 1u << 13;

constinit std::array<volatile void*, std::tuple_size_v<decltype(AcpiFacts::io_apics)>> windows{};

uint32_t read(volatile void* window, uint32_t reg)
{
    x86::write_register<uint32_t>(window, select_offset, reg);
    return x86::read_register<uint32_t>(window, data_offset);
}

void write(volatile void* window, uint32_t reg, uint32_t value)
{
    x86::write_register<uint32_t>(window, select_offset, reg);
    x86::write_register<uint32_t>(window, data_offset, value);
}

uint32_t line_count(volatile void* window) { return ((read(window, reg_version) >> 16) & 0xFF) + 1; }

// Moved off the exceptions' vectors, so that a spurious one means nothing, and masked.
void switch_off_8259()
{
    constexpr uint16_t master = 0x20;
    constexpr uint16_t slave = 0xA0;
    constexpr uint8_t initialise = 0x11;
    constexpr uint8_t master_vector = 0x20;
    constexpr uint8_t slave_vector = 0x28;
    x86::out8(master, initialise);
    x86::out8(slave, initialise);
    x86::out8(master + 1, master_vector);
    x86::out8(slave + 1, slave_vector);
    x86::out8(master + 1, 4);
    x86::out8(slave + 1, 2);
    x86::out8(master + 1, 1);
    x86::out8(slave + 1, 1);
    x86::out8(master + 1, 0xFF);
    x86::out8(slave + 1, 0xFF);
}

AcpiOverride line_of(uint8_t isa_line)
{
    const AcpiFacts& facts = acpi();
    for (uint32_t i = 0; i < facts.override_count; ++i)
        if (facts.overrides[i].isa_line == isa_line)
            return facts.overrides[i];
    return {isa_line, isa_line, false, false};
}

}  // namespace

void init_interrupt_lines()
{
    switch_off_8259();
    for (uint32_t i = 0; i < acpi().io_apic_count; ++i) {
        windows[i] = machine::map_device(acpi().io_apics[i].address, page_size);
        const uint32_t lines = line_count(windows[i]);
        for (uint32_t line = 0; line < lines; ++line)
            write(windows[i], reg_first_entry + 2 * line, entry_masked);
    }
}

bool route_isa_line(uint8_t isa_line, uint8_t vector, uint32_t apic_id)
{
    const AcpiOverride line = line_of(isa_line);
    if (apic_id > 0xFE)
        return false;
    for (uint32_t i = 0; i < acpi().io_apic_count; ++i) {
        const uint32_t first = acpi().io_apics[i].first_line;
        if (line.line < first || line.line - first >= line_count(windows[i]))
            continue;
        const uint32_t entry = reg_first_entry + 2 * (line.line - first);
        write(windows[i], entry + 1, apic_id << 24);
        write(windows[i], entry,
              vector | (line.level ? entry_level : 0) | (line.active_low ? entry_active_low : 0));
        return true;
    }
    return false;
}

}  // namespace bulkhead
