// SPDX-License-Identifier: BSD-2-Clause
// The bootable ELF file: the core's own, with what is loaded where it was, without its debug
// information, and with the compiled plan as one more segment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "boot/plan/bytes.hpp"
#include "boot/plan/elf_file.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

// What is needed of core.elf.
struct CoreImage {
    View file;
    ElfFile elf;
    uint64_t anchor_offset;   // in the file
    uint64_t physical_start;  // of what is loaded, .bss included
    uint64_t physical_end;
    uint64_t plan_physical;   // where the plan's segment goes: the next 2 MiB boundary
};

[[nodiscard]] Outcome<CoreImage> parse_core(View file);

// The whole file. Program headers stay within the first 32 KiB, where GRUB looks for them.
[[nodiscard]] Outcome<Bytes> write_image(const CoreImage& core, View compiled_plan);

// The compiled plan in an image that write_image() made.
[[nodiscard]] Outcome<View> plan_in_image(View image);

}  // namespace bulkhead::tool
