// SPDX-License-Identifier: BSD-2-Clause
#include "core/pv/write_emulation.hpp"

#include "harness.hpp"
#include "units.hpp"

using namespace bulkhead;
using namespace bulkhead::fake;

using Kind = PageTableWrite::Operation;

TEST_GROUP(WriteEmulation)
{
    TwoPartitions two;
    PageTableWriteResult result{};

    // Entry 35 of the small tree's L1 maps that L1 read-only, 34 the L2, and so on.
    static constexpr uint64_t l1_at = at(0, 0, 0, 35);
    static constexpr uint64_t l2_at = at(0, 0, 0, 34);
    static constexpr uint64_t l4_at = at(0, 0, 0, 32);

    void setup() override { run_on_small_tree(two); }
    void teardown() override { two.check_all(); }

    uint64_t& entry(uint64_t index) { return words(two.fa(3))[index]; }
    PageTableWriteOutcome write(Kind kind, uint64_t address, uint64_t operand, uint8_t size = 8, uint64_t expected = 0)
    {
        return emulate_page_table_write(two.a0(), {GuestVirtual(address), size, kind, operand, expected}, result);
    }
    void done(PageTableWriteOutcome outcome) { CHECK_TRUE(outcome == PageTableWriteOutcome::done); }
    void refused(PageTableWriteOutcome outcome) { CHECK_TRUE(outcome == PageTableWriteOutcome::refused); }
};

TEST(WriteEmulation, OnlyReadOnlyMappingsOfOwnTablesAreRecognised)
{
    CHECK_TRUE(is_page_table_address(two.a0(), GuestVirtual(l1_at + 8)));
    CHECK_TRUE(is_page_table_address(two.a0(), GuestVirtual(l4_at)));
    CHECK_FALSE(is_page_table_address(two.a0(), GuestVirtual(at(0, 0, 0, 3))));
    CHECK_FALSE(is_page_table_address(two.a0(), GuestVirtual(at(0, 0, 0, 100))));
    CHECK_FALSE(is_page_table_address(two.a0(), GuestVirtual(at(7, 0, 0, 0))));
    CHECK_FALSE(is_page_table_address(two.a0(), GuestVirtual(layout::core_begin)));
    LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(3), 90), pte::make(two.fa(60), ro)));
    CHECK_FALSE(is_page_table_address(two.a0(), GuestVirtual(at(0, 0, 0, 90))));
}

TEST(WriteEmulation, AStoreChangesTheEntryAsAnUpdateWould)
{
    done(write(Kind::store, l1_at + 8 * 3, pte::make(two.fa(70), rw)));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(70), rw), entry(3));
    LONGS_EQUAL(1, typed(two.fa(70)));
    LONGS_EQUAL(0, existing(two.fa(19)));
    CHECK_TRUE(result.success);
}

TEST(WriteEmulation, AnExchangeReturnsTheOldEntry)
{
    entry(3) |= pte::dirty;
    const uint64_t old = entry(3);
    done(write(Kind::exchange, l1_at + 8 * 3, 0));
    UNSIGNED_LONGLONGS_EQUAL(old, result.old_value);
    UNSIGNED_LONGLONGS_EQUAL(0, entry(3));
    LONGS_EQUAL(0, existing(two.fa(19)));
}

TEST(WriteEmulation, ACompareExchangeWritesOnlyIfEqual)
{
    const uint64_t old = entry(3);
    done(write(Kind::compare_exchange, l1_at + 8 * 3, 0, 8, old ^ 0x200));
    CHECK_FALSE(result.success);
    UNSIGNED_LONGLONGS_EQUAL(old, result.old_value);
    UNSIGNED_LONGLONGS_EQUAL(old, entry(3));
    done(write(Kind::compare_exchange, l1_at + 8 * 3, old | 0x200, 8, old));
    CHECK_TRUE(result.success);
    UNSIGNED_LONGLONGS_EQUAL(old | 0x200, entry(3));
}

TEST(WriteEmulation, BitOperationsChangeTheirBitAndReturnTheOldOne)
{
    done(write(Kind::bit_reset, l1_at + 8 * 3, 1));
    CHECK_TRUE(result.success);
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(19), ro), entry(3));
    LONGS_EQUAL(0, typed(two.fa(19)));
    done(write(Kind::bit_reset, l1_at + 8 * 3, 1));
    CHECK_FALSE(result.success);
    done(write(Kind::bit_set, l1_at + 8 * 3, 1));
    CHECK_FALSE(result.success);
    LONGS_EQUAL(1, typed(two.fa(19)));
}

TEST(WriteEmulation, ArithmeticOperationsReturnWhatFlagsNeed)
{
    const uint64_t old = entry(3);
    done(write(Kind::bit_and, l1_at + 8 * 3, ~pte::writable));
    UNSIGNED_LONGLONGS_EQUAL(old & ~pte::writable, result.new_value);
    UNSIGNED_LONGLONGS_EQUAL(old & ~pte::writable, entry(3));
    done(write(Kind::bit_or, l1_at + 8 * 3, pte::no_execute));
    UNSIGNED_LONGLONGS_EQUAL((old & ~pte::writable) | pte::no_execute, entry(3));
    done(write(Kind::bit_xor, l1_at + 8 * 3, pte::no_execute | pte::writable));
    UNSIGNED_LONGLONGS_EQUAL(old, entry(3));
}

TEST(WriteEmulation, SmallerOperandsChangeTheirBytesOnly)
{
    const uint64_t old = entry(3);
    done(write(Kind::bit_and, l1_at + 8 * 3, 0xFD, 1));
    UNSIGNED_LONGLONGS_EQUAL(old & ~pte::writable, entry(3));
    UNSIGNED_LONGLONGS_EQUAL(old & 0xFF, result.old_value);
    done(write(Kind::store, l1_at + 8 * 3 + 6, 0x8000, 2));
    UNSIGNED_LONGLONGS_EQUAL((old & ~pte::writable & 0xFFFF'FFFF'FFFF) | pte::no_execute, entry(3));
    done(write(Kind::store, l1_at + 8 * 3 + 4, 0, 4));
    UNSIGNED_LONGLONGS_EQUAL((old & ~pte::writable) & 0xFFFF'FFFF, entry(3));
}

TEST(WriteEmulation, StoresAcrossAnEntrysEndOrOfOddSizesAreRefused)
{
    refused(write(Kind::store, l1_at + 8 * 3 + 4, 0));
    refused(write(Kind::store, l1_at + 8 * 3 + 7, 0, 2));
    refused(write(Kind::store, l1_at + 8 * 3, 0, 3));
    refused(write(Kind::store, l1_at + 8 * 3, 0, 0));
    refused(write(Kind::store, l1_at + 8 * 3, 0, 16));
    LONGS_EQUAL(5, two.a().memory.counters.writes_refused);
}

TEST(WriteEmulation, AValueThatMayNotBeIsRefusedAndNothingChanges)
{
    const uint64_t old = entry(3);
    refused(write(Kind::store, l1_at + 8 * 3, pte::make(two.fb(70), rw)));
    refused(write(Kind::store, l1_at + 8 * 3, pte::make(two.fa(2), rw)));
    UNSIGNED_LONGLONGS_EQUAL(old, entry(3));
    refused(write(Kind::store, l4_at + 8 * 256, 0));
}

TEST(WriteEmulation, UpperTablesCanBeWrittenToo)
{
    words(two.fa(70))[0] = pte::make(two.fa(71), rw);
    done(write(Kind::store, l2_at + 8 * 9, pte::make(two.fa(70), rw)));
    LONGS_EQUAL(1, typed(two.fa(70)));
    LONGS_EQUAL(1, typed(two.fa(71)));
    done(write(Kind::exchange, l2_at + 8 * 9, 0));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(70), rw), result.old_value);
    LONGS_EQUAL(0, existing(two.fa(71)));
}

TEST(WriteEmulation, AStoreThatNeedsALongValidationIsTriedAgain)
{
    for (uint64_t i = 0; i < 3; ++i) {
        words(two.fa(70))[i] = pte::make(two.fa(80 + i), rw);
        for (uint64_t j = 0; j < 512; ++j)
            words(two.fa(80 + i))[j] = pte::make(two.fa(600), ro);
    }
    // As an L2 below an L3.
    const uint64_t l3_at = at(0, 0, 0, 33);
    unsigned tries = 1;
    PageTableWriteOutcome outcome = write(Kind::store, l3_at + 8 * 9, pte::make(two.fa(70), rw));
    for (; outcome == PageTableWriteOutcome::retry; ++tries) {
        two.check_all();
        outcome = write(Kind::store, l3_at + 8 * 9, pte::make(two.fa(70), rw));
    }
    done(outcome);
    CHECK_TRUE(tries > 2);
    LONGS_EQUAL(3 * 512, existing(two.fa(600)));
}

TEST(WriteEmulation, AStoreToAWritableOrAbsentPageIsNoneOfOurs)
{
    refused(write(Kind::store, at(0, 0, 0, 3), 0));
    refused(write(Kind::store, at(0, 0, 0, 100), 0));
    refused(write(Kind::store, layout::core_begin, 0));
    LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(3), 90), pte::make(two.fa(60), ro)));
    refused(write(Kind::store, at(0, 0, 0, 90), 0));
    // Nor is it counted as a store to a page table, of whatever size.
    refused(write(Kind::store, at(0, 0, 0, 100), 0, 3));
    LONGS_EQUAL(0, two.a().memory.counters.writes_refused);
}

TEST(WriteEmulation, ABitThatACpuSetsMeanwhileIsNotLost)
{
    // The update finds another value than the one that the store was computed from.
    const Result<EntryPlace> place = find_l1_entry(two.a0(), GuestVirtual(at(0, 0, 0, 3)));
    WorkBudget budget;
    const uint64_t before = entry(3);
    entry(3) |= 0x400;
    const EntryUpdate update{.value = 0, .has_expected = true, .expected = before};
    LONGS_EQUAL(XEN_EAGAIN, update_entry(two.a0(), *place, update, budget).error());
    UNSIGNED_LONGLONGS_EQUAL(before | 0x400, entry(3));
    const EntryUpdate other{.value = pte::make(two.fa(77), rw), .has_expected = true, .expected = before};
    LONGS_EQUAL(XEN_EAGAIN, update_entry(two.a0(), *place, other, budget).error());
    LONGS_EQUAL(0, existing(two.fa(77)));
}
