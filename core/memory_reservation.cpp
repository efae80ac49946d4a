// SPDX-License-Identifier: BSD-2-Clause
// See memory_reservation.hpp.
#include "core/memory_reservation.hpp"

#include "core/frame_references.hpp"
#include "core/hypercall.hpp"
#include "core/partition.hpp"
#include "core/pv/free_frames.hpp"
#include "core/pv/page_table.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <atomic>

extern "C" {
#include <xen/memory.h>
}

namespace bulkhead {

namespace {

// As for any domain without devices of its own.
constexpr unsigned largest_order = 9;
constexpr int32_t cost_of_frame_out = 700;
constexpr int32_t cost_of_frame_back = 60;
constexpr uint64_t unnumbered = ~uint64_t{0};

bool is_self(const Partition& partition, domid_t domain)
{
    return domain == DOMID_SELF || domain == partition.id.raw();
}

template <class Handle>
GuestVirtual element(const Handle& handle, uint64_t index)
{
    return GuestVirtual(reinterpret_cast<uint64_t>(handle.p) + index * sizeof(uint64_t));
}

bool below_limit(Mfn frame, uint64_t frames, unsigned flags)
{
    const unsigned bits = XENMEMF_get_address_bits(flags);
    return bits == 0 || bits >= 52 || (bits > page_shift && frame.raw() + frames <= uint64_t{1} << (bits - page_shift));
}

bool decrease(Partition& partition, const xen_memory_reservation_t& request, uint64_t index, WorkBudget& budget)
{
    uint64_t first;
    if (!machine::read_guest_u64(first, element(request.extent_start, index)))
        return false;
    const uint64_t count = uint64_t{1} << request.extent_order;
    budget.spend(static_cast<int32_t>(count) * cost_of_frame_back);
    for (uint64_t at = 0; at < count; ++at) {
        if (may_give_back(partition, Mfn(first + at)) != frame::ok)
            return false;
    }
    for (uint64_t at = 0; at < count; ++at)
        (void)give_back(partition, Mfn(first + at));
    return true;
}

// A frame is only had one by one: what a guest gave back lies anywhere.
bool increase(Partition& partition, const xen_memory_reservation_t& request, uint64_t index, bool at_pfn,
              WorkBudget& budget)
{
    uint64_t pfn = unnumbered;
    if (request.extent_order != 0)
        return false;
    if (at_pfn && !machine::read_guest_u64(pfn, element(request.extent_start, index)))
        return false;
    budget.spend(cost_of_frame_out);
    const Mfn frame = give_out(partition, pfn);
    if (frame == invalid_mfn)
        return false;
    const bool is_told = request.extent_start.p != nullptr;
    if (below_limit(frame, 1, request.mem_flags)
        && (!is_told || machine::write_guest_u64(element(request.extent_start, index), frame.raw())))
        return true;
    (void)give_back(partition, frame);
    return false;
}

bool change_extent(Partition& partition, const xen_memory_reservation_t& request, unsigned operation, uint64_t index,
                   WorkBudget& budget)
{
    if (operation == XENMEM_decrease_reservation)
        return decrease(partition, request, index, budget);
    return increase(partition, request, index, operation == XENMEM_populate_physmap, budget);
}

// --- Exchange --------------------------------------------------------------------------------------

bool is_legal(const Partition& partition, const xen_memory_exchange_t& request)
{
    const uint64_t in = request.in.nr_extents;
    const uint64_t out = request.out.nr_extents;
    constexpr uint64_t most = uint64_t{1} << 40;
    return in <= most && out <= most && in << request.in.extent_order == out << request.out.extent_order
        && request.nr_exchanged <= in && is_self(partition, request.in.domid)
        && is_self(partition, request.out.domid);
}

// As many extents as make one of the larger kind.
struct Chunk {
    uint64_t frames;
    uint64_t in_extents;
    uint64_t out_extents;
};

// The frames that a chunk gives up, if they lie in a row as one large extent.
Result<Mfn> frames_in_a_row(const Partition& partition, const xen_memory_exchange_t& request, const Chunk& chunk,
                            uint64_t number)
{
    uint64_t first = 0;
    for (uint64_t extent = 0; extent < chunk.in_extents; ++extent) {
        uint64_t frame = 0;
        const uint64_t index = number * chunk.in_extents + extent;
        if (!machine::read_guest_u64(frame, element(request.in.extent_start, index)))
            return fail(XEN_EFAULT);
        if (extent == 0)
            first = frame;
        if (frame != first + (extent << request.in.extent_order))
            return fail(XEN_ENOMEM);
    }
    for (uint64_t at = 0; at < chunk.frames; ++at) {
        if (may_give_back(partition, Mfn(first + at)) != frame::ok)
            return fail(XEN_EINVAL);
    }
    const bool aligned = chunk.out_extents > 1 || (first & (chunk.frames - 1)) == 0;
    if (!aligned || !below_limit(Mfn(first), chunk.frames, request.out.mem_flags))
        return fail(XEN_ENOMEM);
    return Mfn(first);
}

// The same frames under the numbers that the guest wants to give them.
Result<> rename(const xen_memory_exchange_t& request, const Chunk& chunk, uint64_t number, Mfn first)
{
    const uint64_t extent_frames = uint64_t{1} << request.out.extent_order;
    for (uint64_t extent = 0; extent < chunk.out_extents; ++extent) {
        const GuestVirtual place = element(request.out.extent_start, number * chunk.out_extents + extent);
        const Mfn frame = first + extent * extent_frames;
        uint64_t pfn = 0;
        if (!machine::read_guest_u64(pfn, place) || !machine::write_guest_u64(place, frame.raw()))
            return fail(XEN_EFAULT);
        for (uint64_t at = 0; at < extent_frames; ++at) {
            uint64_t& entry = machine::machine_to_phys()[frame.raw() + at];
            std::atomic_ref(entry).store(pfn + at, std::memory_order_relaxed);
        }
    }
    return {};
}

Result<> exchange_chunk(const Partition& partition, const xen_memory_exchange_t& request, const Chunk& chunk,
                        uint64_t number)
{
    const Mfn first = TRY(frames_in_a_row(partition, request, chunk, number));
    return rename(request, chunk, number, first);
}

Result<> exchange_chunks(Partition& partition, xen_memory_exchange_t& request)
{
    const unsigned order = std::max(request.in.extent_order, request.out.extent_order);
    const Chunk chunk{uint64_t{1} << order, uint64_t{1} << (order - request.in.extent_order),
                      uint64_t{1} << (order - request.out.extent_order)};
    if (request.nr_exchanged % chunk.in_extents != 0)
        return fail(XEN_EINVAL);
    WorkBudget budget;
    const LockGuard guard(partition.memory.lock);
    if (!finish_walk(partition, budget))
        return fail(XEN_ERESTART);
    while (request.nr_exchanged + chunk.in_extents <= request.in.nr_extents) {
        if (budget.is_spent())
            return fail(XEN_ERESTART);
        budget.spend(static_cast<int32_t>(chunk.frames) * cost_of_frame_back);
        TRY_VOID(exchange_chunk(partition, request, chunk, request.nr_exchanged / chunk.in_extents));
        request.nr_exchanged += chunk.in_extents;
    }
    return {};
}

}  // namespace

long change_reservation(Vcpu& vcpu, unsigned operation, uint32_t start, HypercallArguments& arguments)
{
    constexpr uint64_t most_extents = UINT32_MAX >> extent_shift;
    Partition& partition = *vcpu.partition;
    xen_memory_reservation_t request;
    if (!machine::read_guest(request, GuestVirtual(arguments.value[1])) || request.nr_extents > most_extents
        || start >= request.nr_extents || !is_self(partition, request.domid) || request.extent_order > largest_order)
        return start;
    WorkBudget budget;
    const LockGuard guard(partition.memory.lock);
    const bool walked = finish_walk(partition, budget);
    uint64_t index = start;
    // A refusal is one however much was spent on it: a large extent spends all before it is looked at.
    bool refused = false;
    while (walked && !refused && index < request.nr_extents && !budget.is_spent()) {
        refused = !change_extent(partition, request, operation, index, budget);
        index += !refused;
    }
    if (index == request.nr_extents || refused)
        return static_cast<long>(index);
    arguments.value[0] = operation | index << extent_shift;
    return hypercall_continue;
}

long exchange_memory(Vcpu& vcpu, HypercallArguments& arguments)
{
    Partition& partition = *vcpu.partition;
    const GuestVirtual argument(arguments.value[1]);
    xen_memory_exchange_t request;
    if (!machine::read_guest(request, argument))
        return negative(XEN_EFAULT);
    if (request.in.extent_order > largest_order || request.out.extent_order > largest_order)
        return negative(XEN_EPERM);
    if (!is_legal(partition, request))
        return negative(XEN_EINVAL);
    const Result<> result = exchange_chunks(partition, request);
    constexpr uint64_t count_at = offsetof(xen_memory_exchange_t, nr_exchanged);
    if (!machine::write_guest_u64(argument + count_at, request.nr_exchanged))
        return negative(XEN_EFAULT);
    if (!result.has_value() && result.error() == XEN_ERESTART)
        return hypercall_continue;
    return to_return_value(result);
}

}  // namespace bulkhead
