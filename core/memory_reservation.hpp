// SPDX-License-Identifier: BSD-2-Clause
// The operations of HYPERVISOR_memory_op that move frames between a guest and its partition's own
// list. Source: xen/include/public/memory.h, struct xen_memory_reservation and xen_memory_exchange.
#pragma once

#include "core/guest_frame.hpp"
#include "core/vcpu.hpp"

#include <cstdint>

namespace bulkhead {

// The upper bits of the operation's number are ours: where a continued call goes on.
inline constexpr unsigned extent_shift = 6;
inline constexpr uint32_t operation_mask = (1u << extent_shift) - 1;

// XENMEM_increase_reservation, _decrease_reservation, _populate_physmap: returns the number of
// extents done, also where one of them fails. `start`: those done by earlier calls.
long change_reservation(Vcpu& vcpu, unsigned operation, uint32_t start, HypercallArguments& arguments);

// XENMEM_exchange. Frames come back where they went: what can be had is the same frames under other
// numbers, which includes larger extents where those given up lie in a row.
long exchange_memory(Vcpu& vcpu, HypercallArguments& arguments);

}  // namespace bulkhead
