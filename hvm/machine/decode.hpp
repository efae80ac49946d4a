// SPDX-License-Identifier: BSD-2-Clause
// From the bytes of an instruction to the answer that the core understands (pvdrivers/abi/machine.h).
#pragma once

#include "pvdrivers/abi/machine.h"

#include <cstdint>

namespace bulkhead::machine_service {

// Any contents are allowed. The ticket is in the answer; what the core knows no word for is answered with
// BULKHEAD_DOES_nothing_known.
[[nodiscard]] uint64_t decode(const bulkhead_instruction& question);

}  // namespace bulkhead::machine_service
