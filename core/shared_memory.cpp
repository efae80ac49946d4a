// SPDX-License-Identifier: BSD-2-Clause
// See shared_memory.hpp. The host tool numbers grants and bells in a row, and the plan's check holds it
// to that.
#include "core/shared_memory.hpp"

#include "core/boot_allocator.hpp"
#include "core/event_table.hpp"
#include "core/frames.hpp"
#include "core/plan_check.hpp"
#include "machine/memory.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

struct Member {
    Partition* partition;
    bool writable;
    std::atomic<uint32_t> port;          // 0: has not bound the bell
};

struct Region {
    const plan::SharedRegion* plan;
    Mfn first;                           // its frames lie in a row
    std::span<Member> members;
};

constinit std::span<Region> regions{};

void make_region(const plan::Header& header, const plan::SharedRegion& plan, Region& region)
{
    void* memory = boot_allocate(plan.frames * page_size, page_size);
    region.plan = &plan;
    region.first = frame_of(machine::physical_of(memory));
    for (uint64_t i = 0; i < plan.frames; ++i)
        init_core_frame(region.first + i);
    const auto planned = plan::table<plan::SharedMember>(header, plan.members);
    region.members = boot_allocate_array<Member>(planned.size());
    for (size_t i = 0; i < planned.size(); ++i) {
        region.members[i].partition = &all_partitions()[planned[i].partition];
        region.members[i].writable = planned[i].writable != 0;
    }
}

Member* find_member(const Region& region, const Partition& partition)
{
    for (Member& member : region.members) {
        if (member.partition == &partition)
            return &member;
    }
    return nullptr;
}

const Region* region_of_bell(uint32_t bell)
{
    return bell - 1 < regions.size() ? &regions[machine::nospec_index(bell - 1, regions.size())] : nullptr;
}

}  // namespace

void init_shared_memory(const plan::Header& header)
{
    const auto planned = plan::table<plan::SharedRegion>(header, header.shared_regions);
    regions = boot_allocate_array<Region>(planned.size());
    for (size_t i = 0; i < planned.size(); ++i)
        make_region(header, planned[i], regions[i]);
}

Result<Mfn> shared_frame(const Partition& member, uint32_t ref, bool write)
{
    for (const Region& region : regions) {
        const uint32_t place = ref - region.plan->first_grant;
        if (place >= region.plan->frames)
            continue;
        const Member* found = find_member(region, member);
        if (found == nullptr)
            return fail(XEN_EINVAL);
        if (write && !found->writable)
            return fail(XEN_EPERM);
        return region.first + machine::nospec_index(place, region.plan->frames);
    }
    return fail(XEN_EINVAL);
}

Result<uint32_t> bind_bell(Partition& member, uint32_t bell)
{
    const Region* region = region_of_bell(bell);
    if (region == nullptr)
        return fail(XEN_ESRCH);
    Member* found = find_member(*region, member);
    if (found == nullptr)
        return fail(XEN_EPERM);
    const LockGuard guard(member.events.lock);
    if (found->port.load(std::memory_order_relaxed) != 0)
        return fail(XEN_EEXIST);
    const uint32_t port = TRY(find_free_port(member));
    open_port(member, port, {PortState::bell, 0, 0, bell});
    found->port.store(port, std::memory_order_release);
    // Somebody may have rung before there was anybody to hear it.
    raise_event(member, port, member.vcpus[0]);
    return port;
}

void unbind_bell(const Partition& member, uint32_t bell)
{
    if (const Region* region = region_of_bell(bell); region != nullptr) {
        if (Member* found = find_member(*region, member); found != nullptr)
            found->port.store(0, std::memory_order_relaxed);
    }
}

void ring_bell(const Partition& sender, uint32_t bell)
{
    const Region* region = region_of_bell(bell);
    if (region == nullptr)
        return;
    for (const Member& member : region->members) {
        if (member.partition == &sender || member.port.load(std::memory_order_acquire) == 0)
            continue;
        Partition& other = *member.partition;
        const LockGuard guard(other.events.lock);
        if (const uint32_t port = member.port.load(std::memory_order_relaxed); port != 0)
            raise_event(other, port, other.vcpus[load_channel(other.events, port).vcpu]);
    }
}

const char* bell_name(uint32_t bell)
{
    const Region* region = region_of_bell(bell);
    return region != nullptr ? region->plan->name.data() : "?";
}

}  // namespace bulkhead
