// SPDX-License-Identifier: BSD-2-Clause
// Makes the one memory map of BootInfo out of what a firmware lists: sorted, without overlaps. Where
// entries overlap, the one that forbids more wins. Allocates nothing, trusts no length.
#pragma once

#include "core/boot_info.hpp"

#include <array>
#include <cstdint>
#include <span>

namespace bulkhead::boot {

class MemoryMap {
public:
    // Takes one entry of a firmware in its own numbering; an unknown type counts as reserved, an
    // empty one is ignored, one that wraps around is cut at the end of the address space.
    void add(uint64_t base, uint64_t size_bytes, uint32_t type);
    // Writes the result. Entries beyond what fits are dropped and `memory_map_truncated` is set:
    // what is not in the map is not used.
    void finish(BootInfo& info) const;

private:
    struct Entry {
        uint64_t begin;
        uint64_t end;
        MemoryKind kind;
    };
    [[nodiscard]] MemoryKind kind_of(uint64_t address, bool& covered) const;

    std::array<Entry, 256> entries_{};
    uint32_t count_{0};
    bool truncated_{false};
};

}  // namespace bulkhead::boot
