// SPDX-License-Identifier: BSD-2-Clause
// Mapping another partition's frames, unmapping them, and the ends of both lives.
#include "grant_fixture.hpp"

using namespace bulkhead;

TEST_GROUP_BASE(GrantMap, GrantFixture)
{
    using Map = gnttab_map_grant_ref_t;
    using Unmap = gnttab_unmap_grant_ref_t;
    using Replace = gnttab_unmap_and_replace_t;
    static constexpr uint64_t place = 0x7000'0000;

    // Partition 2 grants to partition 1, which the test is.
    Mfn granted(uint32_t ref = 9, unsigned flags = GTF_permit_access)
    {
        const Mfn frame = frame_of_partition(1);
        grant(1, ref, 1, frame, flags);
        return frame;
    }
    Map request(uint32_t ref = 9, uint32_t flags = GNTMAP_host_map, uint64_t address = place)
    {
        return {address, flags, ref, 2, 99, 0xabab, 0xcdcd};
    }
    Map run(Map map)
    {
        LONGS_EQUAL(0, call(GNTTABOP_map_grant_ref, map));
        return map;
    }
    uint32_t mapped(const Map& map)
    {
        const Map done = run(map);
        LONGS_EQUAL(GNTST_okay, done.status);
        return done.handle;
    }
    int16_t unmap(uint32_t handle, uint64_t address = place, uint64_t bus = 0)
    {
        Unmap record{address, bus, handle, 99};
        LONGS_EQUAL(0, call(GNTTABOP_unmap_grant_ref, record));
        return record.status;
    }
    int16_t replace(uint32_t handle, uint64_t address, uint64_t with)
    {
        Replace record{address, with, handle, 99};
        LONGS_EQUAL(0, call(GNTTABOP_unmap_and_replace, record));
        return record.status;
    }
    const GrantAccess* entry_at(uint64_t address, bool contains_pte = false)
    {
        const auto found = fake::entries.find({uint16_t{1}, contains_pte, address});
        return found == fake::entries.end() ? nullptr : &found->second;
    }
};

// --- Mapping -------------------------------------------------------------------------------------------------------

TEST(GrantMap, maps_a_granted_frame_for_writing)
{
    const Mfn frame = granted();
    const Map done = run(request());
    LONGS_EQUAL(GNTST_okay, done.status);
    LONGS_EQUAL(0, done.handle);
    CHECK_EQUAL(address_of(frame).raw(), done.dev_bus_addr);
    LONGS_EQUAL(frame.raw(), entry_at(place)->frame.raw());
    CHECK(entry_at(place)->writable);
    LONGS_EQUAL(1, writers(frame));
    LONGS_EQUAL(GTF_reading | GTF_writing, use_flags(1, 9));
    LONGS_EQUAL(1, partition(0).grants.mappings_in_use);
    POINTERS_EQUAL(&partition(0), first_foreign_holder(partition(1)));
    LONGS_EQUAL(GNTST_okay, unmap(done.handle));
    LONGS_EQUAL(1, fake::grant_flushes);
    LONGS_EQUAL(0, use_flags(1, 9));
    POINTERS_EQUAL(nullptr, first_foreign_holder(partition(1)));
    check_idle();
}

TEST(GrantMap, a_read_only_mapping_holds_the_frame_without_its_type)
{
    const Mfn frame = granted(9, GTF_permit_access | GTF_readonly);
    make_page_table(frame);
    const uint32_t handle = mapped(request(9, GNTMAP_host_map | GNTMAP_readonly));
    CHECK(!entry_at(place)->writable);
    LONGS_EQUAL(2, references(frame));       // with that of its use as a page table
    LONGS_EQUAL(1, writers(frame));          // typed, as before
    LONGS_EQUAL(GTF_reading, use_flags(1, 9));
    LONGS_EQUAL(GNTST_okay, unmap(handle));
    check_idle();
}

TEST(GrantMap, an_entry_can_be_named_by_its_machine_address)
{
    granted();
    const uint32_t handle = mapped(request(9, GNTMAP_host_map | GNTMAP_contains_pte, 0x123458));
    CHECK(entry_at(0x123458, true) != nullptr);
    LONGS_EQUAL(GNTST_general_error, unmap(handle, 0x123450));
    LONGS_EQUAL(GNTST_okay, unmap(handle, 0x123458));
    check_idle();
}

TEST(GrantMap, the_guests_available_bits_reach_the_entry)
{
    granted();
    const uint32_t handle = mapped(request(9, GNTMAP_host_map | (5u << _GNTMAP_guest_avail0) | 0xfff00000u));
    LONGS_EQUAL(5, entry_at(place)->available);
    LONGS_EQUAL(GNTST_okay, unmap(handle));
}

TEST(GrantMap, a_frame_can_be_mapped_many_times_and_by_its_granter)
{
    const Mfn frame = granted();
    const uint32_t first = mapped(request());
    const uint32_t second = mapped(request(9, GNTMAP_host_map | GNTMAP_readonly, place + 4096));
    CHECK(first != second);
    LONGS_EQUAL(2, references(frame));
    LONGS_EQUAL(2, grant_info(partition(1), GrantRef(9)).pins);
    LONGS_EQUAL(GNTST_okay, unmap(first));
    LONGS_EQUAL(GTF_reading, use_flags(1, 9));
    LONGS_EQUAL(GNTST_okay, unmap(second, place + 4096));

    const Mfn mine = frame_of_partition(0);
    grant(0, 9, 1, mine);
    Map own = request();
    own.dom = 1;
    LONGS_EQUAL(GNTST_okay, unmap(mapped(own)));
    check_idle();
}

TEST(GrantMap, needs_a_mapping_of_the_host_and_of_it_alone)
{
    granted();
    LONGS_EQUAL(GNTST_bad_gntref, run(request(9, 0)).status);
    LONGS_EQUAL(GNTST_bad_gntref, run(request(9, GNTMAP_readonly)).status);
    LONGS_EQUAL(GNTST_no_device_space, run(request(9, GNTMAP_device_map)).status);
    LONGS_EQUAL(GNTST_no_device_space, run(request(9, GNTMAP_device_map | GNTMAP_host_map)).status);
    check_idle();
}

TEST(GrantMap, needs_a_granter)
{
    for (const domid_t domain : {domid_t{9}, domid_t{DOMID_SELF}, domid_t{DOMID_IO}}) {
        Map map = request();
        map.dom = domain;
        LONGS_EQUAL(GNTST_bad_domain, run(map).status);
    }
    check_idle();
}

TEST(GrantMap, needs_a_grant)
{
    LONGS_EQUAL(GNTST_bad_gntref, run(request(512)).status);
    LONGS_EQUAL(GNTST_general_error, run(request(9)).status);
    granted(9, GTF_permit_access | GTF_readonly);
    LONGS_EQUAL(GNTST_general_error, run(request(9)).status);
    granted(9, GTF_permit_access | GTF_sub_page);
    LONGS_EQUAL(GNTST_general_error, run(request(9)).status);
    LONGS_EQUAL(0, use_flags(1, 9));
    check_idle();
}

TEST(GrantMap, needs_a_frame_of_the_granter)
{
    grant(1, 9, 1, frame_of_partition(2));
    LONGS_EQUAL(GNTST_bad_page, run(request()).status);
    const Mfn table = granted();
    make_page_table(table);
    LONGS_EQUAL(GNTST_general_error, run(request()).status);
    LONGS_EQUAL(0, use_flags(1, 9));
    check_idle();
}

TEST(GrantMap, needs_a_page_table_of_the_mapper)
{
    granted();
    LONGS_EQUAL(GNTST_general_error, run(request(9, GNTMAP_host_map, fake::no_table_at)).status);
    LONGS_EQUAL(0, use_flags(1, 9));
    check_idle();
}

TEST(GrantMap, handles_run_out_and_come_back)
{
    granted();
    const uint32_t count = partition(0).grants.mapping_count;
    for (uint32_t i = 0; i < count; ++i)
        LONGS_EQUAL(i, mapped(request(9, GNTMAP_host_map, place + i * 4096)));
    LONGS_EQUAL(GNTST_no_space, run(request()).status);
    LONGS_EQUAL(GNTST_okay, unmap(77, place + 77 * 4096));
    LONGS_EQUAL(77, mapped(request(9, GNTMAP_host_map, place + 77 * 4096)));
    LONGS_EQUAL(GNTST_no_space, run(request()).status);
    for (uint32_t i = 0; i < count; ++i)
        LONGS_EQUAL(GNTST_okay, unmap(i, place + i * 4096));
    check_idle();
}

TEST(GrantMap, long_lists_are_done_in_turns)
{
    granted();
    std::vector<Map> maps;
    for (uint64_t i = 0; i < 100; ++i)
        maps.push_back(request(9, GNTMAP_host_map, place + i * 4096));
    maps[50].ref = 511;
    CHECK(call_list(GNTTABOP_map_grant_ref, maps) > 3);
    std::vector<Unmap> unmaps;
    for (const Map& map : maps)
        unmaps.push_back({map.host_addr, 0, map.handle, 99});
    LONGS_EQUAL(GNTST_general_error, maps[50].status);
    CHECK(call_list(GNTTABOP_unmap_grant_ref, unmaps) > 2);
    LONGS_EQUAL(GNTST_bad_handle, unmaps[50].status);
    LONGS_EQUAL(GNTST_okay, unmaps[99].status);
    LONGS_EQUAL(7, fake::grant_flushes);     // one for each batch of sixteen
    check_idle();
}

// --- Unmapping -----------------------------------------------------------------------------------------------------

TEST(GrantMap, a_handle_is_good_once)
{
    granted();
    const uint32_t handle = mapped(request());
    LONGS_EQUAL(GNTST_okay, unmap(handle));
    LONGS_EQUAL(GNTST_bad_handle, unmap(handle));
    LONGS_EQUAL(GNTST_bad_handle, unmap(partition(0).grants.mapping_count));
    LONGS_EQUAL(GNTST_bad_handle, unmap(~0u));
    check_idle();
}

TEST(GrantMap, a_handle_twice_in_a_batch_is_ended_once)
{
    const Mfn frame = granted();
    const uint32_t handle = mapped(request());
    mapped(request(9, GNTMAP_host_map, place + 4096));
    std::vector<Unmap> unmaps(2, {place, 0, handle, 99});
    unmaps[1].host_addr = place + 4096;
    call_list(GNTTABOP_unmap_grant_ref, unmaps);
    LONGS_EQUAL(GNTST_okay, unmaps[0].status);
    LONGS_EQUAL(GNTST_bad_handle, unmaps[1].status);
    LONGS_EQUAL(1, references(frame));
}

TEST(GrantMap, a_handle_belongs_to_its_partition)
{
    granted();
    const uint32_t handle = mapped(request());
    be(2);
    LONGS_EQUAL(GNTST_bad_handle, unmap(handle));
    be(0);
    LONGS_EQUAL(GNTST_okay, unmap(handle));
}

TEST(GrantMap, unmapping_elsewhere_fails_and_leaves_the_mapping)
{
    const Mfn frame = granted();
    const uint32_t handle = mapped(request());
    LONGS_EQUAL(GNTST_general_error, unmap(handle, place + 8));
    LONGS_EQUAL(GNTST_general_error, unmap(handle, place, 0x1000));
    LONGS_EQUAL(1, references(frame));
    LONGS_EQUAL(0, fake::grant_flushes);
    LONGS_EQUAL(GNTST_okay, unmap(handle, place, address_of(frame).raw()));
    check_idle();
}

TEST(GrantMap, an_address_of_zero_leaves_the_mapping)
{
    const Mfn frame = granted();
    const uint32_t handle = mapped(request());
    LONGS_EQUAL(GNTST_okay, unmap(handle, 0));
    LONGS_EQUAL(1, references(frame));
    CHECK(entry_at(place) != nullptr);
    LONGS_EQUAL(GNTST_okay, unmap(handle));
    check_idle();
}

TEST(GrantMap, frames_are_let_go_after_the_flush)
{
    granted();
    const uint32_t handle = mapped(request());
    std::vector<Unmap> unmaps = {{place, 0, handle, 99}};
    unsigned flushes_when_written = 99;
    fake::on_guest_access = [&](GuestVirtual, size_t, bool write) {
        if (write)
            flushes_when_written = fake::grant_flushes;
    };
    call_list(GNTTABOP_unmap_grant_ref, unmaps);
    LONGS_EQUAL(1, flushes_when_written);
    fake::on_guest_access = nullptr;
}

TEST(GrantMap, a_mapping_can_be_replaced_by_another_entry)
{
    const Mfn frame = granted();
    const Mfn other = frame_of_partition(0);
    const uint32_t handle = mapped(request());
    fake::entries[{uint16_t{1}, false, place + 4096}] = {other, true, 0};
    LONGS_EQUAL(GNTST_okay, replace(handle, place, place + 4096));
    LONGS_EQUAL(other.raw(), entry_at(place)->frame.raw());
    POINTERS_EQUAL(nullptr, entry_at(place + 4096));
    LONGS_EQUAL(0, references(frame));
    LONGS_EQUAL(1, fake::grant_flushes);
    LONGS_EQUAL(GNTST_bad_handle, replace(handle, place, 0));
}

TEST(GrantMap, an_entry_named_by_machine_address_cannot_be_replaced)
{
    granted();
    const uint32_t handle = mapped(request(9, GNTMAP_host_map | GNTMAP_contains_pte));
    LONGS_EQUAL(GNTST_general_error, replace(handle, place, place + 4096));
    LONGS_EQUAL(GNTST_okay, unmap(handle));
    check_idle();
}

// --- The ends of lives ----------------------------------------------------------------------------------------------

TEST(GrantMap, the_end_of_a_mapper_lets_go_of_everything)
{
    const Mfn frame = granted();
    for (uint64_t i = 0; i < 300; ++i)
        mapped(request(9, GNTMAP_host_map, place + i * 4096));
    LONGS_EQUAL(300, references(frame));
    unsigned slices = 1;
    while (!reset_grants(partition(0)))
        ++slices;
    LONGS_EQUAL(9, slices);                  // eight of handles, one of frames
    LONGS_EQUAL(0, references(frame));
    LONGS_EQUAL(0, use_flags(1, 9));
    POINTERS_EQUAL(nullptr, first_foreign_holder(partition(1)));
    fake::entries.clear();                   // its page tables are dropped as a whole
    check_idle();
}

TEST(GrantMap, the_end_of_a_granter_stops_new_uses_and_shows_who_holds_on)
{
    const Mfn frame = granted();
    const Mfn mine = frame_of_partition(0);
    const uint32_t handle = mapped(request());
    while (!reset_grants(partition(1))) {
    }
    LONGS_EQUAL(GNTST_bad_gntref, run(request()).status);
    LONGS_EQUAL(0, shared(1, 9).flags);
    POINTERS_EQUAL(&partition(0), first_foreign_holder(partition(1)));
    LONGS_EQUAL(1, references(frame));
    LONGS_EQUAL(GNTST_okay, unmap(handle));
    POINTERS_EQUAL(nullptr, first_foreign_holder(partition(1)));
    LONGS_EQUAL(0, shared(1, 9).flags);
    check_idle();

    ++partition(1).generation;
    init_grants(partition(1), StartGrants{});
    grant(1, 9, 1, frame);
    LONGS_EQUAL(GNTST_okay, unmap(mapped(request())));
    LONGS_EQUAL(0, references(mine));
    check_idle();
}

TEST(GrantMap, a_new_life_has_an_empty_table_of_one_frame)
{
    grow(1, 4);
    grant(1, 2000, 1, Mfn(0x77));
    while (!reset_grants(partition(1))) {
    }
    init_grants(partition(1), StartGrants{});
    for (uint32_t ref = 0; ref < 4 * grant_entries_per_frame; ++ref)
        LONGS_EQUAL(0, shared(1, ref).flags);
    LONGS_EQUAL(1, partition(1).grants.frames);
    LONGS_EQUAL(512, partition(1).grants.valid_refs);
}

TEST(GrantMap, a_mapping_of_a_former_life_does_not_touch_the_counts_of_the_next)
{
    const Mfn frame = granted();
    const uint32_t handle = mapped(request());
    ++partition(1).generation;               // should not happen while it is held; see end_mapping()
    LONGS_EQUAL(GNTST_okay, unmap(handle));
    LONGS_EQUAL(0, references(frame));
    LONGS_EQUAL(1, partition(1).grants.uses[9].pins());
}

TEST(GrantMap, a_partition_that_was_left_out_has_no_grants_and_nothing_to_end)
{
    fake::World other(2, 0);
    init_grants(other.partitions);
    CHECK(reset_grants(other[0]));
    LONGS_EQUAL(0, grant_info(other[0], GrantRef(0)).flags);
    LONGS_EQUAL(GNTST_bad_gntref,
                pin_grant(other[0], other[1], 0, false, GrantPurpose::map).status);
}

// --- Memory that the plan shares ----------------------------------------------------------------------

TEST(GrantMap, shared_memory_is_mapped_by_its_members_as_the_plan_says)
{
    shared_page = fake::new_frame();
    init_core_frame(shared_page);
    const uint64_t at_rest = references(shared_page);
    const auto ask = [&](size_t who, uint32_t flags, uint32_t ref = 8) {
        be(who);
        Map map = request(ref, flags);
        map.dom = 0;
        return run(map);
    };
    LONGS_EQUAL(GNTST_bad_gntref, ask(0, GNTMAP_host_map, 9).status);
    LONGS_EQUAL(GNTST_bad_gntref, ask(2, GNTMAP_host_map | GNTMAP_readonly).status);
    LONGS_EQUAL(GNTST_general_error, ask(1, GNTMAP_host_map).status);
    LONGS_EQUAL(at_rest, references(shared_page));
    const Map writer = ask(0, GNTMAP_host_map);
    const Map reader = ask(1, GNTMAP_host_map | GNTMAP_readonly);
    LONGS_EQUAL(GNTST_okay, writer.status);
    LONGS_EQUAL(GNTST_okay, reader.status);
    LONGS_EQUAL(at_rest + 2, references(shared_page));
    LONGS_EQUAL(2, writers(shared_page));
    LONGS_EQUAL(2, fake::entries.size());
    // One unmaps, the life of the other ends.
    be(0);
    gnttab_unmap_grant_ref_t unmap{writer.host_addr, 0, writer.handle, 0};
    LONGS_EQUAL(0, call(GNTTABOP_unmap_grant_ref, unmap));
    LONGS_EQUAL(GNTST_okay, unmap.status);
    while (!reset_grants(partition(1))) {
    }
    fake::entries.clear();
    LONGS_EQUAL(at_rest, references(shared_page));
    POINTERS_EQUAL(nullptr, first_foreign_holder(partition(0)));
}
