// SPDX-License-Identifier: BSD-2-Clause
// Entries that the granter changes under the core's hands, and the counts of those that are in use.
#include "grant_fixture.hpp"

#include <functional>

using namespace bulkhead;

namespace {

// An entry whose granter writes to it after each of the core's reads.
struct RestlessEntry {
    uint64_t value;
    std::function<void(uint64_t&)> after_read;
    unsigned reads = 0;
    unsigned writes = 0;

    uint64_t load(std::memory_order)
    {
        ++reads;
        const uint64_t seen = value;
        if (after_read)
            after_read(value);
        return seen;
    }
    bool compare_exchange_strong(uint64_t& expected, uint64_t wanted, std::memory_order)
    {
        if (value != expected) {
            expected = load(std::memory_order_relaxed);
            return false;
        }
        value = wanted;
        ++writes;
        return true;
    }
};

constexpr DomainId holder{2};
constexpr uint64_t granted = entry::make(GTF_permit_access, holder, Mfn(0x1000));

PinnedGrant mark(RestlessEntry& shared, bool write = true, GrantPurpose purpose = GrantPurpose::copy)
{
    return mark_in_use(shared, holder, write, purpose);
}

}  // namespace

TEST_GROUP_BASE(GrantPin, GrantFixture)
{
    int16_t pin(uint32_t ref, bool write, size_t by = 1, GrantPurpose purpose = GrantPurpose::copy)
    {
        return pin_grant(partition(0), partition(by), ref, write, purpose).status;
    }
    void unpin(uint32_t ref, bool write, size_t by = 1) { unpin_grant(partition(0), partition(by), ref, write); }
};

// --- A hostile entry --------------------------------------------------------------------------------------

TEST(GrantPin, an_entry_is_read_once_and_written_once)
{
    RestlessEntry shared{granted, nullptr};
    const PinnedGrant pinned = mark(shared);
    LONGS_EQUAL(GNTST_okay, pinned.status);
    LONGS_EQUAL(0x1000, pinned.frame.raw());
    LONGS_EQUAL(1, shared.reads);
    LONGS_EQUAL(1, shared.writes);
    CHECK_EQUAL(granted | GTF_reading | GTF_writing, shared.value);
}

TEST(GrantPin, a_frame_that_changes_between_check_and_use_is_the_one_that_is_used)
{
    RestlessEntry shared{granted, nullptr};
    shared.after_read = [&](uint64_t& value) {
        value = entry::make(GTF_permit_access, holder, Mfn(0x2000));
        shared.after_read = nullptr;
    };
    const PinnedGrant pinned = mark(shared);
    LONGS_EQUAL(GNTST_okay, pinned.status);
    LONGS_EQUAL(0x2000, pinned.frame.raw());
    LONGS_EQUAL(0x2000, entry::frame(shared.value).raw());
}

TEST(GrantPin, a_grant_that_is_taken_back_between_check_and_use_is_not_used)
{
    for (const uint64_t then : {uint64_t{0}, entry::make(GTF_permit_access, DomainId(3), Mfn(0x1000)),
                                entry::make(GTF_permit_access | GTF_readonly, holder, Mfn(0x1000))}) {
        RestlessEntry shared{granted, [&](uint64_t& value) { value = then; }};
        LONGS_EQUAL(GNTST_general_error, mark(shared).status);
        CHECK_EQUAL(then, shared.value);
        LONGS_EQUAL(0, shared.writes);
    }
}

TEST(GrantPin, an_entry_that_never_rests_is_given_up)
{
    RestlessEntry shared{granted, [](uint64_t& value) { value += uint64_t{1} << entry::frame_shift; }};
    LONGS_EQUAL(GNTST_general_error, mark(shared).status);
    LONGS_EQUAL(0, shared.writes);
    CHECK(shared.reads <= attempts_at_an_entry + 1);
}

TEST(GrantPin, an_entry_that_is_marked_already_is_not_written)
{
    RestlessEntry shared{granted | GTF_reading | GTF_writing, nullptr};
    LONGS_EQUAL(GNTST_okay, mark(shared).status);
    LONGS_EQUAL(0, shared.writes);
    shared.value = granted | GTF_reading;
    LONGS_EQUAL(GNTST_okay, mark(shared, false).status);
    LONGS_EQUAL(0, shared.writes);
    LONGS_EQUAL(GNTST_okay, mark(shared, true).status);
    LONGS_EQUAL(1, shared.writes);
}

TEST(GrantPin, only_access_granted_to_the_holder_counts)
{
    for (const unsigned flags : {unsigned{GTF_invalid}, unsigned{GTF_accept_transfer}, unsigned{GTF_transitive}}) {
        RestlessEntry shared{entry::make(static_cast<uint16_t>(flags), holder, Mfn(1)), nullptr};
        LONGS_EQUAL(GNTST_general_error, mark(shared, false).status);
    }
    RestlessEntry foreign{entry::make(GTF_permit_access, DomainId(3), Mfn(1)), nullptr};
    LONGS_EQUAL(GNTST_general_error, mark(foreign, false).status);
}

TEST(GrantPin, a_read_only_grant_is_read_only)
{
    RestlessEntry shared{granted | GTF_readonly, nullptr};
    LONGS_EQUAL(GNTST_general_error, mark(shared, true).status);
    LONGS_EQUAL(GNTST_okay, mark(shared, false).status);
    CHECK_EQUAL(granted | GTF_readonly | GTF_reading, shared.value);
}

TEST(GrantPin, a_part_of_a_page_is_not_mapped)
{
    RestlessEntry shared{granted | GTF_sub_page, nullptr};
    LONGS_EQUAL(GNTST_general_error, mark(shared, false, GrantPurpose::map).status);
    LONGS_EQUAL(GNTST_okay, mark(shared, false, GrantPurpose::copy).status);
}

// --- Counts ----------------------------------------------------------------------------------------------------

TEST(GrantPin, flags_last_until_the_last_user_is_done)
{
    grant(0, 8, 2, Mfn(0x55));
    LONGS_EQUAL(GNTST_okay, pin(8, false));
    LONGS_EQUAL(GTF_reading, use_flags(0, 8));
    LONGS_EQUAL(GNTST_okay, pin(8, true));
    LONGS_EQUAL(GNTST_okay, pin(8, true));
    LONGS_EQUAL(GTF_reading | GTF_writing, use_flags(0, 8));
    LONGS_EQUAL(3, grant_info(partition(0), GrantRef(8)).pins);
    LONGS_EQUAL(2, grant_info(partition(0), GrantRef(8)).writers);
    unpin(8, true);
    LONGS_EQUAL(GTF_reading | GTF_writing, use_flags(0, 8));
    unpin(8, true);
    LONGS_EQUAL(GTF_reading, use_flags(0, 8));
    unpin(8, false);
    LONGS_EQUAL(0, use_flags(0, 8));
    LONGS_EQUAL(GTF_permit_access, shared(0, 8).flags);
    LONGS_EQUAL(2, shared(0, 8).domid);
    check_idle();
}

TEST(GrantPin, references_beyond_the_table_are_bad)
{
    LONGS_EQUAL(GNTST_bad_gntref, pin(512, false));
    LONGS_EQUAL(GNTST_bad_gntref, pin(~0u, false));
    grow(0, 2);
    LONGS_EQUAL(GNTST_general_error, pin(512, false));
    LONGS_EQUAL(GNTST_bad_gntref, pin(1024, false));
}

TEST(GrantPin, a_count_at_its_limit_takes_no_more)
{
    grant(0, 8, 2, Mfn(0x55));
    partition(0).grants.uses[8].counts = UINT16_MAX;
    LONGS_EQUAL(GNTST_general_error, pin(8, false));
    LONGS_EQUAL(0, use_flags(0, 8));
    partition(0).grants.uses[8].counts = 0;
}

TEST(GrantPin, holders_are_known_until_they_let_go)
{
    grant(0, 8, 2, Mfn(0x55));
    grant(0, 9, 3, Mfn(0x55));
    grant(0, 10, 1, Mfn(0x55));
    LONGS_EQUAL(GNTST_okay, pin(10, true, 0));
    POINTERS_EQUAL(nullptr, first_foreign_holder(partition(0)));      // its own do not count
    LONGS_EQUAL(GNTST_okay, pin(9, true, 2));
    POINTERS_EQUAL(&partition(2), first_foreign_holder(partition(0)));
    LONGS_EQUAL(GNTST_okay, pin(8, false, 1));
    POINTERS_EQUAL(&partition(1), first_foreign_holder(partition(0)));
    unpin(8, false, 1);
    POINTERS_EQUAL(&partition(2), first_foreign_holder(partition(0)));
    unpin(9, true, 2);
    unpin(10, true, 0);
    POINTERS_EQUAL(nullptr, first_foreign_holder(partition(0)));
    check_idle();
}
