// SPDX-License-Identifier: BSD-2-Clause
// GNTTABOP_set_version and what belongs to version 2: the status frames. A change keeps the reserved
// entries, which the core has granted, with their flags of use; all others are cleared, and so may not
// be in use.
#include "core/grant_operations.hpp"
#include "core/grant_own_table.hpp"
#include "core/grant_pin.hpp"

#include <algorithm>
#include <array>
#include <atomic>

namespace bulkhead {

namespace {

constexpr uint32_t reserved = GNTTAB_NR_RESERVED_ENTRIES;
constexpr uint16_t use_flags = GTF_reading | GTF_writing;

struct ReservedEntry {
    uint32_t header;         // without the flags of use
    uint16_t use;
    uint64_t frame;
};
// At a time, with the lock held: some 8,000 instructions.
constexpr uint32_t frames_at_once = 16;
using Reserved = std::array<ReservedEntry, reserved>;

// Every holder but those of the reserved entries' pins.
bool others_hold(const GrantTable& table)
{
    uint64_t held = 0;
    for (const auto& count : table.held_by)
        held += count.load(std::memory_order_acquire);
    for (uint32_t ref = 0; ref < reserved; ++ref)
        held -= table.uses[ref].pins();
    return held != 0;
}

Reserved read_v1(const GrantTable& table)
{
    Reserved kept;
    for (uint32_t ref = 0; ref < reserved; ++ref) {
        const uint64_t value = table.entries[ref].load(std::memory_order_relaxed);
        const auto header = static_cast<uint32_t>(value);
        kept[ref] = {header & ~uint32_t{use_flags}, static_cast<uint16_t>(header & use_flags),
                     entry::frame(value).raw()};
    }
    return kept;
}

// XEN_ERANGE: version 1 cannot express an entry.
Result<Reserved> read_v2(const GrantTable& table)
{
    Reserved kept;
    for (uint32_t ref = 0; ref < reserved; ++ref) {
        const GrantEntryV2& shared = entry_v2(table, ref);
        kept[ref] = {shared.header.load(std::memory_order_relaxed) & ~uint32_t{use_flags},
                     static_cast<uint16_t>(table.status[ref].load(std::memory_order_relaxed) & use_flags),
                     shared.frame.load(std::memory_order_relaxed)};
        const uint32_t type = kept[ref].header & GTF_type_mask;
        const bool is_part = (kept[ref].header & GTF_sub_page) != 0;
        if (type != GTF_invalid && (type == GTF_transitive || is_part || kept[ref].frame >> 32 != 0))
            return fail(XEN_ERANGE);
    }
    return kept;
}

// What a change to that version clears: the frames in use, and the status frames behind them.
uint32_t frames_to_clear(const GrantTable& table, uint32_t version)
{
    return table.frames + (version == 2 ? status_frames_for(table.max_frames) : 0);
}

void clear_entries(const GrantTable& table, uint32_t first, uint32_t end)
{
    const auto clear = [&](uint32_t from, uint32_t to) {
        if (from < to)
            machine::clear_frames(machine::frame_pointer(table.first_frame + from), to - from);
    };
    const uint32_t status = table.max_frames - table.frames;
    clear(first, std::min(end, table.frames));
    clear(std::max(first, table.frames) + status, end + status);
}

// Nobody pins an entry that is not reserved until the change is over.
void keep_reserved_only(GrantTable& table)
{
    table.valid_refs = std::min(table.valid_refs, reserved);
    table.valid_refs_v2 = std::min(table.valid_refs_v2, reserved);
}

void write_v1(const GrantTable& table, const Reserved& kept)
{
    for (uint32_t ref = 0; ref < reserved; ++ref)
        table.entries[ref].store(kept[ref].frame << entry::frame_shift | kept[ref].header | kept[ref].use,
                                 std::memory_order_release);
}

void write_v2(const GrantTable& table, const Reserved& kept)
{
    for (uint32_t ref = 0; ref < reserved; ++ref) {
        GrantEntryV2& shared = entry_v2(table, ref);
        table.status[ref].store(kept[ref].use, std::memory_order_relaxed);
        shared.frame.store(kept[ref].frame, std::memory_order_relaxed);
        shared.header.store(kept[ref].header, std::memory_order_release);
    }
}

// The last frames first; those of the reserved entries in one piece with what is kept of them.
Result<> go_on_changing(GrantTable& table, uint32_t version)
{
    if (others_hold(table))
        return fail(XEN_EBUSY);
    const Reserved kept = version == 1 ? TRY(read_v2(table)) : read_v1(table);
    if (table.uncleared == 0)
        table.uncleared = frames_to_clear(table, version);
    if (table.uncleared > frames_at_once) {
        keep_reserved_only(table);
        clear_entries(table, table.uncleared - frames_at_once, table.uncleared);
        table.uncleared -= frames_at_once;
        return fail(XEN_ERESTART);
    }
    clear_entries(table, 0, table.uncleared);
    table.version = version;
    if (version == 1)
        write_v1(table, kept);
    else
        write_v2(table, kept);
    return {};
}

// XEN_ERESTART: call again.
Result<> change_version(GrantTable& table, uint32_t version)
{
    const LockGuard guard(table.lock);
    Result<> result{};
    if (table.version != version)
        result = go_on_changing(table, version);
    if (result.has_value() || result.error() != XEN_ERESTART)
        set_table_size(table, table.frames);
    return result;
}

GrantStatus status_frames(Partition& self, const gnttab_get_status_frames_t& record)
{
    const GrantTable& table = self.grants;
    if (const GrantStatus status = self_status(self, record.dom); status != GNTST_okay)
        return status;
    if (table.version != 2 || record.nr_frames > status_frames_for(table.frames))
        return GNTST_general_error;
    const GuestVirtual list(reinterpret_cast<uint64_t>(record.frame_list.p));
    return write_frames(table.first_frame + table.max_frames, list, record.nr_frames) ? GNTST_okay
                                                                                       : GNTST_bad_virt_addr;
}

}  // namespace

long get_grant_status_frames(Vcpu& vcpu, HypercallArguments& arguments)
{
    if (arguments.value[2] != 1)
        return negative(XEN_EINVAL);
    const GuestVirtual argument(arguments.value[1]);
    gnttab_get_status_frames_t record;
    if (!machine::read_guest(record, argument))
        return negative(XEN_EFAULT);
    record.status = status_frames(*vcpu.partition, record);
    return machine::write_guest(argument, record) ? 0 : negative(XEN_EFAULT);
}

long get_grant_version(Vcpu& vcpu, HypercallArguments& arguments)
{
    const GuestVirtual argument(arguments.value[1]);
    gnttab_get_version_t record;
    if (!machine::read_guest(record, argument))
        return negative(XEN_EFAULT);
    if (const Result<> own = check_self(*vcpu.partition, record.dom); !own.has_value())
        return negative(own.error());
    record.version = vcpu.partition->grants.version;
    return machine::write_guest(argument, record) ? 0 : negative(XEN_EFAULT);
}

long set_grant_version(Vcpu& vcpu, HypercallArguments& arguments)
{
    const GuestVirtual argument(arguments.value[1]);
    GrantTable& table = vcpu.partition->grants;
    gnttab_set_version_t record;
    if (!machine::read_guest(record, argument))
        return negative(XEN_EFAULT);
    const uint32_t wanted = record.version;
    const Result<> result = wanted == 1 || wanted == 2 ? change_version(table, wanted) : fail(XEN_EINVAL);
    if (!result.has_value() && result.error() == XEN_ERESTART)
        return hypercall_continue;
    record.version = table.version;
    if (!machine::write_guest(argument, record))
        return negative(XEN_EFAULT);
    return to_return_value(result);
}

}  // namespace bulkhead
