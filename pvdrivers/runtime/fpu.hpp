// SPDX-License-Identifier: BSD-2-Clause
// Vector registers beyond SSE, on the calling vCPU.
#pragma once

namespace bulkhead {

// Switches on every register state that the hypervisor offers (AVX, AVX-512), if it offers any.
void enable_vector_registers();

}  // namespace bulkhead
