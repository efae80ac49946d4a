// SPDX-License-Identifier: BSD-2-Clause
#include "core/pv/grant_mapping.hpp"

#include "harness.hpp"
#include "units.hpp"

using namespace bulkhead;
using namespace bulkhead::fake;

TEST_GROUP(GrantMapping)
{
    TwoPartitions two;

    void setup() override { run_on_small_tree(two); }
    void teardown() override { two.check_all(); }

    uint64_t& entry(uint64_t index) { return words(two.fa(3))[index]; }
    // References as the grant table holds them.
    void hold(Mfn frame, bool writable)
    {
        const DomainId owner = frame_owner(frame);
        CHECK_TRUE((writable ? get_writable_frame(frame, owner) : get_frame(frame, owner)).has_value());
        two.held[frame.raw()].existence += 1;
        two.held[frame.raw()].typed += writable;
    }
    Errno map(uint64_t address, Mfn frame, bool writable, bool by_entry = false)
    {
        const LockGuard guard(two.a().memory.lock);
        const auto result = map_grant_entry(two.a0(), {address, by_entry}, {frame, writable, 0});
        return result.has_value() ? frame::ok : result.error();
    }
    Errno unmap(uint64_t address, Mfn frame, bool writable, bool by_entry = false)
    {
        const LockGuard guard(two.a().memory.lock);
        const auto result = unmap_grant_entry(two.a0(), {address, by_entry}, {frame, writable, 0});
        return result.has_value() ? frame::ok : result.error();
    }
    Errno replace(uint64_t address, Mfn frame, uint64_t with)
    {
        const LockGuard guard(two.a().memory.lock);
        const auto result = replace_grant_entry(two.a0(), {address, false}, {frame, true, 0}, GuestVirtual(with));
        return result.has_value() ? frame::ok : result.error();
    }
    static constexpr uint64_t granted_rw = rw | pte::granted;
};

TEST(GrantMapping, AFrameOfAnotherIsMappedByAddressOrByEntry)
{
    hold(two.fb(5), true);
    LONGS_EQUAL(frame::ok, map(at(0, 0, 0, 100), two.fb(5), true));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fb(5), granted_rw), entry(100));
    hold(two.fb(6), false);
    LONGS_EQUAL(frame::ok, map(entry_address(two.fa(3), 101), two.fb(6), false, true));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fb(6), granted_rw & ~pte::writable), entry(101));
}

TEST(GrantMapping, TheGuestsOwnBitsAreInTheEntry)
{
    hold(two.fb(5), true);
    const LockGuard guard(two.a().memory.lock);
    CHECK_TRUE(map_grant_entry(two.a0(), {at(0, 0, 0, 100), false}, {two.fb(5), true, 5}).has_value());
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fb(5), granted_rw | 0xA00), entry(100));
}

TEST(GrantMapping, WhatWasMappedThereBeforeIsDropped)
{
    hold(two.fb(5), true);
    LONGS_EQUAL(frame::ok, map(at(0, 0, 0, 3), two.fb(5), true));
    LONGS_EQUAL(0, existing(two.fa(19)));
}

TEST(GrantMapping, OnlyAnL1EntryOfTheMapperCanTakeIt)
{
    LONGS_EQUAL(XEN_EINVAL, map(at(0, 0, 1, 0), two.fb(5), true));
    LONGS_EQUAL(XEN_EINVAL, map(layout::core_begin, two.fb(5), true));
    LONGS_EQUAL(XEN_EINVAL, map(entry_address(two.fa(2), 101), two.fb(5), true, true));
    LONGS_EQUAL(XEN_EINVAL, map(entry_address(two.fa(60), 101), two.fb(5), true, true));
    LONGS_EQUAL(XEN_EINVAL, map(entry_address(two.fb(60), 101), two.fb(5), true, true));
    LONGS_EQUAL(XEN_EINVAL, map(entry_address(two.fa(3), 101) + 4, two.fb(5), true, true));
}

TEST(GrantMapping, UnmappingClearsTheEntryThatMatches)
{
    hold(two.fb(5), true);
    LONGS_EQUAL(frame::ok, map(at(0, 0, 0, 100), two.fb(5), true));
    LONGS_EQUAL(XEN_EINVAL, unmap(at(0, 0, 0, 101), two.fb(5), true));
    LONGS_EQUAL(XEN_EINVAL, unmap(at(0, 0, 0, 100), two.fb(6), true));
    LONGS_EQUAL(XEN_EINVAL, unmap(at(0, 0, 0, 100), two.fb(5), false));
    LONGS_EQUAL(frame::ok, unmap(at(0, 0, 0, 100), two.fb(5), true));
    UNSIGNED_LONGLONGS_EQUAL(0, entry(100));
    LONGS_EQUAL(XEN_EINVAL, unmap(at(0, 0, 0, 100), two.fb(5), true));
}

TEST(GrantMapping, AnOrdinaryEntryOfTheSameFrameIsNoGrant)
{
    LONGS_EQUAL(XEN_EINVAL, unmap(at(0, 0, 0, 3), two.fa(19), true));
    LONGS_EQUAL(1, typed(two.fa(19)));
}

TEST(GrantMapping, TheGuestCannotMakeTheMarkItself)
{
    LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(3), 3), pte::make(two.fa(70), granted_rw)));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(70), rw), entry(3));
    LONGS_EQUAL(-XEN_EBUSY, update_table(two.a0(), entry_address(two.fa(3), 3), pte::make(two.fb(70), granted_rw)));
}

TEST(GrantMapping, TheGuestMayChangeFlagsButNeitherFrameNorAccess)
{
    hold(two.fb(5), true);
    LONGS_EQUAL(frame::ok, map(at(0, 0, 0, 100), two.fb(5), true));
    const uint64_t place = entry_address(two.fa(3), 100);
    LONGS_EQUAL(0, update_table(two.a0(), place, pte::make(two.fb(5), rw | 0x200)));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fb(5), granted_rw | 0x200), entry(100));
    LONGS_EQUAL(-XEN_EBUSY, update_table(two.a0(), place, pte::make(two.fb(5), ro)));
    LONGS_EQUAL(-XEN_EBUSY, update_table(two.a0(), place, pte::make(two.fb(6), rw)));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fb(5), granted_rw | 0x200), entry(100));
    LONGS_EQUAL(frame::ok, unmap(at(0, 0, 0, 100), two.fb(5), true));
}

TEST(GrantMapping, AnEntryThatTheGuestOverwritesIsCountedAndItsReferenceStays)
{
    hold(two.fb(5), true);
    LONGS_EQUAL(frame::ok, map(at(0, 0, 0, 100), two.fb(5), true));
    LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(3), 100), 0));
    LONGS_EQUAL(1, two.a().memory.counters.grants_overwritten);
    LONGS_EQUAL(1, typed(two.fb(5)));
}

TEST(GrantMapping, ATableWithAGrantInItCanBeReleased)
{
    hold(two.fb(5), true);
    LONGS_EQUAL(frame::ok, map(at(0, 0, 0, 100), two.fb(5), true));
    LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(2), 0), 0));
    LONGS_EQUAL(1, typed(two.fb(5)));
    // Pinned again as it is, the entry of another's frame is refused.
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_PIN_L1_TABLE, two.fa(3).raw()));
}

TEST(GrantMapping, ReplacingMovesAnotherEntryThere)
{
    hold(two.fb(5), true);
    LONGS_EQUAL(frame::ok, map(at(0, 0, 0, 100), two.fb(5), true));
    LONGS_EQUAL(frame::ok, replace(at(0, 0, 0, 100), two.fb(5), at(0, 0, 0, 4)));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(20), rw), entry(100));
    UNSIGNED_LONGLONGS_EQUAL(0, entry(4));
    LONGS_EQUAL(1, typed(two.fa(20)));
}

TEST(GrantMapping, ReplacingByNothingOrItselfOrNowhere)
{
    hold(two.fb(5), true);
    LONGS_EQUAL(frame::ok, map(at(0, 0, 0, 100), two.fb(5), true));
    LONGS_EQUAL(XEN_EINVAL, replace(at(0, 0, 0, 100), two.fb(5), at(0, 0, 0, 100)));
    LONGS_EQUAL(XEN_EINVAL, replace(at(0, 0, 0, 100), two.fb(5), at(0, 0, 1, 0)));
    LONGS_EQUAL(XEN_EINVAL, replace(at(0, 0, 0, 4), two.fb(5), at(0, 0, 0, 5)));
    LONGS_EQUAL(frame::ok, replace(at(0, 0, 0, 100), two.fb(5), 0));
    UNSIGNED_LONGLONGS_EQUAL(0, entry(100));
}

TEST(GrantMapping, TheFlushReachesEveryCpuThatRunsTheMapper)
{
    flush_grant_mappings(two.a());
    LONGS_EQUAL(3, flushes.back().cpus);
    CHECK_TRUE(flushes.back().whole);
}
