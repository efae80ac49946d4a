// SPDX-License-Identifier: BSD-2-Clause
// Included by machine/frame_tables.hpp only.
#pragma once

#include "platform/x86/layout.hpp"

namespace bulkhead::machine {

// Set by whoever makes the core's page tables.
extern uint64_t frame_limit_value;

inline FrameEntry* frame_entries() { return reinterpret_cast<FrameEntry*>(layout::frame_table); }
inline uint64_t* machine_to_phys() { return reinterpret_cast<uint64_t*>(layout::m2p_core); }
inline uint64_t frame_limit() { return frame_limit_value; }

}  // namespace bulkhead::machine
