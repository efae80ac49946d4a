// SPDX-License-Identifier: BSD-2-Clause
// Which slot starts. Pure decisions, no hardware: the order is the newest good slot first, the
// operator's choice before it, and one that failed only if nothing else is left.
#pragma once

#include "boot/loader/boot_state.hpp"
#include "core/slot_mailbox.hpp"

#include <array>
#include <cstdint>

namespace bulkhead::loader {

// What was found in a slot before its content was read.
struct Candidate {
    bool usable;                // sound header, good signature
    uint64_t version;
    uint64_t minimum_version;
    uint32_t tries;
};
using Candidates = std::array<Candidate, 2>;

// Takes what the last run left into the state, forgets what is about images that are no longer there.
// True if the state changed.
[[nodiscard]] bool note_last_run(BootState& state, const Candidates& candidates, const boot::Mailbox& mailbox);

struct Order {
    std::array<uint32_t, 2> slots;
    uint32_t count;
};
// The slots to try, best first. Empty: none can start.
[[nodiscard]] Order start_order(const BootState& state, const Candidates& candidates);

// Writes down that a slot is about to start; tries count only where there is something to fall back
// to. True if the state changed and has to be kept first.
[[nodiscard]] bool note_start(BootState& state, const Candidates& candidates, uint32_t slot);

}  // namespace bulkhead::loader
