// SPDX-License-Identifier: BSD-2-Clause
// Three partitions with grant tables, and the hypercall as a guest makes it.
#pragma once

#include "grant_fakes.hpp"

#include <CppUTest/TestHarness.h>

namespace bulkhead {

struct GrantFixture : Utest {
    static constexpr uint64_t list_at = 0x40000;
    std::unique_ptr<fake::World> world;
    std::array<uint8_t, 16384> list;

    void setup() override
    {
        fake::reset_core();
        fake::reset_frame_tables();
        fake::entries.clear();
        fake::grant_flushes = 0;
        shared_page = invalid_mfn;
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

    // A frame of the partition, filled with a byte; the guest has it, and nobody uses it.
    Mfn frame_of_partition(size_t index, uint8_t fill = 0)
    {
        const Mfn number = fake::new_frame();
        std::memset(fake::frame_bytes(number), fill, page_size);
        FrameEntry& entry = frame::entry_of(number);
        entry.owner_and_stamp = uint64_t{partition(index).id.raw()} << 48;
        entry.state = frame::given;
        own_references[number.raw()] = 0;
        return number;
    }
    uint64_t references(Mfn number) { return frame::count(frame::entry_of(number).state); }
    uint64_t writers(Mfn number) { return frame::typed_count(frame::entry_of(number).state); }
    // What its owner may do with a frame.
    void make_page_table(Mfn number)
    {
        frame::entry_of(number).state = frame::given | frame::type_bits(FrameType::l1) | frame::validated |
                                        frame::one | frame::typed_one;
        own_references[number.raw()] = 1;
    }
    void give_back(Mfn number) { frame::entry_of(number).state = 0; }
    void use_up_references(Mfn number)
    {
        frame::entry_of(number).state = frame::given | frame::count_mask;
        own_references[number.raw()] = frame::count_mask;
    }
    std::map<uint64_t, uint64_t> own_references;     // those that are there when nothing is granted

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
            for (const auto& held : table.held_by)
                LONGS_EQUAL(0, held);
            for (uint32_t ref = 0; ref < table.max_frames * grant_entries_per_frame; ++ref)
                LONGS_EQUAL(0, table.uses[ref].counts);
            LONGS_EQUAL(0, table.mappings_in_use);
        }
        for (const auto& [number, count] : own_references)
            LONGS_EQUAL(count, references(Mfn(number)));
        LONGS_EQUAL(0, fake::entries.size());
    }
};

}  // namespace bulkhead
