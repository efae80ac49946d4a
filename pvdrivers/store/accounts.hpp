// SPDX-License-Identifier: BSD-2-Clause
// Who pays for nodes and cells. Every client has a quota; what belongs to other domains (the plan's
// nodes) is counted without one.
#pragma once

#include "pvdrivers/store/region.hpp"

namespace bulkhead::store {

// The client of a domain, null if it has none.
[[nodiscard]] store_client* client_of(Region& region, uint32_t domain);

// ENOSPC beyond the quota.
[[nodiscard]] Error pay(Region& region, store_client* client, uint32_t nodes, uint32_t cells);
// The same without a quota.
void charge(Region& region, store_client* client, uint32_t nodes, uint32_t cells);
void refund(Region& region, store_client* client, uint32_t nodes, uint32_t cells);

}  // namespace bulkhead::store
