// SPDX-License-Identifier: BSD-2-Clause
// Making the grant tables at start, opening and ending them with each life of a partition.
#include "core/grants.hpp"

#include "core/boot_allocator.hpp"
#include "core/frames.hpp"
#include "core/grant_mappings.hpp"
#include "core/grant_own_table.hpp"
#include "core/grant_pin.hpp"
#include "core/panic.hpp"
#include "core/partition.hpp"
#include "machine/memory.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

// Of 24 bytes: one for each 128 frames of the mapper, which a back end of many front ends needs.
constexpr uint64_t frames_a_mapping = 128;
constexpr uint64_t mappings_at_least = 1024;
constexpr uint64_t mappings_at_most = 16384;

// A slice of resetting is about 20,000 instructions.
constexpr uint32_t mappings_a_slice = 128;
constexpr uint32_t frames_a_slice = 32;

void make_shared_entries(Partition& partition)
{
    GrantTable& table = partition.grants;
    table.max_frames = std::max<uint32_t>(partition.plan->grant_frames, 1);
    const uint32_t frames = table.max_frames + status_frames_for(table.max_frames);
    auto* first = boot_allocate(frames * page_size, page_size);
    table.entries = static_cast<std::atomic<uint64_t>*>(first);
    table.first_frame = frame_of(machine::physical_of(first));
    table.status = reinterpret_cast<GrantStatusWord*>(&table.entries[table.max_frames * grant_entries_per_frame]);
    table.version = 1;
    for (uint32_t i = 0; i < frames; ++i)
        init_shared_frame(table.first_frame + i, partition.id);
    table.uses = boot_allocate_array<GrantUse>(table.max_frames * grant_entries_per_frame).data();
}

void make_mappings(Partition& partition)
{
    GrantTable& table = partition.grants;
    const uint64_t wanted = partition.memory.max_frames / frames_a_mapping;
    table.mapping_count = static_cast<uint32_t>(std::clamp(wanted, mappings_at_least, mappings_at_most));
    table.mappings = boot_allocate_array<GrantMapping>(table.mapping_count).data();
    for (uint32_t i = 0; i < table.mapping_count; ++i)
        table.mappings[i].ref = i + 1;
}

// From here on nobody pins an entry; who has one pinned keeps it.
void close_table(GrantTable& table)
{
    const LockGuard guard(table.lock);
    table.open = false;
    table.version = 1;
    set_table_size(table, 0);
}

void drop_mappings(Partition& partition, uint32_t first, uint32_t end)
{
    for (uint32_t handle = first; handle < end; ++handle) {
        if (claim_handle(partition.grants, handle) != nullptr)
            end_mapping(partition, handle);
    }
}

}  // namespace

void init_grants(std::span<Partition> partitions)
{
    for (Partition& partition : partitions) {
        partition.grants.index = static_cast<uint16_t>(&partition - partitions.data());
        if (partition.vcpus.empty())
            continue;                                 // left out
        make_shared_entries(partition);
        make_mappings(partition);
    }
}

void init_grants(Partition& partition, const StartGrants& grants)
{
    GrantTable& table = partition.grants;
    ASSERT(first_foreign_holder(partition) == nullptr);
    const LockGuard guard(table.lock);
    const auto grant = [&](uint32_t ref, DomainId domain, Mfn frame) {
        if (frame != invalid_mfn)
            table.entries[ref].store(entry::make(GTF_permit_access, domain, frame), std::memory_order_release);
    };
    grant(GNTTAB_RESERVED_CONSOLE, DomainId(0), grants.console);
    grant(GNTTAB_RESERVED_XENSTORE, grants.store_domain, grants.store);
    set_table_size(table, 1);
    table.open = true;
}

bool reset_grants(Partition& partition)
{
    GrantTable& table = partition.grants;
    if (table.max_frames == 0)
        return true;
    close_table(table);
    // First all handles, then all frames, in one count.
    const uint32_t handles = table.mapping_count;
    if (table.reset_next < handles) {
        const uint32_t end = std::min(handles, table.reset_next + mappings_a_slice);
        drop_mappings(partition, table.reset_next, end);
        table.reset_next = end;
        return false;
    }
    const uint32_t frames = table.max_frames + status_frames_for(table.max_frames);
    const uint32_t first = table.reset_next - handles;
    const uint32_t end = std::min(frames, first + frames_a_slice);
    machine::clear_frames(machine::frame_pointer(table.first_frame + first), end - first);
    table.reset_next = end == frames ? 0 : handles + end;
    return end == frames;
}

Partition* first_foreign_holder(const Partition& partition)
{
    for (Partition& other : all_partitions()) {
        const auto& held = partition.grants.held_by[other.grants.index];
        if (&other != &partition && held.load(std::memory_order_acquire) != 0)
            return &other;
    }
    return nullptr;
}

GrantInfo grant_info(const Partition& partition, GrantRef ref)
{
    const GrantTable& table = partition.grants;
    if (ref.raw() >= table.max_frames * grant_entries_per_frame)
        return {};
    const GrantUse use = table.uses[ref.raw()];
    if (table.version == 2) {
        if (ref.raw() >= table.max_frames * grant_entries_per_frame_v2)
            return {};
        const GrantEntryV2& shared = entry_v2(table, ref.raw());
        const uint32_t header = shared.header.load(std::memory_order_relaxed);
        return {static_cast<uint16_t>(header), DomainId(static_cast<uint16_t>(header >> 16)),
                Mfn(shared.frame.load(std::memory_order_relaxed)), use.pins(), use.writers()};
    }
    const uint64_t value = table.entries[ref.raw()].load(std::memory_order_relaxed);
    return {entry::flags(value), entry::domain(value), entry::frame(value), use.pins(), use.writers()};
}

}  // namespace bulkhead
