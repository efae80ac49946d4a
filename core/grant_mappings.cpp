// SPDX-License-Identifier: BSD-2-Clause
// See grant_mappings.hpp.
#include "core/grant_mappings.hpp"

#include "core/partition.hpp"
#include "machine/nospec.hpp"

namespace bulkhead {

uint32_t reserve_handle(GrantTable& table)
{
    const LockGuard guard(table.lock);
    const uint32_t handle = table.first_free;
    if (handle == table.mapping_count)
        return no_handle;
    GrantMapping& mapping = table.mappings[handle];
    table.first_free = mapping.ref;
    mapping.state = MappingState::reserved;
    ++table.mappings_in_use;
    return handle;
}

void activate_handle(GrantTable& table, uint32_t handle)
{
    const LockGuard guard(table.lock);
    table.mappings[handle].state = MappingState::mapped;
}

GrantMapping* claim_handle(GrantTable& table, uint32_t handle)
{
    if (handle >= table.mapping_count)
        return nullptr;
    GrantMapping& mapping = table.mappings[machine::nospec_index(handle, table.mapping_count)];
    const LockGuard guard(table.lock);
    if (mapping.state != MappingState::mapped)
        return nullptr;
    mapping.state = MappingState::reserved;
    return &mapping;
}

void free_handle(GrantTable& table, uint32_t handle)
{
    const LockGuard guard(table.lock);
    GrantMapping& mapping = table.mappings[handle];
    mapping.state = MappingState::free;
    mapping.ref = table.first_free;
    table.first_free = handle;
    --table.mappings_in_use;
}

void end_mapping(Partition& mapper, uint32_t handle)
{
    const GrantMapping& mapping = mapper.grants.mappings[handle];
    const bool write = (mapping.flags & GNTMAP_readonly) == 0;
    drop_frame(mapping.frame, write);
    // The counts of another life are not this mapping's. A granter begins a new one only without
    // foreign holders, so this guards against a mistake of the core alone.
    Partition* granter = find_partition(mapping.granter);
    if (granter != nullptr && granter->generation == mapping.generation)
        unpin_grant(*granter, mapper, mapping.ref, write);
    free_handle(mapper.grants, handle);
}

}  // namespace bulkhead
