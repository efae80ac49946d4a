// SPDX-License-Identifier: BSD-2-Clause
// A box without hardware partitions: for every test that has nothing to do with them. A test of hvm/cpu/
// brings the real table.
#include "core/hardware.hpp"

namespace bulkhead {

[[gnu::weak]] extern const HardwareOperations hardware_operations{};

}  // namespace bulkhead
