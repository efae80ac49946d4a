// SPDX-License-Identifier: BSD-2-Clause
// The content of a flash chip: two slots, the selector's state, and at the end the loader with the
// reset vector. And the payload that coreboot's tools take.
#pragma once

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

// `flash_bytes` 0: the smallest power of two of at least 1 MiB that holds two such slots.
[[nodiscard]] Outcome<Bytes> make_rom(View loader_elf, View slot, uint64_t flash_bytes);

// The image with nothing in it but what is loaded. `flash_bytes`: of the chip that it has to fit into.
[[nodiscard]] Outcome<Bytes> make_payload(View image, uint64_t flash_bytes);

}  // namespace bulkhead::tool
