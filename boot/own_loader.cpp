// SPDX-License-Identifier: BSD-2-Clause
// BootInfo from one of our own loaders. Source: boot/handover.hpp.
#include "boot/handover.hpp"
#include "boot/loader_view.hpp"
#include "boot/memory_map.hpp"
#include "platform/x86/start_only.hpp"

#include <algorithm>

namespace bulkhead::boot {

namespace {

// The hand-over's memory is free afterwards, so the names move here.
constinit std::array<char, 32> entry_name{};
constinit std::array<char, 64> firmware_name{};

template <size_t N>
START_ONLY void take_text(const std::array<char, N>& from, char* to, size_t to_bytes)
{
    const size_t most = std::min(N, to_bytes) - 1;
    size_t length = 0;
    while (length < most && from[length] != '\0') {
        to[length] = from[length];
        ++length;
    }
    to[length] = '\0';
}

}  // namespace

START_ONLY const char* read_own_loader(PhysicalView view, uint64_t handover, BootInfo& info)
{
    const auto* from = static_cast<const Handover*>(view(handover, sizeof(Handover)));
    if (from == nullptr || handover % alignof(Handover) != 0)
        return "the loader's hand-over lies where it cannot be read.";
    if (from->magic != handover_magic || from->version != handover_version)
        return "the loader and this image are of different versions.";
    if (from->range_count == 0 || from->range_count > Handover::most_ranges)
        return "the loader's hand-over has no memory map.";
    if (from->plan % page_size != 0)
        return "the loader has put the plan at an odd address.";

    take_text(from->entry_name, entry_name.data(), entry_name.size());
    take_text(from->firmware, firmware_name.data(), firmware_name.size());
    take_text(from->command_line, info.command_line.data(), info.command_line.size());
    info.entry_name = entry_name.data();
    info.firmware = firmware_name.data();
    info.rsdp = HostPhysical(from->rsdp);
    info.smbios = HostPhysical(from->smbios);
    info.plan = HostPhysical(from->plan);
    info.plan_bytes = from->plan_bytes;
    info.slot = {std::min(from->slot.number, BootSlot::none), from->slot.on_trial != 0, from->slot.version,
                 from->slot.other_version, from->slot.health_seconds};

    MemoryMap map;
    for (uint32_t i = 0; i < from->range_count; ++i)
        map.add(from->ranges[i].base, from->ranges[i].size_bytes, from->ranges[i].type);
    map.finish(info);
    info.memory_map_truncated |= from->ranges_dropped != 0;
    return nullptr;
}

}  // namespace bulkhead::boot
