// SPDX-License-Identifier: BSD-2-Clause
// The end of the boot services: the map that the firmware gives last is the one that counts.
#include "boot/loader/uefi/firmware.hpp"
#include "boot/loader/uefi/memory_type.hpp"

#include <cstring>

namespace bulkhead::loader::uefi {

namespace {

constexpr uint64_t page_bytes = 4096;
constexpr uint64_t map_room = 0x20000;

struct Map {
    uint8_t* at;
    uint64_t bytes;
    uint64_t key;
    uint64_t entry_bytes;

    [[nodiscard]] MemoryDescriptor entry(uint64_t offset) const
    {
        MemoryDescriptor descriptor;
        memcpy(&descriptor, at + offset, sizeof(descriptor));
        return descriptor;
    }
};

bool read_map(BootServices& boot, Map& map)
{
    uint32_t version;
    map.bytes = map_room;
    return !failed(boot.get_memory_map(&map.bytes, map.at, &map.key, &map.entry_bytes, &version))
        && map.entry_bytes >= sizeof(MemoryDescriptor);
}

// Whether the firmware gives up every page that the core needs.
bool is_free(const Map& map, const CoreCopy& core)
{
    uint64_t covered = 0;
    for (uint64_t offset = 0; offset + sizeof(MemoryDescriptor) <= map.bytes; offset += map.entry_bytes) {
        const MemoryDescriptor entry = map.entry(offset);
        const uint64_t begin = entry.physical > core.to ? entry.physical : core.to;
        const uint64_t entry_end = entry.physical + entry.pages * page_bytes;
        const uint64_t core_end = core.to + core.memory_bytes;
        const uint64_t end = entry_end < core_end ? entry_end : core_end;
        if (begin < end && e820_type(entry.type) == e820_usable)
            covered += end - begin;
    }
    return covered >= core.memory_bytes;
}

void take_ranges(const Map& map, boot::Handover& handover)
{
    for (uint64_t offset = 0; offset + sizeof(MemoryDescriptor) <= map.bytes; offset += map.entry_bytes) {
        const MemoryDescriptor entry = map.entry(offset);
        add_range(handover, entry.physical, entry.pages * page_bytes, e820_type(entry.type));
    }
}

}  // namespace

const char* leave_firmware(const CoreCopy& core, boot::Handover& handover)
{
    constexpr unsigned most_tries = 8;      // an event may change the map between the two calls
    BootServices& boot = *own_image().system->boot;
    Map map{};
    map.at = reinterpret_cast<uint8_t*>(services().allocate(map_room, core.to, core.to + core.memory_bytes));
    if (map.at == nullptr)
        return "there is no memory for the memory map";
    if (!read_map(boot, map))
        return "the firmware gives no memory map";
    if (!is_free(map, core))
        return "the firmware keeps the memory from 2 MiB to 4 MiB, where the core belongs";
    for (unsigned i = 0; i < most_tries; ++i) {
        if (!failed(boot.exit_boot_services(own_image_handle(), map.key))) {
            take_ranges(map, handover);
            return nullptr;
        }
        if (!read_map(boot, map))
            break;
    }
    return "the firmware does not let go of the machine";
}

}  // namespace bulkhead::loader::uefi
