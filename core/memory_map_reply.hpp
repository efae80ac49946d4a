// SPDX-License-Identifier: BSD-2-Clause
// The answer to XENMEM_memory_map. Source: xen/include/public/memory.h; ACPI Specification, "INT 15H, E820H",
// for the entries.
#pragma once

#include "core/result.hpp"
#include "core/types.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <cstdint>
#include <span>

extern "C" {
#include <xen/memory.h>
}

namespace bulkhead {

struct [[gnu::packed]] E820Entry {
    uint64_t address;
    uint64_t size_bytes;
    uint32_t type;
};
static_assert(sizeof(E820Entry) == 20);

constexpr E820Entry ram_entry(uint64_t first_frame, uint64_t frames)
{
    constexpr uint32_t ram = 1;
    return {first_frame << page_shift, frames << page_shift, ram};
}

// As many of the entries as the guest has room for.
inline Result<> write_memory_map(GuestVirtual argument, std::span<const E820Entry> entries)
{
    xen_memory_map_t map;
    if (!machine::read_guest(map, argument))
        return fail(XEN_EFAULT);
    map.nr_entries = std::min(map.nr_entries, static_cast<uint32_t>(entries.size()));
    const GuestVirtual buffer(reinterpret_cast<uint64_t>(map.buffer.p));
    if (!machine::copy_to_guest(buffer, entries.data(), map.nr_entries * sizeof(E820Entry)) ||
        !machine::write_guest(argument, map))
        return fail(XEN_EFAULT);
    return {};
}

}  // namespace bulkhead
