// SPDX-License-Identifier: BSD-2-Clause
// A look at a hardware guest's memory from outside, by its own page tables.
#pragma once

#include "core/guest_paging.hpp"

namespace bulkhead {

struct Partition;
struct Vcpu;

// Own CPU, the vCPU is loaded and has been entered: keeps what the two below go by.
void keep_paging(Vcpu& vcpu);
// HardwareOperations::paging and look.
[[nodiscard]] GuestPaging kept_paging(const Vcpu& vcpu);
[[nodiscard]] GuestPlace look(const Partition& partition, const GuestPaging& paging, uint64_t address);

}  // namespace bulkhead
