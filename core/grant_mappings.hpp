// SPDX-License-Identifier: BSD-2-Clause
// The handles of a mapper. Each function takes the mapper's `grants` lock; a reserved handle belongs
// to who reserved it. Only core/grant*.cpp include this.
#pragma once

#include "core/grant_pin.hpp"
#include "core/grants.hpp"

#include <cstdint>

namespace bulkhead {

inline constexpr uint32_t no_handle = ~uint32_t{0};

// A free handle, or no_handle.
[[nodiscard]] uint32_t reserve_handle(GrantTable& table);
// A reserved one that is filled in is now mapped.
void activate_handle(GrantTable& table, uint32_t handle);
// Takes a mapped one back for its end; null: it is not one.
[[nodiscard]] GrantMapping* claim_handle(GrantTable& table, uint32_t handle);
// A reserved one.
void free_handle(GrantTable& table, uint32_t handle);

// The mapping is gone from every page table and TLB: drops the frame and the granter's pin, and frees
// the handle, which is reserved.
void end_mapping(Partition& mapper, uint32_t handle);

}  // namespace bulkhead
