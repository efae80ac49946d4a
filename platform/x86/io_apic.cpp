// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel 82093AA I/O APIC data sheet, "Register Description"; Intel 8259A data sheet.
#include "platform/x86/io_apic.hpp"

#include "core/spinlock.hpp"
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
constinit std::array<uint32_t, windows.size()> line_counts{};
// A register is reached in two steps.
constinit Spinlock select_lock{LockRank::device};

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
        line_counts[i] = line_count(windows[i]);
        for (uint32_t line = 0; line < line_counts[i]; ++line)
            write(windows[i], reg_first_entry + 2 * line, entry_masked);
    }
}

namespace {

struct Input {
    volatile void* window;      // null: there is none
    uint32_t entry;
    uint32_t io_apic_id;
};
constinit LineComposer composer{nullptr};
// Those of the start, to be made anew in another form.
constinit std::array<LineRoute, 8> early_routes{};
constinit uint32_t early_route_count{0};

Input find_input(uint32_t line)
{
    for (uint32_t i = 0; i < acpi().io_apic_count; ++i) {
        const uint32_t first = acpi().io_apics[i].first_line;
        if (line >= first && line - first < line_counts[i])
            return {windows[i], reg_first_entry + 2 * (line - first), acpi().io_apics[i].id};
    }
    return {nullptr, 0, 0};
}

bool route(uint32_t line, uint32_t entry_low, uint32_t apic_id)
{
    const Input input = find_input(line);
    if (input.window == nullptr)
        return false;
    uint32_t low = entry_low;
    uint32_t high = apic_id << 24;
    if (composer == nullptr ? apic_id > 0xFE : !composer({line, input.io_apic_id, entry_low, apic_id}, low, high))
        return false;
    const LockGuard guard(select_lock);
    write(input.window, input.entry, entry_masked);
    write(input.window, input.entry + 1, high);
    write(input.window, input.entry, low);
    return true;
}

void set_mask(uint32_t line, bool masked)
{
    const Input input = find_input(line);
    if (input.window == nullptr)
        return;
    const LockGuard guard(select_lock);
    const uint32_t low = read(input.window, input.entry);
    write(input.window, input.entry, masked ? low | entry_masked : low & ~entry_masked);
}

}  // namespace

bool route_isa_line(uint8_t isa_line, uint8_t vector, uint32_t apic_id)
{
    const AcpiOverride line = line_of(isa_line);
    const uint32_t low = vector | (line.level ? entry_level : 0) | (line.active_low ? entry_active_low : 0);
    if (early_route_count < early_routes.size())
        early_routes[early_route_count++] = {line.line, 0, low, apic_id};
    return route(line.line, low, apic_id);
}

bool compose_lines(LineComposer with)
{
    composer = with;
    bool all = true;
    for (uint32_t i = 0; i < early_route_count; ++i)
        all = route(early_routes[i].line, early_routes[i].low, early_routes[i].apic_id) && all;
    return all;
}

bool route_level_line(uint32_t line, bool active_low, uint8_t vector, uint32_t apic_id)
{
    return route(line, entry_masked | vector | entry_level | (active_low ? entry_active_low : 0), apic_id);
}

void mask_line(uint32_t line) { set_mask(line, true); }
void unmask_line(uint32_t line) { set_mask(line, false); }

}  // namespace bulkhead
