// SPDX-License-Identifier: BSD-2-Clause
// A partition's own grant table: start, set-up, sizes, versions, swapping, and what is refused.
#include "grant_fixture.hpp"

using namespace bulkhead;

TEST_GROUP_BASE(GrantSetup, GrantFixture)
{
    std::array<uint64_t, 8> frames;
    static constexpr uint64_t frames_at = 0x60000;

    void setup() override
    {
        GrantFixture::setup();
        frames.fill(0xeeee);
        fake::map_guest(frames_at, frames);
    }
    gnttab_setup_table_t request(uint32_t count, domid_t domain = DOMID_SELF)
    {
        return {domain, count, 99, {reinterpret_cast<xen_pfn_t*>(frames_at)}};
    }
    int16_t status_of(gnttab_setup_table_t record)
    {
        LONGS_EQUAL(0, call(GNTTABOP_setup_table, record));
        return record.status;
    }
    gnttab_query_size_t query(domid_t domain = DOMID_SELF)
    {
        gnttab_query_size_t record{domain, 0, 0, 99};
        LONGS_EQUAL(0, call(GNTTABOP_query_size, record));
        return record;
    }
    int16_t swap(uint32_t a, uint32_t b)
    {
        gnttab_swap_grant_ref_t record{a, b, 99};
        LONGS_EQUAL(0, call(GNTTABOP_swap_grant_ref, record));
        return record.status;
    }
};

TEST(GrantSetup, tables_are_made_of_shared_frames_in_a_row)
{
    const GrantTable& table = partition(1).grants;
    LONGS_EQUAL(4, table.max_frames);
    for (uint32_t i = 0; i < 4; ++i)
        LONGS_EQUAL(2, frame_owner(table.first_frame + i).raw());
    LONGS_EQUAL(1024, table.mapping_count);
    LONGS_EQUAL(1, table.index);
}

TEST(GrantSetup, the_number_of_handles_follows_the_memory)
{
    fake::World large(2);
    large.plans[0].grant_frames = 0;         // still one
    large[0].memory.max_frames = 1024 * 1024;
    large[1].memory.max_frames = uint64_t{1} << 30;
    init_grants(large.partitions);
    LONGS_EQUAL(1, large[0].grants.max_frames);
    LONGS_EQUAL(8192, large[0].grants.mapping_count);
    LONGS_EQUAL(16384, large[1].grants.mapping_count);
}

TEST(GrantSetup, the_core_grants_console_and_store_before_the_first_instruction)
{
    while (!reset_grants(partition(0))) {
    }
    init_grants(partition(0), {.console = Mfn(0x111), .store = Mfn(0x222), .store_domain = DomainId(3)});
    LONGS_EQUAL(GTF_permit_access, shared(0, GNTTAB_RESERVED_CONSOLE).flags);
    LONGS_EQUAL(0, shared(0, GNTTAB_RESERVED_CONSOLE).domid);
    LONGS_EQUAL(0x111, shared(0, GNTTAB_RESERVED_CONSOLE).frame);
    LONGS_EQUAL(GTF_permit_access, shared(0, GNTTAB_RESERVED_XENSTORE).flags);
    LONGS_EQUAL(3, shared(0, GNTTAB_RESERVED_XENSTORE).domid);
    LONGS_EQUAL(0x222, shared(0, GNTTAB_RESERVED_XENSTORE).frame);
    LONGS_EQUAL(0, shared(1, GNTTAB_RESERVED_CONSOLE).flags);
    const GrantInfo info = grant_info(partition(0), GrantRef(0));
    LONGS_EQUAL(GTF_permit_access, info.flags);
    LONGS_EQUAL(0x111, info.frame.raw());
    LONGS_EQUAL(0, info.pins);
    LONGS_EQUAL(0, grant_info(partition(0), GrantRef(4096)).flags);
}

TEST(GrantSetup, set_up_gives_the_frames_and_grows_the_table)
{
    LONGS_EQUAL(1, query().nr_frames);
    LONGS_EQUAL(GNTST_okay, status_of(request(3)));
    for (uint64_t i = 0; i < 3; ++i)
        LONGS_EQUAL(partition(0).grants.first_frame.raw() + i, frames[i]);
    LONGS_EQUAL(0xeeee, frames[3]);
    LONGS_EQUAL(3, query().nr_frames);
    LONGS_EQUAL(GNTST_okay, status_of(request(1)));          // never shrinks
    LONGS_EQUAL(GNTST_okay, status_of(request(0)));
    LONGS_EQUAL(3, query().nr_frames);
    LONGS_EQUAL(4, query().max_nr_frames);
    LONGS_EQUAL(GNTST_okay, status_of(request(4, 1)));
}

TEST(GrantSetup, set_up_is_bounded_by_the_plan)
{
    LONGS_EQUAL(GNTST_general_error, status_of(request(5)));
    LONGS_EQUAL(GNTST_general_error, status_of(request(~0u)));
    LONGS_EQUAL(1, query().nr_frames);
}

TEST(GrantSetup, set_up_of_many_frames_is_written_in_pieces)
{
    GrantTable& table = partition(0).grants;
    table.max_frames = 150;
    std::array<uint64_t, 151> many;
    many.fill(0xeeee);
    fake::map_guest(0x70000, many);
    gnttab_setup_table_t record{DOMID_SELF, 150, 99, {reinterpret_cast<xen_pfn_t*>(0x70000)}};
    LONGS_EQUAL(GNTST_okay, status_of(record));
    for (uint64_t i = 0; i < 150; ++i)
        LONGS_EQUAL(table.first_frame.raw() + i, many[i]);
    LONGS_EQUAL(0xeeee, many[150]);
    table.max_frames = 4;
}

TEST(GrantSetup, set_up_needs_a_list_that_can_be_written)
{
    gnttab_setup_table_t record{DOMID_SELF, 1, 99, {reinterpret_cast<xen_pfn_t*>(0x999000)}};
    LONGS_EQUAL(GNTST_bad_virt_addr, status_of(record));
    record.frame_list.p = reinterpret_cast<xen_pfn_t*>(0xffff800000000000);
    LONGS_EQUAL(GNTST_bad_virt_addr, status_of(record));
}

TEST(GrantSetup, other_domains_tables_are_not_ones_business)
{
    LONGS_EQUAL(GNTST_permission_denied, status_of(request(1, 2)));
    LONGS_EQUAL(GNTST_permission_denied, status_of(request(1, 0)));
    LONGS_EQUAL(GNTST_bad_domain, status_of(request(1, 9)));
    LONGS_EQUAL(GNTST_permission_denied, query(2).status);
    LONGS_EQUAL(GNTST_bad_domain, query(9).status);
    gnttab_get_status_frames_t frames_record{1, 2, 99, {nullptr}};
    LONGS_EQUAL(0, call(GNTTABOP_get_status_frames, frames_record));
    LONGS_EQUAL(GNTST_permission_denied, frames_record.status);
}

TEST(GrantSetup, version_1_has_no_status_frames)
{
    gnttab_get_status_frames_t record{1, DOMID_SELF, 99, {nullptr}};
    LONGS_EQUAL(0, call(GNTTABOP_get_status_frames, record));
    LONGS_EQUAL(GNTST_general_error, record.status);
}

TEST(GrantSetup, single_records_come_one_at_a_time)
{
    for (const int operation : {GNTTABOP_setup_table, GNTTABOP_query_size, GNTTABOP_get_status_frames}) {
        LONGS_EQUAL(negative(XEN_EINVAL), call_raw(operation, 0));
        LONGS_EQUAL(negative(XEN_EINVAL), call_raw(operation, 2));
    }
}

TEST(GrantSetup, the_version_is_1_at_first)
{
    gnttab_get_version_t record{DOMID_SELF, 0, 99};
    LONGS_EQUAL(0, call(GNTTABOP_get_version, record));
    LONGS_EQUAL(1, record.version);
    record.dom = 2;
    LONGS_EQUAL(negative(XEN_EPERM), call(GNTTABOP_get_version, record));
    record.dom = 9;
    LONGS_EQUAL(negative(XEN_ESRCH), call(GNTTABOP_get_version, record));
}

TEST(GrantSetup, there_are_versions_1_and_2)
{
    gnttab_set_version_t record{1};
    LONGS_EQUAL(0, call(GNTTABOP_set_version, record));
    for (const uint32_t version : {0u, 3u, ~0u}) {
        record.version = version;
        LONGS_EQUAL(negative(XEN_EINVAL), call(GNTTABOP_set_version, record));
        LONGS_EQUAL(1, record.version);
    }
}

TEST(GrantSetup, two_entries_change_places)
{
    grant(0, 10, 2, Mfn(0x10), GTF_permit_access | GTF_readonly);
    grant(0, 20, 3, Mfn(0x20));
    LONGS_EQUAL(GNTST_okay, swap(10, 20));
    LONGS_EQUAL(3, shared(0, 10).domid);
    LONGS_EQUAL(0x20, shared(0, 10).frame);
    LONGS_EQUAL(GTF_permit_access | GTF_readonly, shared(0, 20).flags);
    LONGS_EQUAL(0x10, shared(0, 20).frame);
    LONGS_EQUAL(GNTST_okay, swap(10, 10));
}

TEST(GrantSetup, entries_beyond_the_table_or_in_use_stay)
{
    LONGS_EQUAL(GNTST_bad_gntref, swap(512, 1));
    LONGS_EQUAL(GNTST_bad_gntref, swap(1, ~0u));
    grow(0, 2);
    LONGS_EQUAL(GNTST_okay, swap(512, 1));
    const Mfn frame = frame_of_partition(0);
    grant(0, 10, 2, frame);
    CHECK(pin_grant(partition(0), partition(1), 10, false, GrantPurpose::copy).status == GNTST_okay);
    LONGS_EQUAL(GNTST_eagain, swap(10, 11));
    LONGS_EQUAL(GNTST_eagain, swap(11, 10));
    unpin_grant(partition(0), partition(1), 10, false);
    LONGS_EQUAL(GNTST_okay, swap(11, 10));
}

TEST(GrantSetup, a_long_list_of_swaps_is_done_in_turns)
{
    std::vector<gnttab_swap_grant_ref_t> records(600, {2, 3, 99});
    CHECK(call_list(GNTTABOP_swap_grant_ref, records) > 1);
    for (const auto& record : records)
        LONGS_EQUAL(GNTST_okay, record.status);
}

TEST(GrantSetup, what_is_refused_has_the_abis_errors)
{
    LONGS_EQUAL(negative(XEN_EOPNOTSUPP), call_raw(GNTTABOP_transfer, 1));
    LONGS_EQUAL(negative(XEN_EPERM), call_raw(GNTTABOP_cache_flush, 1));
    LONGS_EQUAL(negative(XEN_ENOSYS), call_raw(GNTTABOP_dump_table, 1));
    LONGS_EQUAL(negative(XEN_ENOSYS), call_raw(13, 1));
    LONGS_EQUAL(negative(XEN_EINVAL), call_raw(GNTTABOP_copy, 0x80000000));
}

TEST(GrantSetup, empty_lists_are_done)
{
    for (const int operation : {GNTTABOP_copy, GNTTABOP_map_grant_ref, GNTTABOP_unmap_grant_ref,
                                     GNTTABOP_unmap_and_replace, GNTTABOP_swap_grant_ref})
        LONGS_EQUAL(0, call_raw(operation, 0, 0));
}

TEST(GrantSetup, lists_that_cannot_be_read_or_written_are_faults)
{
    for (int operation = 0; operation <= GNTTABOP_swap_grant_ref; ++operation) {
        if (operation == GNTTABOP_dump_table || operation == GNTTABOP_transfer)
            continue;
        LONGS_EQUAL(negative(XEN_EFAULT), call_raw(operation, 1, 0x999000));
        LONGS_EQUAL(negative(XEN_EFAULT), call_raw(operation, 1, 0xffff800000000000));
    }
    fake::guest_regions.clear();
    fake::map_guest(GuestVirtual(list_at), list.data(), list.size(), false);
    list.fill(0);
    for (const int operation : {GNTTABOP_setup_table, GNTTABOP_query_size, GNTTABOP_set_version,
                                     GNTTABOP_swap_grant_ref, GNTTABOP_copy, GNTTABOP_map_grant_ref,
                                     GNTTABOP_unmap_grant_ref})
        LONGS_EQUAL(negative(XEN_EFAULT), call_raw(operation, 1));
    gnttab_get_version_t own{DOMID_SELF, 0, 0};
    std::memcpy(list.data(), &own, sizeof(own));
    LONGS_EQUAL(negative(XEN_EFAULT), call_raw(GNTTABOP_get_version, 1));
    check_idle();
}

TEST(GrantSetup, a_list_whose_answers_cannot_be_written_is_a_fault)
{
    fake::guest_regions.clear();
    fake::map_guest(GuestVirtual(list_at), list.data(), list.size(), false);
    list.fill(0);
    LONGS_EQUAL(negative(XEN_EFAULT), call_raw(GNTTABOP_copy, 2));
    check_idle();
}
