// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel 82371AB (PIIX4) data sheet, "PMBA", "PMREGMISC"; Intel ICH9 data sheet, "PMBASE",
// "ACPI_CNTL"; Intel 3 Series chipset data sheet, "PCIEXBAR".
#include "boot/loader/rom/chipset.hpp"

#include "boot/loader/load.hpp"
#include "boot/loader/rom/fw_cfg.hpp"
#include "platform/x86/instructions.hpp"

#include <cstring>

namespace bulkhead::loader::rom {

namespace {

constexpr uint16_t config_address = 0xcf8;
constexpr uint16_t config_data = 0xcfc;
constexpr uint16_t pm_ports = 0x600;
constexpr uint64_t config_window = 0xb000'0000;
constexpr uint64_t config_window_bytes = 0x1000'0000;

constexpr uint32_t i440fx = 0x1237'8086;
constexpr uint32_t q35 = 0x29c0'8086;

constexpr uint32_t function(uint32_t device, uint32_t number) { return 0x8000'0000 | device << 11 | number << 8; }

uint32_t read_config(uint32_t at, uint32_t offset)
{
    x86::out32(config_address, at | (offset & 0xfc));
    return x86::in32(config_data);
}

void write_config(uint32_t at, uint32_t offset, uint32_t value)
{
    x86::out32(config_address, at | (offset & 0xfc));
    x86::out32(config_data, value);
}

void write_config8(uint32_t at, uint32_t offset, uint8_t value)
{
    x86::out32(config_address, at | (offset & 0xfc));
    x86::out8(static_cast<uint16_t>(config_data + (offset & 3)), value);
}

uint8_t read_cmos(uint8_t index)
{
    x86::out8(0x70, index);
    return x86::in8(0x71);
}

bool read_map_file(boot::Handover& map)
{
    struct [[gnu::packed]] Entry {
        uint64_t base;
        uint64_t size_bytes;
        uint32_t type;
    };
    constexpr uint32_t most = 64;
    static constinit std::array<Entry, most> entries;
    const ConfigFile file = find_config_file("etc/e820");
    if (file.bytes == 0 || file.bytes > sizeof(entries))
        return false;
    read_config_file(file, entries.data());
    for (uint32_t i = 0; i < file.bytes / sizeof(Entry); ++i)
        add_range(map, entries[i].base, entries[i].size_bytes, entries[i].type);
    return true;
}

// Source: Ralf Brown's list of CMOS registers, 34h and 35h: memory above 16 MiB in units of 64 KiB.
bool read_map_cmos(boot::Handover& map)
{
    constexpr uint64_t unit = 0x10000;
    constexpr uint64_t above = 16 << 20;
    const uint64_t units = read_cmos(0x34) | uint64_t{read_cmos(0x35)} << 8;
    if (units == 0)
        return false;
    add_range(map, 0, above + units * unit, 1);
    return true;
}

}  // namespace

void set_up_chipset(boot::Handover& map)
{
    const uint32_t host = read_config(function(0, 0), 0);
    if (host == i440fx) {
        constexpr uint32_t power = function(1, 3);
        write_config(power, 0x40, pm_ports | 1);
        write_config8(power, 0x80, 1);
    }
    if (host == q35) {
        constexpr uint32_t lpc = function(31, 0);
        write_config(lpc, 0x40, pm_ports | 1);
        write_config8(lpc, 0x44, 0x80);
        write_config(function(0, 0), 0x64, 0);
        write_config(function(0, 0), 0x60, static_cast<uint32_t>(config_window) | 1);
        add_range(map, config_window, config_window_bytes, 2);
    }
}

// What a PC has below 1 MiB beside memory is not in the emulator's list.
bool read_memory_map(boot::Handover& map)
{
    const bool known = (fw_cfg_present() && read_map_file(map)) || read_map_cmos(map);
    add_range(map, 0xa0000, 0x60000, 2);
    return known;
}

}  // namespace bulkhead::loader::rom
