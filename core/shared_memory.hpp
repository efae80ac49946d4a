// SPDX-License-Identifier: BSD-2-Clause
// Memory that the plan lets several partitions share. It is domain 0's, that is the core's: made and
// zeroed at start, in no partition's life. A member maps it by domain 0's grant references, writable
// only if the plan says so, and rings its bell: a port of domain 0 whose notification reaches every
// other member that has bound it.
//
// A member's port of the bell is written under its own events lock.
#pragma once

#include "core/events.hpp"
#include "core/partition.hpp"
#include "core/plan.hpp"
#include "core/result.hpp"

namespace bulkhead {

// Start-up: the frames of all regions, after the tables of frames of the partitions.
void init_shared_memory(const plan::Header& header);

// The frame that a grant reference of domain 0 gives to a partition. XEN_EINVAL: it is no member's of
// that region, or there is none; XEN_EPERM: it may only read.
Result<Mfn> shared_frame(const Partition& member, uint32_t ref, bool write);

// EVTCHNOP_bind_interdomain with domain 0. XEN_ESRCH: it has no such port; XEN_EPERM: the partition is
// no member; XEN_EEXIST: bound already. Takes the events lock.
Result<uint32_t> bind_bell(Partition& member, uint32_t bell);
// A member's port of the bell is closed; its events lock is held.
void unbind_bell(const Partition& member, uint32_t bell);
// Sets the ports of all other members pending. Takes their events locks, one after the other.
void ring_bell(const Partition& sender, uint32_t bell);

// For the monitor: the region's name.
[[nodiscard]] const char* bell_name(uint32_t bell);

}  // namespace bulkhead
