// SPDX-License-Identifier: BSD-2-Clause
// The sub-operations of GRANT_TABLE_OP. Each returns what the hypercall returns, hypercall_continue
// included; `arguments` are its own: operation, list, and the count of records, which fits an int.
// Source: xen/include/public/grant_table.h.
#pragma once

#include "core/hypercall.hpp"

namespace bulkhead {

// core/grant_map.cpp
long map_grants(Vcpu& vcpu, HypercallArguments& arguments);
// core/grant_unmap.cpp
long unmap_grants(Vcpu& vcpu, HypercallArguments& arguments);
long unmap_and_replace_grants(Vcpu& vcpu, HypercallArguments& arguments);
// core/grant_copy.cpp; copy_grant() is for a list of one.
long copy_grants(Vcpu& vcpu, HypercallArguments& arguments);
long copy_grant(Vcpu& vcpu, GuestVirtual place);
// core/grant_setup.cpp
long setup_grant_table(Vcpu& vcpu, HypercallArguments& arguments);
long query_grant_size(Vcpu& vcpu, HypercallArguments& arguments);
long get_grant_version(Vcpu& vcpu, HypercallArguments& arguments);
long set_grant_version(Vcpu& vcpu, HypercallArguments& arguments);
long get_grant_status_frames(Vcpu& vcpu, HypercallArguments& arguments);
long swap_grants(Vcpu& vcpu, HypercallArguments& arguments);
// Makes the table large enough for its frame `last_frame`. False: it may not be that large.
[[nodiscard]] bool grow_grant_table(Partition& self, uint64_t last_frame);

}  // namespace bulkhead
