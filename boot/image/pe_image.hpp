// SPDX-License-Identifier: BSD-2-Clause
// A UEFI application made of the UEFI loader's ELF file.
#pragma once

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

// `slot`: what it carries in its section .slot; empty: nothing, it looks for slots on its disk.
[[nodiscard]] Outcome<Bytes> make_efi(View loader_elf, View slot);

}  // namespace bulkhead::tool
