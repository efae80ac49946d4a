// SPDX-License-Identifier: BSD-2-Clause
// ELF notes and the headers around them: any bytes as a note section, and as a whole ELF file.
#include "tests/fuzz/plan_clang.hpp"

#include "boot/plan/elf_file.cpp"
#include "boot/plan/text.cpp"
#include "boot/plan/value.cpp"
#include "boot/plan/xen_notes.cpp"

using namespace bulkhead::tool;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const View bytes(data, size);
    ElfFile elf{bytes, 0, 0, {}, {}};
    elf.segments.push_back({PT_NOTE, 0, 0, 0, 0, size, bytes});
    if (const auto notes = parse_xen_notes(elf))
        (void)check_pv_notes(*notes).has_value();
    if (const auto file = parse_elf(bytes))
        (void)parse_xen_notes(*file).has_value();
    return 0;
}
