// SPDX-License-Identifier: BSD-2-Clause
// The runtime's side of <bulkhead/slice.hpp>.
#pragma once

#include <cstddef>
#include <span>

namespace bulkhead {

// Start-up: the boot module is the slice if it is a valid one. False: it is not.
[[nodiscard]] bool init_slice(std::span<const std::byte> module);

}  // namespace bulkhead
