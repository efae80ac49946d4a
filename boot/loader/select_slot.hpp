// SPDX-License-Identifier: BSD-2-Clause
// The whole way from two slots and the selector's state to one loaded image, whatever holds them.
#pragma once

#include "boot/loader/load.hpp"

namespace bulkhead::loader {

// Two slots and the two copies of the state, on a disk or in flash.
struct SlotStore {
    std::array<SlotReader, 2> slots;
    bool (*read_state)(void* context, uint32_t copy, BootState& state);
    bool (*write_state)(void* context, uint32_t copy, const BootState& state);   // null: it cannot be written
    void* context;
};

// Chooses, writes down that it starts, loads; what cannot be used is said and left out. `mailbox` is
// what the last run left; it is cleared. Null, or why nothing can be started.
[[nodiscard]] const char* select_slot(const SlotStore& store, const PublicKey& key, const LoaderServices& services,
                                      boot::Mailbox& mailbox, LoadedSlot& loaded, boot::HandoverSlot& slot);

}  // namespace bulkhead::loader
