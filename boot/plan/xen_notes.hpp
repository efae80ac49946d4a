// SPDX-License-Identifier: BSD-2-Clause
// What a kernel says about itself in its Xen ELF notes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "boot/plan/elf_file.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

struct XenNotes {
    std::string guest_os;
    std::string guest_version;
    std::string xen_version;
    std::string loader;
    std::optional<uint64_t> entry;
    std::optional<uint64_t> hypercall_page;
    std::optional<uint64_t> virt_base;
    std::optional<uint64_t> paddr_offset;
    std::optional<uint64_t> init_p2m;
    std::optional<uint64_t> hv_start_low;
    std::optional<uint64_t> phys32_entry;
    uint32_t supported_features = 0;  // bit n is XENFEAT n
    uint32_t required_features = 0;
    bool mod_start_pfn = false;
    bool bsd_symtab = false;
    bool runtime_program = false;  // made with pvdrivers/runtime, whose link puts a note of its own in
    bool any = false;  // there was a Xen note at all
};

// From the note segments or, when these hold none of Xen's, from the note sections.
[[nodiscard]] Outcome<XenNotes> parse_xen_notes(const ElfFile& elf);

// Whether these notes are those of a kernel that runs as a 64-bit PV guest; else a sentence that
// names the note that is missing or wrong.
[[nodiscard]] Outcome<void> check_pv_notes(const XenNotes& notes);

}  // namespace bulkhead::tool
