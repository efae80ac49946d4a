// SPDX-License-Identifier: BSD-2-Clause
// What the core does against CPUs that leak by speculation: chosen once from what the CPU says of
// itself, then patched into the code or done when another partition gets the CPU. Source: Intel,
// "Affected Processors" and its guidance for each; AMD, "Software techniques for managing speculation".
#pragma once

#include "platform/x86/features.hpp"

#include <cstddef>

namespace bulkhead {

struct Mitigations {
    bool retpolines;            // indirect branches of the core do not follow what a guest trained
    bool intel_ibrs;            // IBRS stays on: SPEC_CTRL
    bool amd_ibrs;              // the same by EFER (automatic IBRS)
    bool barrier;               // IBPB and a filled return stack between partitions
    bool clears_buffers;        // VERW on the way back to a guest
    bool no_store_bypass;       // SSBD while a partition that is not trusted runs
    bool hides_core;            // PV guests run without the core's mappings (Meltdown)
    bool safe_absent_entries;   // page-table entries that are not present may not name memory (L1TF)
};

[[nodiscard]] Mitigations choose_mitigations(const Features& features);

// --- speculation.cpp ---------------------------------------------------------

// Once, on the boot CPU, before the code becomes read-only: patches it.
void init_mitigations();
[[nodiscard]] const Mitigations& mitigations();
// On each CPU at start.
void set_up_mitigations();

// What is on, and what the CPU needs that is not, as one sentence. Returns the length that snprintf would.
int describe_mitigations(const Features& features, char* to, size_t bytes);

}  // namespace bulkhead
