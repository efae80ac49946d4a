// SPDX-License-Identifier: BSD-2-Clause
// Two mappers, one of them with two vCPUs, map, unmap and copy the frames of a granter that writes
// anything into its table meanwhile. Afterwards nothing is held.
#include "grant_fixture.hpp"

#include <random>
#include <thread>

using namespace bulkhead;

TEST_GROUP_BASE(GrantRaces, GrantFixture)
{
    static constexpr size_t threads = 4;
    static constexpr uint32_t refs = 8;
    std::array<std::array<uint8_t, 256>, threads> records;
    std::vector<Mfn> granters_frames;
    Mfn own[3];

    void setup() override
    {
        GrantFixture::setup();
        for (size_t i = 0; i < threads; ++i)
            fake::map_guest(0x80000 + i * 0x1000, records[i]);
        for (size_t i = 0; i < 4; ++i)
            granters_frames.push_back(frame_of_partition(1));
        for (size_t i = 0; i < 3; ++i)
            own[i] = frame_of_partition(i);
        fake::one_thread = false;
    }
    void teardown() override
    {
        fake::one_thread = true;
        granters_frames = {};
        GrantFixture::teardown();
    }

    template <class Record>
    Record call_as(size_t thread, Vcpu & vcpu, int operation, Record record)
    {
        std::memcpy(records[thread].data(), &record, sizeof(record));
        HypercallArguments arguments{{static_cast<uint64_t>(operation), 0x80000 + thread * 0x1000, 1}};
        do_grant_table_op(vcpu, arguments);
        std::memcpy(&record, records[thread].data(), sizeof(record));
        return record;
    }

    // The granter's guest: its memory, no hypercalls.
    void write_entries(std::mt19937 & random)
    {
        for (int i = 0; i < 40'000; ++i) {
            const uint64_t frame = granters_frames[random() % granters_frames.size()].raw();
            const DomainId domain(static_cast<uint16_t>(random() % 2 == 0 ? 1 : 3));
            const auto flags = static_cast<uint16_t>(random() % 8 == 0 ? random() : GTF_permit_access);
            partition(1).grants.entries[random() % refs].store(entry::make(flags, domain, Mfn(frame)));
        }
    }

    void use_entries(size_t thread, std::mt19937 & random)
    {
        const size_t self = thread == 2 ? 2 : 0;
        Vcpu& vcpu = world->vcpu(self, thread == 1 ? 1 : 0);
        std::vector<gnttab_map_grant_ref_t> held;
        const auto unmap_last = [&] {
            const gnttab_map_grant_ref_t map = held.back();
            held.pop_back();
            const auto done = call_as(thread, vcpu, GNTTABOP_unmap_grant_ref,
                                      gnttab_unmap_grant_ref_t{map.host_addr, 0, map.handle, 99});
            if (done.status != GNTST_okay)
                panic("a mapping cannot be ended: %d", done.status);
        };
        for (uint64_t i = 0; i < 10'000; ++i) {
            const uint32_t ref = static_cast<uint32_t>(random() % refs);
            if (random() % 2 == 0) {
                gnttab_copy_t copy{};
                copy.source.u.ref = ref;
                copy.source.domid = 2;
                copy.dest.u.gmfn = own[self].raw();
                copy.dest.domid = DOMID_SELF;
                copy.len = 8;
                copy.flags = GNTCOPY_source_gref;
                call_as(thread, vcpu, GNTTABOP_copy, copy);
            } else if (held.size() < 20 && random() % 2 == 0) {
                const uint64_t address = (thread << 40) | ((i + 1) << 12);
                const auto map = call_as(thread, vcpu, GNTTABOP_map_grant_ref,
                                         gnttab_map_grant_ref_t{address, GNTMAP_host_map, ref, 2, 99, 0, 0});
                if (map.status == GNTST_okay)
                    held.push_back(map);
            } else if (!held.empty()) {
                unmap_last();
            }
        }
        while (!held.empty())
            unmap_last();
    }

    void run(size_t thread)
    {
        fake::current_cpu = thread;
        std::mt19937 random(static_cast<uint32_t>(thread) + 1);
        if (thread == 3)
            write_entries(random);
        else
            use_entries(thread, random);
    }
};

TEST(GrantRaces, leave_nothing_held)
{
    std::vector<std::thread> running;
    for (size_t i = 0; i < threads; ++i)
        running.emplace_back([this, i] { run(i); });
    for (std::thread& thread : running)
        thread.join();
    fake::one_thread = true;
    check_idle();
}
