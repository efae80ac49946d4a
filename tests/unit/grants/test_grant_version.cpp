// SPDX-License-Identifier: BSD-2-Clause
// Version 2 of the grant table: the way there and back, entries with status words, parts of pages, and
// what is refused.
#include "grant_fixture.hpp"

using namespace bulkhead;

TEST_GROUP_BASE(GrantVersion, GrantFixture)
{
    long set_version(uint32_t version)
    {
        gnttab_set_version_t record{version};
        const long result = call(GNTTABOP_set_version, record);
        if (result == 0)
            LONGS_EQUAL(version, record.version);
        return result;
    }
    grant_entry_v2_t& entry(size_t index, uint32_t ref)
    {
        return reinterpret_cast<grant_entry_v2_t*>(partition(index).grants.entries)[ref];
    }
    void make_large(uint32_t frames)
    {
        world->plans[0].grant_frames = static_cast<uint16_t>(frames);
        init_grants(world->partitions);
        for (Partition& each : world->partitions)
            init_grants(each, StartGrants{});
        grow(0, frames);
    }
    unsigned status(size_t index, uint32_t ref) { return partition(index).grants.status[ref]; }
    void grant_v2(size_t index, uint32_t ref, domid_t domain, Mfn frame, unsigned flags = GTF_permit_access)
    {
        entry(index, ref).full_page = {{static_cast<uint16_t>(flags), domain}, 0, frame.raw()};
    }
    void grant_part(uint32_t ref, domid_t domain, Mfn frame, uint16_t first, uint16_t bytes, unsigned flags = 0)
    {
        const auto all = static_cast<uint16_t>(GTF_permit_access | GTF_sub_page | flags);
        entry(0, ref).sub_page = {{all, domain}, first, bytes, frame.raw()};
    }
    int copy_from(uint32_t ref, uint16_t offset, uint16_t bytes, Mfn to)
    {
        gnttab_copy_t record{};
        record.source.u.ref = ref;
        record.source.domid = 1;
        record.source.offset = offset;
        record.dest.u.gmfn = to.raw();
        record.dest.domid = DOMID_SELF;
        record.len = bytes;
        record.flags = GNTCOPY_source_gref;
        LONGS_EQUAL(0, call(GNTTABOP_copy, record));
        return record.status;
    }
    int copy_to(uint32_t ref, uint16_t offset, uint16_t bytes, Mfn from)
    {
        gnttab_copy_t record{};
        record.source.u.gmfn = from.raw();
        record.source.domid = DOMID_SELF;
        record.dest.u.ref = ref;
        record.dest.domid = 1;
        record.dest.offset = offset;
        record.len = bytes;
        record.flags = GNTCOPY_dest_gref;
        LONGS_EQUAL(0, call(GNTTABOP_copy, record));
        return record.status;
    }
    gnttab_map_grant_ref_t map(uint32_t ref, unsigned flags = GNTMAP_host_map)
    {
        gnttab_map_grant_ref_t record{0x5000, flags, ref, 1, 0, 0, 0};
        LONGS_EQUAL(0, call(GNTTABOP_map_grant_ref, record));
        return record;
    }
    void unmap(uint32_t handle)
    {
        gnttab_unmap_grant_ref_t record{0x5000, 0, handle, 0};
        LONGS_EQUAL(0, call(GNTTABOP_unmap_grant_ref, record));
        LONGS_EQUAL(GNTST_okay, record.status);
    }
};

// --- Changing it -----------------------------------------------------------------------------------------

TEST(GrantVersion, a_change_keeps_the_reserved_entries_and_clears_all_others)
{
    const Mfn frame = frame_of_partition(0);
    grant(0, 1, 2, frame, GTF_permit_access | GTF_readonly);
    grant(0, 9, 2, frame);
    LONGS_EQUAL(0, set_version(2));
    LONGS_EQUAL(GTF_permit_access | GTF_readonly, entry(0, 1).hdr.flags);
    LONGS_EQUAL(2, entry(0, 1).hdr.domid);
    LONGS_EQUAL(frame.raw(), entry(0, 1).full_page.frame);
    LONGS_EQUAL(0, entry(0, 9).hdr.flags);
    LONGS_EQUAL(0, set_version(2));
    LONGS_EQUAL(0, set_version(1));
    LONGS_EQUAL(GTF_permit_access | GTF_readonly, shared(0, 1).flags);
    LONGS_EQUAL(frame.raw(), shared(0, 1).frame);
    LONGS_EQUAL(0, shared(0, 9).flags);
}

TEST(GrantVersion, a_large_table_changes_in_pieces_and_nobody_maps_meanwhile)
{
    constexpr uint32_t frames = 40, last = frames * grant_entries_per_frame - 1;
    make_large(frames);
    const Mfn frame = frame_of_partition(0);
    for (const uint32_t ref : {1u, 9u, last})
        grant(0, ref, 2, frame);
    partition(0).grants.status[frames] = GTF_reading;    // of a former use
    LONGS_EQUAL(hypercall_continue, set_version(2));
    be(1);
    LONGS_EQUAL(GNTST_bad_gntref, map(9).status);
    be(0);
    LONGS_EQUAL(hypercall_continue, set_version(2));
    LONGS_EQUAL(0, set_version(2));
    LONGS_EQUAL(frame.raw(), entry(0, 1).full_page.frame);
    LONGS_EQUAL(0, entry(0, 9).hdr.flags);
    LONGS_EQUAL(0, status(0, frames));
    LONGS_EQUAL(0, shared(0, last).flags);
    grant_v2(0, 9, 2, frame);
    be(1);
    const auto record = map(9);
    LONGS_EQUAL(GNTST_okay, record.status);
    unmap(record.handle);
}

TEST(GrantVersion, a_change_that_the_guest_does_not_end_can_be_taken_back_or_begun_again)
{
    make_large(40);
    const Mfn frame = frame_of_partition(0);
    grant(0, 9, 2, frame);
    LONGS_EQUAL(hypercall_continue, set_version(2));
    LONGS_EQUAL(0, set_version(1));
    be(1);
    const auto record = map(9);
    LONGS_EQUAL(GNTST_okay, record.status);
    be(0);
    LONGS_EQUAL(negative(XEN_EBUSY), set_version(2));
    be(1);
    unmap(record.handle);
    be(0);
    LONGS_EQUAL(hypercall_continue, set_version(2));
    while (!reset_grants(partition(0))) {
    }
    LONGS_EQUAL(0, partition(0).grants.uncleared);
}

TEST(GrantVersion, the_flags_of_use_of_a_reserved_entry_move_with_it)
{
    const Mfn frame = frame_of_partition(0);
    grant(0, 1, 2, frame);
    be(1);
    const auto mapped = map(1);
    LONGS_EQUAL(GNTST_okay, mapped.status);
    be(0);
    LONGS_EQUAL(0, set_version(2));
    LONGS_EQUAL(GTF_permit_access, entry(0, 1).hdr.flags);
    LONGS_EQUAL(GTF_reading | GTF_writing, status(0, 1));
    LONGS_EQUAL(0, set_version(1));
    LONGS_EQUAL(GTF_reading | GTF_writing, use_flags(0, 1));
    LONGS_EQUAL(0, set_version(2));
    be(1);
    unmap(mapped.handle);
    LONGS_EQUAL(0, status(0, 1));
    check_idle();
}

TEST(GrantVersion, an_entry_that_is_in_use_forbids_the_change)
{
    grant(0, 8, 2, frame_of_partition(0));
    be(1);
    const auto mapped = map(8);
    be(0);
    LONGS_EQUAL(negative(XEN_EBUSY), set_version(2));
    be(1);
    unmap(mapped.handle);
    be(0);
    LONGS_EQUAL(0, set_version(2));
}

TEST(GrantVersion, what_version_1_cannot_express_forbids_the_way_back)
{
    LONGS_EQUAL(0, set_version(2));
    grant_v2(0, 2, 2, Mfn(uint64_t{1} << 32));
    LONGS_EQUAL(negative(XEN_ERANGE), set_version(1));
    grant_v2(0, 2, 2, Mfn(7), GTF_transitive);
    LONGS_EQUAL(negative(XEN_ERANGE), set_version(1));
    grant_part(2, 2, Mfn(7), 0, 16);
    LONGS_EQUAL(negative(XEN_ERANGE), set_version(1));
    grant_v2(0, 2, 2, Mfn(7));
    LONGS_EQUAL(0, set_version(1));
}

TEST(GrantVersion, the_table_has_half_as_many_entries)
{
    LONGS_EQUAL(0, set_version(2));
    grow(0, 2);
    grant_v2(0, 511, 2, frame_of_partition(0));
    be(1);
    const Mfn target = frame_of_partition(1);
    LONGS_EQUAL(GNTST_okay, copy_from(511, 0, 8, target));
    LONGS_EQUAL(GNTST_bad_gntref, copy_from(512, 0, 8, target));
}

TEST(GrantVersion, a_new_life_begins_with_version_1)
{
    LONGS_EQUAL(0, set_version(2));
    grant_v2(0, 20, 2, frame_of_partition(0));
    partition(0).grants.status[20] = 0xffff;
    while (!reset_grants(partition(0))) {
    }
    init_grants(partition(0), StartGrants{});
    LONGS_EQUAL(1, partition(0).grants.version);
    LONGS_EQUAL(0, set_version(2));
    LONGS_EQUAL(0, status(0, 20));
    LONGS_EQUAL(0, entry(0, 20).hdr.flags);
}

// --- Status frames ---------------------------------------------------------------------------------------

TEST(GrantVersion, the_status_frames_are_told_and_lie_behind_the_entries)
{
    LONGS_EQUAL(0, set_version(2));
    gnttab_get_status_frames_t record{1, DOMID_SELF, 99, {reinterpret_cast<uint64_t*>(list_at + 4096)}};
    LONGS_EQUAL(0, call(GNTTABOP_get_status_frames, record));
    LONGS_EQUAL(GNTST_okay, record.status);
    uint64_t number;
    std::memcpy(&number, list.data() + 4096, sizeof(number));
    POINTERS_EQUAL(fake::frame_bytes(Mfn(number)), reinterpret_cast<uint8_t*>(partition(0).grants.status));
    record.nr_frames = 2;
    LONGS_EQUAL(0, call(GNTTABOP_get_status_frames, record));
    LONGS_EQUAL(GNTST_general_error, record.status);
}

// --- Using entries ---------------------------------------------------------------------------------------

TEST(GrantVersion, a_copy_works_and_leaves_no_trace)
{
    LONGS_EQUAL(0, set_version(2));
    const Mfn frame = frame_of_partition(0, 0x5a);
    grant_v2(0, 20, 2, frame);
    be(1);
    const Mfn target = frame_of_partition(1);
    LONGS_EQUAL(GNTST_okay, copy_from(20, 0, 4096, target));
    LONGS_EQUAL(0x5a, fake::frame_bytes(target)[4095]);
    LONGS_EQUAL(GNTST_okay, copy_to(20, 0, 16, target));
    LONGS_EQUAL(0, status(0, 20));
    check_idle();
}

TEST(GrantVersion, a_mapping_marks_the_status_and_not_the_entry)
{
    LONGS_EQUAL(0, set_version(2));
    grant_v2(0, 20, 2, frame_of_partition(0));
    be(1);
    const auto reader = map(20, GNTMAP_host_map | GNTMAP_readonly);
    LONGS_EQUAL(GNTST_okay, reader.status);
    LONGS_EQUAL(GTF_reading, status(0, 20));
    LONGS_EQUAL(GTF_permit_access, entry(0, 20).hdr.flags);
    unmap(reader.handle);
    LONGS_EQUAL(0, status(0, 20));
    check_idle();
}

TEST(GrantVersion, wrong_entries_are_refused_and_leave_no_marks)
{
    LONGS_EQUAL(0, set_version(2));
    const Mfn frame = frame_of_partition(0);
    grant_v2(0, 20, 3, frame);                                       // to somebody else
    grant_v2(0, 21, 2, frame, GTF_invalid);
    grant_v2(0, 22, 2, frame, GTF_transitive);
    grant_v2(0, 23, 2, frame, GTF_accept_transfer);
    grant_v2(0, 24, 2, frame, GTF_permit_access | GTF_readonly);
    be(1);
    const Mfn own = frame_of_partition(1);
    for (uint32_t ref = 20; ref < 24; ++ref) {
        LONGS_EQUAL(GNTST_general_error, copy_from(ref, 0, 8, own));
        LONGS_EQUAL(GNTST_general_error, map(ref).status);
    }
    LONGS_EQUAL(GNTST_okay, copy_from(24, 0, 8, own));
    LONGS_EQUAL(GNTST_general_error, copy_to(24, 0, 8, own));
    LONGS_EQUAL(GNTST_general_error, map(24).status);
    LONGS_EQUAL(GNTST_bad_page, [&] {
        entry(0, 20).hdr.domid = 2;
        entry(0, 20).full_page.frame = uint64_t{1} << 40;
        return copy_from(20, 0, 8, own);
    }());
    for (uint32_t ref = 20; ref < 25; ++ref)
        LONGS_EQUAL(0, status(0, ref));
    check_idle();
}

TEST(GrantVersion, of_a_part_of_a_page_only_that_part_is_copied)
{
    LONGS_EQUAL(0, set_version(2));
    grant_part(20, 2, frame_of_partition(0, 0x33), 100, 50);
    be(1);
    const Mfn own = frame_of_partition(1);
    LONGS_EQUAL(GNTST_okay, copy_from(20, 100, 50, own));
    LONGS_EQUAL(GNTST_okay, copy_from(20, 149, 1, own));
    LONGS_EQUAL(GNTST_general_error, copy_from(20, 99, 1, own));
    LONGS_EQUAL(GNTST_general_error, copy_from(20, 100, 51, own));
    LONGS_EQUAL(GNTST_general_error, copy_from(20, 150, 1, own));
    LONGS_EQUAL(GNTST_okay, copy_to(20, 120, 10, own));
    LONGS_EQUAL(GNTST_general_error, copy_to(20, 0, 10, own));
    LONGS_EQUAL(GNTST_general_error, map(20).status);
    check_idle();
}

TEST(GrantVersion, in_a_list_each_copy_of_a_part_is_checked)
{
    LONGS_EQUAL(0, set_version(2));
    grant_part(20, 2, frame_of_partition(0, 0x33), 100, 50);
    be(1);
    const Mfn own = frame_of_partition(1);
    std::vector<gnttab_copy_t> records(4);
    for (gnttab_copy_t& record : records) {
        record.source.u.ref = 20;
        record.source.domid = 1;
        record.dest.u.gmfn = own.raw();
        record.dest.domid = DOMID_SELF;
        record.len = 10;
        record.flags = GNTCOPY_source_gref;
    }
    records[0].source.offset = records[1].source.offset = records[3].source.offset = 110;
    records[2].source.offset = 145;
    call_list(GNTTABOP_copy, records);
    LONGS_EQUAL(GNTST_okay, records[0].status);
    LONGS_EQUAL(GNTST_okay, records[1].status);
    LONGS_EQUAL(GNTST_general_error, records[2].status);
    LONGS_EQUAL(GNTST_okay, records[3].status);
    check_idle();
}

TEST(GrantVersion, entries_change_places_whole)
{
    LONGS_EQUAL(0, set_version(2));
    grant_part(20, 2, Mfn(0x77), 100, 50);
    gnttab_swap_grant_ref_t record{20, 21, 99};
    LONGS_EQUAL(0, call(GNTTABOP_swap_grant_ref, record));
    LONGS_EQUAL(GNTST_okay, record.status);
    LONGS_EQUAL(0, entry(0, 20).hdr.flags);
    LONGS_EQUAL(100, entry(0, 21).sub_page.page_off);
    LONGS_EQUAL(50, entry(0, 21).sub_page.length);
    LONGS_EQUAL(0x77, entry(0, 21).sub_page.frame);
}

TEST(GrantVersion, the_monitor_sees_entries_of_version_2)
{
    LONGS_EQUAL(0, set_version(2));
    grant_v2(0, 20, 2, Mfn(uint64_t{1} << 33));
    const GrantInfo info = grant_info(partition(0), GrantRef(20));
    LONGS_EQUAL(GTF_permit_access, info.flags);
    LONGS_EQUAL(2, info.domain.raw());
    CHECK(info.frame == Mfn(uint64_t{1} << 33));
    LONGS_EQUAL(256, valid_references(partition(0).grants));
}
