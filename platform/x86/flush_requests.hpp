// SPDX-License-Identifier: BSD-2-Clause
#pragma once

namespace bulkhead {

// Does what other CPUs have asked of this one's TLB. From the interrupt and from every wait loop.
void answer_flush_requests();

}  // namespace bulkhead
