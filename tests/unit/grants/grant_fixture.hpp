// SPDX-License-Identifier: BSD-2-Clause
// Three partitions with grant tables, frames and page tables that record what is done to them, and
// the hypercall as a guest makes it.
#pragma once

#include "core/frames.hpp"
#include "core/grants.hpp"
#include "core/hypercall.hpp"
#include "core/pv/grant_mapping.hpp"

#include "fake_core.hpp"
#include "fake_world.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace bulkhead {

namespace fake {

struct Frame {
    DomainId owner;
    bool given = true;
    bool is_table = false;       // typed otherwise: cannot be written
    bool is_full = false;        // its count is at its limit
    int count = 0;
    int writers = 0;
};
inline std::map<uint64_t, Frame> frames;
inline std::recursive_mutex tables;          // of these fakes, for tests with several threads
using Hold = std::lock_guard<std::recursive_mutex>;

inline Frame* find_frame(Mfn frame, DomainId owner)
{
    const auto found = frames.find(frame.raw());
    return found != frames.end() && found->second.owner == owner && found->second.given ? &found->second : nullptr;
}

// A page-table entry that a grant put somewhere: by (domain, contains_pte, address).
using EntryPlace = std::tuple<uint16_t, bool, uint64_t>;
inline std::map<EntryPlace, GrantAccess> entries;
inline unsigned grant_flushes;
inline constexpr uint64_t no_table_at = 0xbad000;

}  // namespace fake

inline Result<> get_frame(Mfn number, DomainId owner)
{
    const fake::Hold hold_tables(fake::tables);
    fake::Frame* frame = fake::find_frame(number, owner);
    if (frame == nullptr)
        return fail(XEN_EINVAL);
    if (frame->is_full)
        return fail(XEN_ERANGE);
    ++frame->count;
    return {};
}
inline void put_frame(Mfn number)
{
    const fake::Hold hold_tables(fake::tables);
    if (--fake::frames.at(number.raw()).count < 0)
        panic("frame %#lx put too often", number.raw());
}
inline Result<> get_writable_frame(Mfn number, DomainId owner)
{
    const fake::Hold hold_tables(fake::tables);
    fake::Frame* frame = fake::find_frame(number, owner);
    if (frame != nullptr && frame->is_table)
        return fail(XEN_EBUSY);
    const Result<> result = get_frame(number, owner);
    if (result.has_value())
        ++frame->writers;
    return result;
}
inline void put_writable_frame(Mfn number)
{
    const fake::Hold hold_tables(fake::tables);
    put_frame(number);
    if (--fake::frames.at(number.raw()).writers < 0)
        panic("frame %#lx put too often by writers", number.raw());
}
inline void init_shared_frame(Mfn frame, DomainId owner) { fake::frames[frame.raw()] = {.owner = owner}; }

namespace fake {

// What core/pv/grant_mapping.hpp asks of its callers.
inline void check_locks(Partition& mapper)
{
    if (!mapper.memory.lock.is_locked())
        panic("the pages lock is not held");
    if (!one_thread)
        return;                              // somebody else may hold any lock
    for (Partition& partition : fake::partitions) {
        if (partition.grants.lock.is_locked())
            panic("a grants lock is held");
    }
}
inline EntryPlace place_of(Vcpu& mapper, const GrantPlace& place)
{
    return {mapper.partition->id.raw(), place.contains_pte, place.address};
}

}  // namespace fake

inline Result<> map_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access)
{
    const fake::Hold hold_tables(fake::tables);
    fake::check_locks(*mapper.partition);
    if (place.address == fake::no_table_at)
        return fail(XEN_EINVAL);
    if (fake::frames.at(access.frame.raw()).count == 0)
        panic("mapped without a reference");
    fake::entries[fake::place_of(mapper, place)] = access;
    return {};
}
inline Result<> unmap_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access)
{
    const fake::Hold hold_tables(fake::tables);
    fake::check_locks(*mapper.partition);
    const auto found = fake::entries.find(fake::place_of(mapper, place));
    if (found == fake::entries.end() || found->second.frame != access.frame ||
        found->second.writable != access.writable)
        return fail(XEN_EINVAL);
    fake::entries.erase(found);
    return {};
}
inline Result<> replace_grant_entry(Vcpu& mapper, const GrantPlace& place, const GrantAccess& access,
                                    GuestVirtual replacement)
{
    TRY_VOID(unmap_grant_entry(mapper, place, access));
    if (replacement.raw() != 0) {
        const auto moved = fake::entries.find({mapper.partition->id.raw(), false, replacement.raw()});
        if (moved != fake::entries.end()) {
            fake::entries[fake::place_of(mapper, place)] = moved->second;
            fake::entries.erase(moved);
        }
    }
    return {};
}
inline void flush_grant_mappings(Partition&)
{
    const fake::Hold hold_tables(fake::tables);
    ++fake::grant_flushes;
}

}  // namespace bulkhead

#include "core/grant_copy.cpp"
#include "core/grant_map.cpp"
#include "core/grant_mappings.cpp"
#include "core/grant_pin.cpp"
#include "core/grant_setup.cpp"
#include "core/grant_table_op.cpp"
#include "core/grant_unmap.cpp"
#include "core/grants.cpp"

#include <CppUTest/TestHarness.h>

namespace bulkhead {

struct GrantFixture : Utest {
    static constexpr uint64_t list_at = 0x40000;
    std::unique_ptr<fake::World> world;
    std::array<uint8_t, 16384> list;

    void setup() override
    {
        fake::reset_core();
        fake::frames.clear();
        fake::entries.clear();
        fake::grant_flushes = 0;
        world = std::make_unique<fake::World>(3);
        init_grants(world->partitions);
        for (Partition& each : world->partitions)
            init_grants(each, StartGrants{});
        fake::map_guest(list_at, list);
        be(0);
    }
    void teardown() override { world.reset(); }

    Partition& partition(size_t index) { return (*world)[index]; }
    Vcpu& be(size_t index) { return world->run(world->vcpu(index)); }

    // A frame of the partition, filled with a byte.
    Mfn frame_of_partition(size_t index, uint8_t fill = 0)
    {
        const Mfn frame = fake::new_frame();
        std::memset(fake::frame_bytes(frame), fill, page_size);
        fake::frames[frame.raw()] = {.owner = partition(index).id};
        return frame;
    }
    fake::Frame& state(Mfn frame) { return fake::frames.at(frame.raw()); }

    // The guest's own view of its shared table.
    grant_entry_v1_t& shared(size_t index, uint32_t ref)
    {
        return reinterpret_cast<grant_entry_v1_t*>(partition(index).grants.entries)[ref];
    }
    void grant(size_t index, uint32_t ref, domid_t domain, Mfn frame, unsigned flags = GTF_permit_access)
    {
        shared(index, ref) = {static_cast<uint16_t>(flags), domain, static_cast<uint32_t>(frame.raw())};
    }
    unsigned use_flags(size_t index, uint32_t ref) { return shared(index, ref).flags & (GTF_reading | GTF_writing); }

    long call_raw(int operation, uint64_t count, uint64_t address = list_at)
    {
        HypercallArguments arguments{{static_cast<uint64_t>(operation), address, count}};
        return do_grant_table_op(*this_cpu().current, arguments);
    }
    // The whole list, continued until it is done. Returns the number of turns that it took.
    template <class Record>
    unsigned call_list(int operation, std::vector<Record>& records)
    {
        std::memcpy(list.data(), records.data(), records.size() * sizeof(Record));
        HypercallArguments arguments{{static_cast<uint64_t>(operation), list_at, records.size()}};
        unsigned turns = 1;
        for (;; ++turns) {
            const long result = do_grant_table_op(*this_cpu().current, arguments);
            if (result != hypercall_continue) {
                LONGS_EQUAL(0, result);
                break;
            }
        }
        std::memcpy(records.data(), list.data(), records.size() * sizeof(Record));
        return turns;
    }
    template <class Record>
    long call(int operation, Record& record)
    {
        std::memcpy(list.data(), &record, sizeof(record));
        const long result = call_raw(operation, 1);
        std::memcpy(&record, list.data(), sizeof(record));
        return result;
    }
    void grow(size_t index, uint32_t frames)
    {
        Vcpu* before = this_cpu().current;
        be(index);
        gnttab_setup_table_t record{DOMID_SELF, frames, 99, {reinterpret_cast<xen_pfn_t*>(list_at + 4096)}};
        LONGS_EQUAL(0, call(GNTTABOP_setup_table, record));
        LONGS_EQUAL(GNTST_okay, record.status);
        world->run(*before);
    }

    // Nothing is in use any more: no pins, no references, no flags, no locks.
    void check_idle()
    {
        for (size_t index = 0; index < world->partitions.size(); ++index) {
            GrantTable& table = partition(index).grants;
            CHECK(!table.lock.is_locked());
            CHECK(!partition(index).memory.lock.is_locked());
            for (const uint32_t pins : table.pins_by)
                LONGS_EQUAL(0, pins);
            for (uint32_t ref = 0; ref < table.max_frames * grant_entries_per_frame; ++ref) {
                LONGS_EQUAL(0, table.uses[ref].pins);
                LONGS_EQUAL(0, table.uses[ref].writers);
            }
            LONGS_EQUAL(0, table.mappings_in_use);
        }
        for (const auto& [number, frame] : fake::frames) {
            LONGS_EQUAL(0, frame.count);
            LONGS_EQUAL(0, frame.writers);
        }
        LONGS_EQUAL(0, fake::entries.size());
    }
};

}  // namespace bulkhead
