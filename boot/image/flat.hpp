// SPDX-License-Identifier: BSD-2-Clause
// Loaders that no firmware understands as ELF: their memory as it is, from the lowest address up.
#pragma once

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

struct Flat {
    uint64_t address;
    Bytes content;
};
[[nodiscard]] Outcome<Flat> flat_image(View elf);

// The BIOS loader: its boot sector, and what that loads.
struct BiosParts {
    Bytes boot_sector;
    Bytes second_stage;
};
[[nodiscard]] Outcome<BiosParts> split_bios(View elf);

}  // namespace bulkhead::tool
