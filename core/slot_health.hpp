// SPDX-License-Identifier: BSD-2-Clause
// The slot that this image was started from: whether it has proved itself, and which one starts next.
// The answer goes to the selector of the next start by a note in memory (core/slot_mailbox.hpp). CPU 0 only.
#pragma once

#include "core/boot_info.hpp"
#include "core/types.hpp"

#include <cstdint>

namespace bulkhead {

enum class SlotHealth : uint8_t { no_slot, waiting, healthy, unhealthy };

// Takes the note's frame out of use, if it is RAM. Before anything else takes memory.
void reserve_slot_note();
void init_slot_health(const BootInfo& info, uint32_t health_s);
// Once partitions have been told to start: from here on time counts.
void start_slot_health();
// Judges when it is time, or when a crash has decided it. Returns when to look again.
Nanoseconds check_slot_health(Nanoseconds now);

struct SlotView {
    BootSlot slot;
    SlotHealth health;
    uint32_t requested;         // by the operator, or BootSlot::none
    Nanoseconds judged_at;      // when it was or will be
};
[[nodiscard]] SlotView slot_view();
// The slot that is to start from the next start on. False: this image is not in a slot.
[[nodiscard]] bool request_slot(uint32_t slot);
// The operator resets the box before the image was judged: that is no failure of the image.
void forget_unjudged_slot();

}  // namespace bulkhead
