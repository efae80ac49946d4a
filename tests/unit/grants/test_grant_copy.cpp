// SPDX-License-Identifier: BSD-2-Clause
// GNTTABOP_copy: every direction, every error, long lists, and what is held meanwhile.
#include "grant_fixture.hpp"

using namespace bulkhead;

TEST_GROUP_BASE(GrantCopy, GrantFixture)
{
    using Copy = gnttab_copy_t;

    // Between a frame of the caller, partition 1, and a reference of another.
    Copy from_ref(domid_t domain, uint32_t ref, Mfn to, uint16_t length)
    {
        Copy copy{};
        copy.source.u.ref = ref;
        copy.source.domid = domain;
        copy.dest.u.gmfn = to.raw();
        copy.dest.domid = DOMID_SELF;
        copy.len = length;
        copy.flags = GNTCOPY_source_gref;
        copy.status = 99;
        return copy;
    }
    Copy to_ref(Mfn from, domid_t domain, uint32_t ref, uint16_t length)
    {
        Copy copy{};
        copy.source.u.gmfn = from.raw();
        copy.source.domid = DOMID_SELF;
        copy.dest.u.ref = ref;
        copy.dest.domid = domain;
        copy.len = length;
        copy.flags = GNTCOPY_dest_gref;
        copy.status = 99;
        return copy;
    }
    Copy own(Mfn from, Mfn to, uint16_t length)
    {
        Copy copy = to_ref(from, DOMID_SELF, 0, length);
        copy.dest.u.gmfn = to.raw();
        copy.flags = 0;
        return copy;
    }
    int16_t run(Copy copy)
    {
        LONGS_EQUAL(0, call(GNTTABOP_copy, copy));
        return copy.status;
    }
    uint8_t byte(Mfn frame, size_t offset) { return fake::frame_bytes(frame)[offset]; }
};

// --- Directions ----------------------------------------------------------------------------------------------

TEST(GrantCopy, copies_from_a_reference_into_an_own_frame)
{
    const Mfn theirs = frame_of_partition(1, 0xaa);
    const Mfn mine = frame_of_partition(0);
    grant(1, 9, 1, theirs, GTF_permit_access | GTF_readonly);
    Copy copy = from_ref(2, 9, mine, 100);
    copy.source.offset = 8;
    copy.dest.offset = 1000;
    LONGS_EQUAL(GNTST_okay, run(copy));
    LONGS_EQUAL(0, byte(mine, 999));
    LONGS_EQUAL(0xaa, byte(mine, 1000));
    LONGS_EQUAL(0xaa, byte(mine, 1099));
    LONGS_EQUAL(0, byte(mine, 1100));
    check_idle();
    LONGS_EQUAL(0, use_flags(1, 9));
}

TEST(GrantCopy, copies_from_an_own_frame_to_a_reference)
{
    const Mfn theirs = frame_of_partition(1);
    const Mfn mine = frame_of_partition(0, 0xbb);
    grant(1, 9, 1, theirs);
    LONGS_EQUAL(GNTST_okay, run(to_ref(mine, 2, 9, 4096)));
    LONGS_EQUAL(0xbb, byte(theirs, 0));
    LONGS_EQUAL(0xbb, byte(theirs, 4095));
    check_idle();
}

TEST(GrantCopy, copies_between_two_others_who_both_granted)
{
    const Mfn source = frame_of_partition(1, 0xcc);
    const Mfn target = frame_of_partition(2);
    grant(1, 9, 1, source);
    grant(2, 10, 1, target);
    Copy copy = from_ref(2, 9, target, 64);
    copy.dest.u.ref = 10;
    copy.dest.domid = 3;
    copy.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
    LONGS_EQUAL(GNTST_okay, run(copy));
    LONGS_EQUAL(0xcc, byte(target, 63));
    LONGS_EQUAL(0, byte(target, 64));
    check_idle();
}

TEST(GrantCopy, copies_between_two_others_in_a_list_and_finds_what_is_wrong_on_either_side)
{
    const Mfn one = frame_of_partition(1, 0xcc);
    const Mfn two = frame_of_partition(2, 0xee);
    grant(1, 9, 1, one);
    grant(1, 10, 1, one, GTF_permit_access | GTF_readonly);
    grant(2, 9, 1, two);
    grant(2, 11, 1, two, GTF_permit_access | GTF_readonly);
    const auto between = [&](domid_t from, uint32_t source, domid_t to, uint32_t target, uint16_t offset) {
        Copy copy = from_ref(from, source, two, 8);
        copy.source.offset = copy.dest.offset = offset;
        copy.dest.u.ref = target;
        copy.dest.domid = to;
        copy.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
        return copy;
    };
    std::vector<Copy> copies = {between(2, 9, 3, 9, 0),   between(3, 11, 2, 9, 64),  between(2, 10, 3, 11, 0),
                              between(2, 600, 3, 9, 0), between(2, 10, 3, 600, 0), between(2, 9, 3, 9, 4090)};
    call_list(GNTTABOP_copy, copies);
    LONGS_EQUAL(GNTST_okay, copies[0].status);
    LONGS_EQUAL(GNTST_okay, copies[1].status);
    LONGS_EQUAL(0xcc, byte(two, 7));
    LONGS_EQUAL(0xee, byte(two, 8));
    LONGS_EQUAL(0xee, byte(one, 71));
    LONGS_EQUAL(GNTST_general_error, copies[2].status);
    LONGS_EQUAL(GNTST_bad_gntref, copies[3].status);
    LONGS_EQUAL(GNTST_bad_gntref, copies[4].status);
    LONGS_EQUAL(GNTST_bad_copy_arg, copies[5].status);
    check_idle();
}

TEST(GrantCopy, copies_between_own_frames_and_through_own_references)
{
    const Mfn source = frame_of_partition(0, 0xdd);
    const Mfn target = frame_of_partition(0);
    LONGS_EQUAL(GNTST_okay, run(own(source, target, 16)));
    LONGS_EQUAL(0xdd, byte(target, 15));
    grant(0, 9, 1, source);
    LONGS_EQUAL(GNTST_okay, run(from_ref(1, 9, target, 32)));
    LONGS_EQUAL(0xdd, byte(target, 31));
    LONGS_EQUAL(GNTST_okay, run(from_ref(DOMID_SELF, 9, target, 48)));
    LONGS_EQUAL(0xdd, byte(target, 47));
    check_idle();
}

TEST(GrantCopy, copies_nothing_when_asked_for_nothing)
{
    const Mfn source = frame_of_partition(0, 0xdd);
    const Mfn target = frame_of_partition(0);
    Copy copy = own(source, target, 0);
    copy.source.offset = 4096;
    LONGS_EQUAL(GNTST_okay, run(copy));
    LONGS_EQUAL(0, byte(target, 0));
}

// --- Errors -------------------------------------------------------------------------------------------------------

TEST(GrantCopy, stays_within_the_page)
{
    const Mfn source = frame_of_partition(0, 0xdd);
    const Mfn target = frame_of_partition(0);
    for (const uint16_t offset : {uint16_t{1}, uint16_t{4095}, uint16_t{4096}, uint16_t{65535}}) {
        Copy copy = own(source, target, 4096);
        copy.source.offset = offset;
        LONGS_EQUAL(GNTST_bad_copy_arg, run(copy));
        copy = own(source, target, 4096);
        copy.dest.offset = offset;
        LONGS_EQUAL(GNTST_bad_copy_arg, run(copy));
    }
    LONGS_EQUAL(GNTST_bad_copy_arg, run(own(source, target, 65535)));
    LONGS_EQUAL(0, byte(target, 0));
    check_idle();
}

TEST(GrantCopy, a_frame_number_is_for_oneself_under_that_name_only)
{
    const Mfn mine = frame_of_partition(0);
    const Mfn theirs = frame_of_partition(1);
    Copy copy = own(mine, mine, 8);
    copy.source.domid = 1;
    LONGS_EQUAL(GNTST_permission_denied, run(copy));
    copy = own(mine, mine, 8);
    copy.dest.domid = 2;
    LONGS_EQUAL(GNTST_permission_denied, run(copy));
    LONGS_EQUAL(GNTST_bad_page, run(own(theirs, mine, 8)));
    LONGS_EQUAL(GNTST_bad_page, run(own(mine, theirs, 8)));
    LONGS_EQUAL(GNTST_bad_page, run(own(Mfn(~uint64_t{0}), mine, 8)));
    check_idle();
}

TEST(GrantCopy, the_granter_must_exist)
{
    const Mfn mine = frame_of_partition(0);
    for (const domid_t domain : {domid_t{0}, domid_t{7}, domid_t{DOMID_IO}, domid_t{DOMID_XEN}})
        LONGS_EQUAL(GNTST_bad_domain, run(from_ref(domain, 9, mine, 8)));
    check_idle();
}

TEST(GrantCopy, the_reference_must_be_granted_to_the_caller)
{
    const Mfn mine = frame_of_partition(0);
    const Mfn theirs = frame_of_partition(1);
    LONGS_EQUAL(GNTST_bad_gntref, run(from_ref(2, 512, mine, 8)));
    LONGS_EQUAL(GNTST_general_error, run(from_ref(2, 9, mine, 8)));
    grant(1, 9, 3, theirs);
    LONGS_EQUAL(GNTST_general_error, run(from_ref(2, 9, mine, 8)));
    grant(1, 9, 1, theirs, GTF_permit_access | GTF_readonly);
    LONGS_EQUAL(GNTST_general_error, run(to_ref(mine, 2, 9, 8)));
    check_idle();
}

TEST(GrantCopy, a_granter_can_grant_only_its_own_frames)
{
    const Mfn mine = frame_of_partition(0);
    const Mfn of_third = frame_of_partition(2);
    grant(1, 9, 1, of_third);
    LONGS_EQUAL(GNTST_bad_page, run(from_ref(2, 9, mine, 8)));
    LONGS_EQUAL(GNTST_bad_page, run(to_ref(mine, 2, 9, 8)));
    grant(1, 9, 1, Mfn(0xffffffff));
    LONGS_EQUAL(GNTST_bad_page, run(from_ref(2, 9, mine, 8)));
    const Mfn given_back = frame_of_partition(1);
    give_back(given_back);
    grant(1, 9, 1, given_back);
    LONGS_EQUAL(GNTST_bad_page, run(from_ref(2, 9, mine, 8)));
    LONGS_EQUAL(0, use_flags(1, 9));
    check_idle();
}

TEST(GrantCopy, a_page_table_is_read_but_not_written)
{
    const Mfn mine = frame_of_partition(0);
    const Mfn theirs = frame_of_partition(1, 0xee);
    make_page_table(theirs);
    grant(1, 9, 1, theirs);
    LONGS_EQUAL(GNTST_okay, run(from_ref(2, 9, mine, 8)));
    LONGS_EQUAL(GNTST_general_error, run(to_ref(mine, 2, 9, 8)));
    make_page_table(mine);
    LONGS_EQUAL(GNTST_general_error, run(from_ref(2, 9, mine, 8)));
    check_idle();
}

TEST(GrantCopy, a_frame_with_too_many_references_is_not_written)
{
    const Mfn mine = frame_of_partition(0);
    const Mfn theirs = frame_of_partition(1);
    use_up_references(theirs);
    grant(1, 9, 1, theirs);
    LONGS_EQUAL(GNTST_general_error, run(to_ref(mine, 2, 9, 8)));
    LONGS_EQUAL(GNTST_okay, run(from_ref(2, 9, mine, 8)));      // reading needs none
    use_up_references(mine);
    LONGS_EQUAL(GNTST_general_error, run(from_ref(2, 9, mine, 8)));
    LONGS_EQUAL(0, use_flags(1, 9));
    check_idle();
}

TEST(GrantCopy, a_frame_that_was_a_page_table_is_written_after_a_flush)
{
    const Mfn mine = frame_of_partition(0);
    const Mfn theirs = frame_of_partition(1, 0);
    grant(1, 9, 1, theirs);
    frame::entry_of(theirs).state = frame::given | frame::type_bits(FrameType::l1);
    partition(1).memory.running_on = 2;
    fake::flushes.clear();
    LONGS_EQUAL(GNTST_okay, run(to_ref(mine, 2, 9, 8)));
    LONGS_EQUAL(1, fake::flushes.size());
    LONGS_EQUAL(2, fake::flushes[0].cpus);
    std::vector<Copy> copies(2, to_ref(mine, 2, 9, 8));
    frame::entry_of(theirs).state = frame::given | frame::type_bits(FrameType::l1);
    call_list(GNTTABOP_copy, copies);
    LONGS_EQUAL(GNTST_okay, copies[1].status);
    partition(1).memory.running_on = 0;
    check_idle();
}

TEST(GrantCopy, leaves_the_flags_that_a_mapping_needs)
{
    const Mfn mine = frame_of_partition(0);
    const Mfn theirs = frame_of_partition(1);
    grant(1, 9, 1, theirs);
    for (const size_t count : {size_t{1}, size_t{2}}) {          // directly, and held for a list
        std::vector<Copy> reads(count, from_ref(2, 9, mine, 8));
        std::vector<Copy> writes(count, to_ref(mine, 2, 9, 8));
        CHECK(pin_grant(partition(1), partition(0), 9, true, GrantPurpose::map).status == GNTST_okay);
        call_list(GNTTABOP_copy, reads);
        call_list(GNTTABOP_copy, writes);
        LONGS_EQUAL(GTF_reading | GTF_writing, use_flags(1, 9));
        unpin_grant(partition(1), partition(0), 9, true);
        CHECK(pin_grant(partition(1), partition(0), 9, false, GrantPurpose::map).status == GNTST_okay);
        call_list(GNTTABOP_copy, reads);
        call_list(GNTTABOP_copy, writes);
        LONGS_EQUAL(GTF_reading, use_flags(1, 9));
        unpin_grant(partition(1), partition(0), 9, false);
        LONGS_EQUAL(0, use_flags(1, 9));
    }
    check_idle();
}

TEST(GrantCopy, an_error_stops_neither_those_before_nor_those_after)
{
    const Mfn source = frame_of_partition(0, 0x11);
    const Mfn target = frame_of_partition(0);
    std::vector<Copy> copies(3, own(source, target, 8));
    copies[1] = from_ref(7, 1, target, 8);
    copies[2].dest.offset = 100;
    call_list(GNTTABOP_copy, copies);
    LONGS_EQUAL(GNTST_okay, copies[0].status);
    LONGS_EQUAL(GNTST_bad_domain, copies[1].status);
    LONGS_EQUAL(GNTST_okay, copies[2].status);
    LONGS_EQUAL(0x11, byte(target, 107));
    check_idle();
}

TEST(GrantCopy, a_list_finds_the_same_errors_as_a_single_record)
{
    const Mfn mine = frame_of_partition(0);
    const Mfn theirs = frame_of_partition(1);
    const Mfn of_third = frame_of_partition(2);
    grant(1, 9, 1, theirs, GTF_permit_access | GTF_readonly);
    grant(1, 10, 3, theirs);
    grant(1, 11, 1, of_third);
    grant(1, 12, 1, theirs);
    Copy far = from_ref(2, 12, mine, 4096);
    far.dest.offset = 1;
    Copy wrong_name = from_ref(2, 12, mine, 8);
    wrong_name.dest.domid = 1;
    const std::vector<Copy> errors = {
        from_ref(7, 9, mine, 8),   to_ref(mine, 7, 9, 8),    from_ref(2, 10, mine, 8),     to_ref(mine, 2, 9, 8),
        from_ref(2, 11, mine, 8),  to_ref(mine, 2, 11, 8),   from_ref(2, 12, of_third, 8), to_ref(of_third, 2, 12, 8),
        from_ref(2, 600, mine, 8), to_ref(mine, 2, 600, 8),  far,                          wrong_name,
        own(theirs, mine, 8),      own(mine, theirs, 8)};
    for (const Copy& error : errors) {
        const int16_t alone = run(error);
        CHECK(alone < 0);
        for (const size_t count : {size_t{2}, size_t{20}}) {
            std::vector<Copy> copies(count, error);
            call_list(GNTTABOP_copy, copies);
            for (const Copy& copy : copies)
                LONGS_EQUAL(alone, copy.status);
        }
        check_idle();
    }
    std::vector<Copy> mixed = errors;
    for (size_t i = 0; i < errors.size(); ++i)
        mixed.insert(mixed.begin() + static_cast<ptrdiff_t>(2 * i), from_ref(2, 12, mine, 8));
    call_list(GNTTABOP_copy, mixed);
    for (size_t i = 0; i < mixed.size(); ++i)
        CHECK_EQUAL(i % 2 == 0, mixed[i].status == GNTST_okay);
    check_idle();
}

// --- Lists -------------------------------------------------------------------------------------------------------

TEST(GrantCopy, a_reference_used_again_is_pinned_once)
{
    const Mfn mine = frame_of_partition(0);
    const Mfn theirs = frame_of_partition(1, 0x77);
    grant(1, 9, 1, theirs);
    std::vector<Copy> copies(40, from_ref(2, 9, mine, 4));
    for (size_t i = 0; i < copies.size(); ++i)
        copies[i].dest.offset = static_cast<uint16_t>(i * 8);
    // The granter takes the grant back after the first batch: what is held stays usable to the end.
    unsigned batch = 0;
    fake::on_guest_access = [&](GuestVirtual, size_t, bool write) {
        if (!write && ++batch == 2)
            shared(1, 9).flags = 0;
    };
    call_list(GNTTABOP_copy, copies);
    for (const Copy& copy : copies)
        LONGS_EQUAL(GNTST_okay, copy.status);
    LONGS_EQUAL(0x77, byte(mine, 39 * 8));
    fake::on_guest_access = nullptr;
    check_idle();
}

TEST(GrantCopy, another_name_for_the_same_thing_is_resolved_anew)
{
    // Reference 9 and frame 9, and the same reference of two domains, are not to be mixed up.
    const Mfn mine = frame_of_partition(0);
    const Mfn second = frame_of_partition(1, 0x22);
    const Mfn third = frame_of_partition(2, 0x33);
    grant(1, 9, 1, second);
    grant(2, 9, 1, third);
    std::vector<Copy> copies = {from_ref(2, 9, mine, 1), from_ref(3, 9, mine, 1), from_ref(2, 9, mine, 1),
                                own(Mfn(9), mine, 1)};
    for (size_t i = 0; i < copies.size(); ++i)
        copies[i].dest.offset = static_cast<uint16_t>(i);
    call_list(GNTTABOP_copy, copies);
    LONGS_EQUAL(0x22, byte(mine, 0));
    LONGS_EQUAL(0x33, byte(mine, 1));
    LONGS_EQUAL(0x22, byte(mine, 2));
    LONGS_EQUAL(GNTST_bad_page, copies[3].status);
    check_idle();
}

TEST(GrantCopy, a_list_of_whole_pages_is_done_in_turns_and_holds_nothing_between_them)
{
    const Mfn mine = frame_of_partition(0);
    const Mfn theirs = frame_of_partition(1, 0x44);
    grant(1, 9, 1, theirs);
    std::vector<Copy> copies(100, from_ref(2, 9, mine, 4096));
    std::memcpy(list.data(), copies.data(), copies.size() * sizeof(Copy));
    HypercallArguments arguments{{GNTTABOP_copy, list_at, copies.size()}};
    unsigned turns = 1;
    while (do_grant_table_op(be(0), arguments) == hypercall_continue) {
        check_idle();
        ++turns;
    }
    LONGS_EQUAL(7, turns);                   // 16 pages of 662 instructions are a share
    std::memcpy(copies.data(), list.data(), copies.size() * sizeof(Copy));
    for (const Copy& copy : copies)
        LONGS_EQUAL(GNTST_okay, copy.status);
    check_idle();
}

TEST(GrantCopy, what_lies_before_an_unreadable_record_is_copied)
{
    const Mfn source = frame_of_partition(0, 0x55);
    const Mfn target = frame_of_partition(0);
    std::vector<Copy> copies(3, own(source, target, 8));
    for (size_t i = 0; i < 3; ++i)
        copies[i].dest.offset = static_cast<uint16_t>(i * 8);
    std::memcpy(list.data(), copies.data(), 3 * sizeof(Copy));
    fake::guest_regions.clear();
    fake::map_guest(GuestVirtual(list_at), list.data(), 2 * sizeof(Copy));
    LONGS_EQUAL(negative(XEN_EFAULT), call_raw(GNTTABOP_copy, 3));
    LONGS_EQUAL(0x55, byte(target, 15));
    LONGS_EQUAL(0, byte(target, 16));
    check_idle();
}

TEST(GrantCopy, records_are_read_once)
{
    // Another vCPU makes the length larger after the record was read.
    const Mfn source = frame_of_partition(0, 0x66);
    const Mfn target = frame_of_partition(0);
    Copy copy = own(source, target, 8);
    std::memcpy(list.data(), &copy, sizeof(copy));
    unsigned reads = 0;
    fake::on_guest_access = [&](GuestVirtual, size_t, bool write) { reads += !write; };
    LONGS_EQUAL(0, call_raw(GNTTABOP_copy, 1));
    LONGS_EQUAL(1, reads);
    fake::on_guest_access = nullptr;
}

TEST(GrantCopy, both_sides_may_be_one_frame)
{
    const Mfn mine = frame_of_partition(0);
    for (size_t i = 0; i < 64; ++i)
        fake::frame_bytes(mine)[i] = static_cast<uint8_t>(i);
    Copy copy = own(mine, mine, 64);
    copy.dest.offset = 128;
    LONGS_EQUAL(GNTST_okay, run(copy));
    LONGS_EQUAL(63, byte(mine, 128 + 63));
    copy.dest.offset = 8;                    // overlapping: whatever it gives, nothing else changes
    LONGS_EQUAL(GNTST_okay, run(copy));
    LONGS_EQUAL(7, byte(mine, 7));
    LONGS_EQUAL(0, byte(mine, 72));
    check_idle();
}
