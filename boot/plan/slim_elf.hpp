// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "boot/plan/bytes.hpp"
#include "boot/plan/elf_file.hpp"

namespace bulkhead::tool {

// The ELF file without what no loader needs: debug information, comments, and the symbols, of which the
// compiled plan holds those that back traces name. Loaded content stays at its file offsets.
[[nodiscard]] Bytes loaded_sections_only(const ElfFile& elf);

}  // namespace bulkhead::tool
