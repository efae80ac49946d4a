// SPDX-License-Identifier: BSD-2-Clause
// The page-table half of GNTTABOP_map_grant_ref and its reverse: the only way to a frame of another
// partition. Such an entry carries a mark that a guest cannot set; it holds no reference of its own:
// whoever maps takes one for the handle (get_frame() or get_writable_frame()) before, and puts it
// after unmap_grant_entry() and flush_grant_mappings().
//
// All need the mapper's `memory.lock` held (once for a batch), and no `grants` lock while they run.
#pragma once

#include "core/result.hpp"
#include "core/types.hpp"
#include "core/vcpu.hpp"

#include <cstdint>

namespace bulkhead {

struct GrantPlace {
    uint64_t address;        // guest-virtual; with contains_pte, machine address of the entry
    bool contains_pte;       // GNTMAP_contains_pte
};

struct GrantAccess {
    Mfn frame;
    bool writable;           // not GNTMAP_readonly
    uint8_t available;       // GNTMAP_guest_avail0: bits 9..11 of the entry
};

// Writes the entry; what it mapped before is dropped as an update by hypercall would.
// XEN_EINVAL: no L1 entry of the mapper there.
Result<> map_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access);

// Clears the entry. XEN_EINVAL: it is not there, or does not map that frame with that access.
Result<> unmap_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access);

// GNTTABOP_unmap_and_replace: moves the entry at `replacement` (virtual; 0: an empty one) there and
// leaves `replacement` empty.
Result<> replace_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access,
                             GuestVirtual replacement);

// No CPU's TLB has an entry of the mapper that was cleared before. Once for a batch of unmappings,
// before their references are put. The lock need not be held.
void flush_grant_mappings(Partition& mapper);

}  // namespace bulkhead
