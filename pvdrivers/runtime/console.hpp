// SPDX-License-Identifier: BSD-2-Clause
// The runtime's side of <bulkhead/console.hpp>.
#pragma once

namespace bulkhead {

// Start-up, once events work: from now on the ring is used, if there is one.
void init_console();

}  // namespace bulkhead
