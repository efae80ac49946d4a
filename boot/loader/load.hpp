// SPDX-License-Identifier: BSD-2-Clause
// From a slot to memory: reads the content once, in pieces, into its final place, and believes it only
// if its hash is the one that was signed.
#pragma once

#include "boot/loader/enter_core.hpp"
#include "boot/loader/selector.hpp"
#include "boot/loader/slot.hpp"

namespace bulkhead::loader {

// Reads bytes of one slot, at multiples of 512 bytes of offset and length. False: the device failed.
struct SlotReader {
    bool (*read)(void* context, uint64_t offset, void* to, uint64_t bytes);
    void* context;
    uint64_t room_bytes;
};

// What the firmware's side of a loader offers.
struct LoaderServices {
    // Page-aligned memory below 4 GiB, outside of the addresses given; 0: there is none.
    uint64_t (*allocate)(uint64_t bytes, uint64_t not_from, uint64_t not_to);
    void (*say)(const char* text);
};

struct LoadedSlot {
    CoreCopy core;
    uint64_t plan;
    uint64_t plan_bytes;
    uint64_t work;
};

// Reads and checks the header. Null, or why the slot cannot be started.
[[nodiscard]] const char* open_slot(const SlotReader& reader, const PublicKey& key, SlotHeader& header);
// Reads the content. Null, or why not.
[[nodiscard]] const char* load_slot(const SlotReader& reader, const SlotHeader& header, const LoaderServices& services,
                                    LoadedSlot& loaded);

// Fills in what does not depend on the firmware.
void begin_handover(boot::Handover& handover, const char* entry_name, const LoadedSlot& loaded);
void copy_text(char* to, size_t to_bytes, const char* from);
// Adds a range, merged with the last one if it continues it.
void add_range(boot::Handover& handover, uint64_t base, uint64_t size_bytes, uint32_t type);
// The ranges of another map, in place of what there was.
void copy_ranges(boot::Handover& handover, const boot::Handover& from);

}  // namespace bulkhead::loader
