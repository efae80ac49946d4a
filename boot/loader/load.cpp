// SPDX-License-Identifier: BSD-2-Clause
#include "boot/loader/load.hpp"

#include <algorithm>
#include <cstring>

namespace bulkhead::loader {

namespace {

constexpr uint64_t piece_bytes = 1 << 20;
constexpr uint64_t read_unit = 512;

constexpr uint64_t aligned(uint64_t value, uint64_t unit) { return (value + unit - 1) & ~(unit - 1); }

bool read_and_hash(const SlotReader& reader, uint64_t offset, uint64_t to, uint64_t bytes, ContentHash& hash)
{
    for (uint64_t done = 0; done < bytes; done += piece_bytes) {
        const uint64_t piece = std::min(piece_bytes, bytes - done);
        void* at = reinterpret_cast<void*>(to + done);
        if (!reader.read(reader.context, offset + done, at, aligned(piece, read_unit)))
            return false;
        hash.add(at, piece);
    }
    return true;
}

}  // namespace

const char* open_slot(const SlotReader& reader, const PublicKey& key, SlotHeader& header)
{
    if (reader.room_bytes < sizeof(header) || !reader.read(reader.context, 0, &header, sizeof(header)))
        return "it cannot be read";
    if (const char* problem = check_slot(header, reader.room_bytes); problem != nullptr)
        return problem;
    if (!slot_is_signed(header, key))
        return "its signature is not that of this box's key";
    return nullptr;
}

// The core with the gap up to the plan is one part, the plan the other; hashed as one content.
const char* load_slot(const SlotReader& reader, const SlotHeader& header, const LoaderServices& services,
                      LoadedSlot& loaded)
{
    const uint64_t core_end = header.core_physical + header.core_memory_bytes;
    const uint64_t core_room = header.plan_offset;
    const uint64_t plan_room = aligned(header.plan_bytes, slot_page_bytes);
    const uint64_t taken = boot::mailbox_physical;      // what a warm reset keeps lies before the core
    loaded.core = {services.allocate(core_room, taken, core_end), header.core_bytes,
                   header.core_physical, header.core_memory_bytes, header.entry};
    loaded.plan = services.allocate(plan_room, taken, core_end);
    loaded.plan_bytes = header.plan_bytes;
    loaded.work = services.allocate(work_bytes, taken, core_end);
    if (loaded.core.from == 0 || loaded.plan == 0 || loaded.work == 0)
        return "there is not enough memory below 4 GiB for it";

    ContentHash hash;
    if (!read_and_hash(reader, slot_page_bytes, loaded.core.from, core_room, hash)
        || !read_and_hash(reader, slot_page_bytes + header.plan_offset, loaded.plan, header.plan_bytes, hash))
        return "its content cannot be read";
    if (hash.finish() != header.content_sha256)
        return "its content is not what was signed";
    return nullptr;
}

void copy_text(char* to, size_t to_bytes, const char* from)
{
    size_t length = 0;
    while (length + 1 < to_bytes && from[length] != '\0') {
        to[length] = from[length];
        ++length;
    }
    to[length] = '\0';
}

void begin_handover(boot::Handover& handover, const char* entry_name, const LoadedSlot& loaded)
{
    memset(&handover, 0, sizeof(handover));
    handover.magic = boot::handover_magic;
    handover.version = boot::handover_version;
    copy_text(handover.entry_name.data(), handover.entry_name.size(), entry_name);
    handover.plan = loaded.plan;
    handover.plan_bytes = loaded.plan_bytes;
    handover.slot.number = no_slot;
}

void add_range(boot::Handover& handover, uint64_t base, uint64_t size_bytes, uint32_t type)
{
    if (size_bytes == 0)
        return;
    if (handover.range_count != 0) {
        boot::HandoverRange& last = handover.ranges[handover.range_count - 1];
        if (last.type == type && last.base + last.size_bytes == base) {
            last.size_bytes += size_bytes;
            return;
        }
    }
    if (handover.range_count == boot::Handover::most_ranges) {
        handover.ranges_dropped = 1;
        return;
    }
    handover.ranges[handover.range_count++] = {base, size_bytes, type, 0};
}

void copy_ranges(boot::Handover& handover, const boot::Handover& from)
{
    handover.range_count = from.range_count;
    handover.ranges_dropped = from.ranges_dropped;
    std::copy_n(from.ranges.begin(), from.range_count, handover.ranges.begin());
}

}  // namespace bulkhead::loader
