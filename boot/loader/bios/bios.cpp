// SPDX-License-Identifier: BSD-2-Clause
// Source: EDD-3 (INT 13h, AH 42h, 43h, 48h); ACPI Specification 6.4, "INT 15H, E820H".
#include "boot/loader/bios/bios.hpp"

#include "boot/loader/bios/places.hpp"
#include "boot/loader/serial.hpp"

#include <algorithm>
#include <cstring>

extern "C" {
extern bulkhead::loader::bios::BiosRegisters bios_registers;
extern uint8_t bios_packet[32];
void bios_interrupt(uint8_t number);
}

namespace bulkhead::loader::bios {

namespace {

constexpr uint32_t most_sectors = BIOS_BOUNCE_BYTES / sector_bytes;

// Source: EDD-3, "Device Address Packet".
struct Packet {
    uint8_t bytes;
    uint8_t reserved;
    uint16_t sectors;
    uint16_t offset;
    uint16_t segment;
    uint64_t first;
};
static_assert(sizeof(Packet) == 16);

constinit uint8_t boot_drive{0};

uint32_t packet_address() { return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(bios_packet)); }
uint8_t* bounce() { return reinterpret_cast<uint8_t*>(uintptr_t{BIOS_BOUNCE}); }

bool transfer(uint32_t function, uint64_t sector, uint32_t count)
{
    constexpr unsigned tries = 3;       // the first access of a stick that has just spun up may fail
    for (unsigned i = 0; i < tries; ++i) {
        const Packet packet{sizeof(Packet), 0, static_cast<uint16_t>(count), 0, BIOS_BOUNCE >> 4, sector};
        memcpy(bios_packet, &packet, sizeof(packet));
        const BiosRegisters out = call(0x13, {.eax = function, .ebx = 0, .ecx = 0, .edx = boot_drive,
                                              .esi = packet_address(), .edi = 0, .es = 0, .flags = 0});
        if (!out.carry())
            return true;
        static_cast<void>(call(0x13, {.eax = 0, .ebx = 0, .ecx = 0, .edx = boot_drive, .esi = 0, .edi = 0, .es = 0, .flags = 0}));
    }
    return false;
}

bool read_drive(void*, uint64_t sector, uint32_t count, void* to)
{
    constexpr uint32_t extended_read = 0x4200;
    auto* at = static_cast<uint8_t*>(to);
    while (count != 0) {
        const uint32_t piece = std::min(count, most_sectors);
        if (!transfer(extended_read, sector, piece))
            return false;
        memcpy(at, bounce(), piece * sector_bytes);
        at += piece * sector_bytes;
        sector += piece;
        count -= piece;
    }
    return true;
}

bool write_drive(void*, uint64_t sector, uint32_t count, const void* from)
{
    constexpr uint32_t extended_write = 0x4300;
    if (count > most_sectors)
        return false;
    memcpy(bounce(), from, count * sector_bytes);
    return transfer(extended_write, sector, count);
}

}  // namespace

BiosRegisters call(uint8_t number, const BiosRegisters& in)
{
    bios_registers = in;
    bios_interrupt(number);
    return bios_registers;
}

void say(const char* text)
{
    constexpr uint32_t teletype = 0x0e00;
    for (; *text != '\0'; ++text) {
        if (*text == '\n')
            static_cast<void>(call(0x10, {.eax = teletype | '\r', .ebx = 7, .ecx = 0, .edx = 0, .esi = 0, .edi = 0, .es = 0, .flags = 0}));
        static_cast<void>(call(0x10, {.eax = teletype | static_cast<uint8_t>(*text), .ebx = 7, .ecx = 0, .edx = 0, .esi = 0, .edi = 0, .es = 0, .flags = 0}));
        serial_put(*text);
    }
}

const char* open_drive(uint8_t drive, Disk& disk)
{
    // Source: EDD-3, "Get Device Parameters"; the first version of its result.
    struct [[gnu::packed]] Parameters {
        uint16_t bytes;
        uint16_t flags;
        std::array<uint32_t, 3> geometry;
        uint64_t sectors;
        uint16_t sector_bytes;
    };
    static_assert(sizeof(Parameters) == 26);
    boot_drive = drive;
    Parameters parameters{};
    parameters.bytes = sizeof(Parameters);
    memcpy(bios_packet, &parameters, sizeof(parameters));
    const BiosRegisters out = call(0x13, {.eax = 0x4800, .ebx = 0, .ecx = 0, .edx = drive, .esi = packet_address(),
                                          .edi = 0, .es = 0, .flags = 0});
    memcpy(&parameters, bios_packet, sizeof(parameters));
    if (out.carry() || parameters.sectors == 0)
        return "the BIOS does not say how large the disk is";
    if (parameters.sector_bytes != sector_bytes)
        return "the disk has no sectors of 512 bytes";
    disk = {read_drive, write_drive, nullptr, parameters.sectors - 1};
    return nullptr;
}

bool read_memory_map(boot::Handover& map)
{
    constexpr uint32_t mark = 0x534d4150;       // "SMAP"
    constexpr unsigned most_calls = 1024;
    struct Entry {
        uint64_t base;
        uint64_t size_bytes;
        uint32_t type;
    };
    uint32_t next = 0;
    for (unsigned i = 0; i < most_calls; ++i) {
        const BiosRegisters out = call(0x15, {.eax = 0xe820, .ebx = next, .ecx = 20, .edx = mark, .esi = 0,
                                              .edi = packet_address(), .es = 0, .flags = 0});
        if (out.eax != mark || out.carry() || out.ecx < 20)
            break;
        Entry entry;
        memcpy(&entry, bios_packet, 20);
        add_range(map, entry.base, entry.size_bytes, entry.type);
        next = out.ebx;
        if (next == 0)
            break;
    }
    return map.range_count != 0;
}

}  // namespace bulkhead::loader::bios
