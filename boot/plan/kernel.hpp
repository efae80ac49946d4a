// SPDX-License-Identifier: BSD-2-Clause
// A kernel's file, unpacked and understood: what goes where in a PV partition's memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"
#include "boot/plan/xen_notes.hpp"

namespace bulkhead::tool {

// Whole frames with their content; what lies behind the content up to `frames` is zero.
struct KernelPiece {
    uint64_t pfn;
    uint64_t frames;
    Bytes content;  // from the first byte of frame `pfn` on; may be empty
};

struct Kernel {
    std::string version;  // for people, empty if the file does not say
    XenNotes notes;
    uint64_t virt_base = 0;
    uint64_t entry = 0;
    uint64_t end_pfn = 0;  // first frame behind the kernel
    uint64_t file_bytes = 0;
    std::vector<KernelPiece> pieces;  // ascending, not overlapping

    // It may load page tables before it has pinned them: Linux under PREEMPT_RT (docs/guests.md).
    [[nodiscard]] bool pins_late() const { return version.find(" PREEMPT_RT ") != std::string::npos; }
};

// A bzImage, an ELF kernel, or an ELF kernel in one of the compressions. The sentence follows the
// file's name: `is truncated: ...`.
[[nodiscard]] Outcome<Kernel> parse_pv_kernel(View file);
// The same for a `pvh` partition: entered at PHYS32_ENTRY, loaded at its physical addresses.
[[nodiscard]] Outcome<Kernel> parse_pvh_kernel(View file);

}  // namespace bulkhead::tool
