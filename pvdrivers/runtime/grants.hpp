// SPDX-License-Identifier: BSD-2-Clause
// The runtime's side of <bulkhead/grants.hpp>.
#pragma once

#include <bulkhead/result.hpp>

#include <cstdint>

namespace bulkhead {

// GNTST_* as the nearest errno.
[[nodiscard]] Errno errno_of_status(int16_t status);

}  // namespace bulkhead
