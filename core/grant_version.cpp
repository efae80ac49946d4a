// SPDX-License-Identifier: BSD-2-Clause
// GNTTABOP_set_version and what belongs to version 2: the status frames. A change keeps the reserved
// entries, which the core has granted, with their flags of use; all others are cleared, and so may not
// be in use.
#include "core/grant_operations.hpp"
#include "core/grant_own_table.hpp"
#include "core/grant_pin.hpp"

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

void clear_entries(const GrantTable& table)
{
    machine::clear_frames(machine::frame_pointer(table.first_frame), table.frames);
}

void write_v1(const GrantTable& table, const Reserved& kept)
{
    for (uint32_t ref = 0; ref < reserved; ++ref)
        table.entries[ref].store(kept[ref].frame << entry::frame_shift | kept[ref].header | kept[ref].use,
                                 std::memory_order_release);
}

void write_v2(const GrantTable& table, const Reserved& kept)
{
    for (uint32_t frame = 0; frame < status_frames_for(table.max_frames); ++frame)
        machine::clear_frame(table.status + frame * grant_status_per_frame);
    for (uint32_t ref = 0; ref < reserved; ++ref) {
        GrantEntryV2& shared = entry_v2(table, ref);
        table.status[ref].store(kept[ref].use, std::memory_order_relaxed);
        shared.frame.store(kept[ref].frame, std::memory_order_relaxed);
        shared.header.store(kept[ref].header, std::memory_order_release);
    }
}

Result<> change_version(GrantTable& table, uint32_t version)
{
    const LockGuard guard(table.lock);
    if (table.version == version)
        return {};
    if (others_hold(table))
        return fail(XEN_EBUSY);
    Reserved kept;
    if (version == 1)
        kept = TRY(read_v2(table));
    else
        kept = read_v1(table);
    clear_entries(table);
    table.version = version;
    set_table_size(table, table.frames);
    if (version == 1)
        write_v1(table, kept);
    else
        write_v2(table, kept);
    return {};
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
    record.version = table.version;
    if (!machine::write_guest(argument, record))
        return negative(XEN_EFAULT);
    return to_return_value(result);
}

}  // namespace bulkhead
