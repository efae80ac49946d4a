// SPDX-License-Identifier: BSD-2-Clause
#include "boot/memory_map.hpp"
#include "platform/x86/start_only.hpp"

#include <algorithm>
#include <tuple>

namespace bulkhead::boot {

namespace {

// What forbids more has the higher rank.
unsigned rank(MemoryKind kind)
{
    switch (kind) {
    case MemoryKind::usable: return 0;
    case MemoryKind::acpi_reclaimable: return 1;
    case MemoryKind::acpi_nvs: return 2;
    case MemoryKind::reserved: return 3;
    case MemoryKind::bad: return 4;
    }
    return 3;
}

MemoryKind kind_of_type(uint32_t type)
{
    if (type >= 1 && type <= 5)
        return static_cast<MemoryKind>(type);
    return MemoryKind::reserved;
}

}  // namespace

START_ONLY void MemoryMap::add(uint64_t base, uint64_t size_bytes, uint32_t type)
{
    if (size_bytes == 0)
        return;
    if (count_ == entries_.size()) {
        truncated_ = true;
        return;
    }
    const uint64_t end = base + size_bytes < base ? ~uint64_t{0} : base + size_bytes;
    entries_[count_++] = {base, end, kind_of_type(type)};
}

START_ONLY MemoryKind MemoryMap::kind_of(uint64_t address, bool& covered) const
{
    MemoryKind kind = MemoryKind::usable;
    covered = false;
    for (const Entry& entry : std::span(entries_).first(count_)) {
        if (address < entry.begin || address >= entry.end)
            continue;
        if (!covered || rank(entry.kind) > rank(kind))
            kind = entry.kind;
        covered = true;
    }
    return kind;
}

// Between two neighbouring boundaries nothing changes, so one look at each such piece is enough.
START_ONLY void MemoryMap::finish(BootInfo& info) const
{
    std::array<uint64_t, 2 * std::tuple_size_v<decltype(entries_)>> boundaries;
    uint32_t boundary_count = 0;
    for (const Entry& entry : std::span(entries_).first(count_)) {
        boundaries[boundary_count++] = entry.begin;
        boundaries[boundary_count++] = entry.end;
    }
    std::sort(boundaries.begin(), boundaries.begin() + boundary_count);

    info.memory_map_count = 0;
    info.memory_map_truncated = truncated_;
    MemoryMapEntry* last = nullptr;
    for (uint32_t i = 0; i + 1 < boundary_count; ++i) {
        const uint64_t begin = boundaries[i];
        const uint64_t size = boundaries[i + 1] - begin;
        bool covered;
        const MemoryKind kind = kind_of(begin, covered);
        if (size == 0 || !covered)
            continue;
        if (last != nullptr && last->kind == kind && last->base.raw() + last->size_bytes == begin) {
            last->size_bytes += size;
            continue;
        }
        if (info.memory_map_count == info.memory_map.size()) {
            info.memory_map_truncated = true;
            return;
        }
        last = &info.memory_map[info.memory_map_count++];
        *last = {HostPhysical(begin), size, kind};
    }
}

}  // namespace bulkhead::boot
