// SPDX-License-Identifier: BSD-2-Clause
#pragma once

#include "boot/plan/bytes.hpp"
#include "boot/plan/elf_file.hpp"

namespace bulkhead::tool {

// The ELF file without what no loader and no back trace needs (debug information, comments): loaded
// content stays at its file offsets; .symtab and its names follow it.
[[nodiscard]] Bytes without_debug_sections(const ElfFile& elf);

}  // namespace bulkhead::tool
