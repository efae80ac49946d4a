// SPDX-License-Identifier: BSD-2-Clause
// Giving grants, version 1 of the table. An entry that is free holds the number of the next free one.
// Source: xen/include/public/grant_table.h, "Introducing a valid entry" and "Invalidating a granted entry".
#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/runtime/grants.hpp"
#include "pvdrivers/runtime/hardware_guest.hpp"
#include "pvdrivers/runtime/layout.hpp"
#include "pvdrivers/runtime/spin_lock.hpp"
#include "pvdrivers/runtime/window.hpp"

#include <bulkhead/grants.hpp>

#include <atomic>

namespace bulkhead {

namespace {

using Entry = grant_entry_v1_t;
constexpr uint32_t entries_in_frame = page_bytes / sizeof(Entry);
constexpr uint32_t most_frames = 64;
constexpr uint32_t none = 0;            // reserved, so never free

SpinLock grant_lock;
Entry* frames[most_frames];
uint32_t frame_count;
uint32_t first_free = none;

Entry& entry_of(uint32_t ref) { return frames[ref / entries_in_frame][ref % entries_in_frame]; }

// By asking for all up to it again.
void* map_next_frame()
{
    xen_pfn_t list[most_frames];
    gnttab_setup_table_t setup = {};
    setup.dom = DOMID_SELF;
    setup.nr_frames = frame_count + 1;
    setup.frame_list.p = list;
    if (hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_setup_table, as_argument(&setup), 1) != 0 ||
        setup.status != GNTST_okay)
        return nullptr;
    long error = 0;
    return map_frame(Mfn(list[frame_count]), Rights::write, error);
}

bool grow_table()
{
    if (frame_count == most_frames)
        return false;
    void* at = hardware_guest != nullptr ? hardware_guest->place_grant_frame(frame_count) : map_next_frame();
    if (at == nullptr)
        return false;
    frames[frame_count] = static_cast<Entry*>(at);
    const uint32_t first = frame_count == 0 ? GNTTAB_NR_RESERVED_ENTRIES : frame_count * entries_in_frame;
    const uint32_t end = (frame_count + 1) * entries_in_frame;
    ++frame_count;
    for (uint32_t ref = end; ref-- > first;) {
        entry_of(ref).frame = first_free;
        first_free = ref;
    }
    return true;
}

}  // namespace

Result<GrantRef> grant(Domain to, const void* page, Access access)
{
    const Locked lock(grant_lock);
    if (first_free == none && !grow_table())
        return failure(XEN_ENOSPC);
    const uint32_t ref = first_free;
    Entry& entry = entry_of(ref);
    first_free = entry.frame;
    entry.domid = static_cast<domid_t>(to);
    entry.frame = static_cast<uint32_t>(machine_frame(page));
    const uint16_t flags = GTF_permit_access | (access == Access::read_only ? GTF_readonly : 0);
    std::atomic_ref(entry.flags).store(flags, std::memory_order_release);
    return GrantRef(ref);
}

Result<> revoke(GrantRef grant)
{
    const auto ref = static_cast<uint32_t>(grant);
    const Locked lock(grant_lock);
    if (ref < GNTTAB_NR_RESERVED_ENTRIES || ref / entries_in_frame >= frame_count)
        return failure(XEN_EINVAL);
    Entry& entry = entry_of(ref);
    std::atomic_ref flags(entry.flags);
    uint16_t seen = flags.load(std::memory_order_relaxed);
    do {
        if ((seen & GTF_type_mask) == GTF_invalid)
            return failure(XEN_EINVAL);
        if ((seen & (GTF_reading | GTF_writing)) != 0)
            return failure(XEN_EBUSY);
    } while (!flags.compare_exchange_weak(seen, 0, std::memory_order_acq_rel));
    entry.frame = first_free;
    first_free = ref;
    return {};
}

Errno errno_of_status(int16_t status)
{
    switch (status) {
    case GNTST_bad_domain: return XEN_ESRCH;
    case GNTST_bad_gntref: return XEN_ENOENT;
    case GNTST_permission_denied: return XEN_EPERM;
    case GNTST_no_space: return XEN_ENOSPC;
    case GNTST_address_too_big: return XEN_E2BIG;
    case GNTST_eagain: return XEN_EAGAIN;
    default: return XEN_EINVAL;
    }
}

}  // namespace bulkhead
