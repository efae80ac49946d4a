// SPDX-License-Identifier: BSD-2-Clause
#include "boot/loader/slot.hpp"

namespace bulkhead::loader {

namespace {

constexpr uint64_t page_aligned(uint64_t value) { return (value + slot_page_bytes - 1) & ~(slot_page_bytes - 1); }

}  // namespace

const char* check_slot(const SlotHeader& header, uint64_t room_bytes)
{
    if (header.magic != slot_magic)
        return slot_is_empty;
    if (header.format != slot_format || header.header_bytes != sizeof(SlotHeader))
        return "its header has a form that this loader does not know";
    if (header.version == 0)
        return "its header has no version";
    if (header.content_bytes > most_content_bytes || room_bytes < slot_page_bytes
        || header.content_bytes > room_bytes - slot_page_bytes)
        return "its content does not fit the slot";
    if (header.core_bytes == 0 || header.core_bytes > header.content_bytes
        || header.core_bytes > header.core_memory_bytes || header.core_memory_bytes > most_core_bytes)
        return "its core has an impossible size";
    if (header.core_physical % slot_page_bytes != 0 || header.core_physical < most_core_bytes
        || header.core_physical > 2 * most_core_bytes)
        return "its core wants an impossible address";
    if (header.entry < header.core_physical || header.entry - header.core_physical >= header.core_bytes)
        return "its entry point lies outside the core";
    if (header.plan_offset % slot_page_bytes != 0 || header.plan_offset < page_aligned(header.core_bytes)
        || header.plan_bytes == 0 || header.plan_offset > header.content_bytes
        || header.plan_bytes != header.content_bytes - header.plan_offset)
        return "its plan has an impossible place";
    return nullptr;
}

}  // namespace bulkhead::loader
