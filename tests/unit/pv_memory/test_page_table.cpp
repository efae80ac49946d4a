// SPDX-License-Identifier: BSD-2-Clause
#include "core/pv/page_table.hpp"

#include "core/pv/table_walk.hpp"
#include "harness.hpp"
#include "units.hpp"

using namespace bulkhead;
using namespace bulkhead::fake;

TEST_GROUP(PageTable)
{
    TwoPartitions two;
    void teardown() override { two.check_all(); }

    long pin(uint64_t pfn, unsigned level = 4)
    {
        return mmuext(two.a0(), MMUEXT_PIN_L1_TABLE + level - 1, two.fa(pfn).raw());
    }
    long unpin(uint64_t pfn) { return mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fa(pfn).raw()); }
    long set(uint64_t pfn, uint64_t index, uint64_t value)
    {
        return update_table(two.a0(), entry_address(two.fa(pfn), index), value);
    }
    void nothing_is_held()
    {
        for (uint64_t pfn = 0; pfn < given_each; ++pfn)
            LONGS_EQUAL(0, existing(two.fa(pfn)));
    }
    // The tree with many tables: 2 L3, each with 2 L2, each with 3 full L1; frames 600.. are mapped.
    void write_big_tree()
    {
        uint64_t next = 101;
        for (uint64_t i = 0; i < 2; ++i) {
            const Mfn l3 = two.fa(next++);
            words(two.fa(100))[i * 300] = pte::make(l3, rw);
            for (uint64_t j = 0; j < 2; ++j) {
                const Mfn l2 = two.fa(next++);
                words(l3)[j] = pte::make(l2, rw);
                for (uint64_t k = 0; k < 3; ++k) {
                    const Mfn l1 = two.fa(next++);
                    words(l2)[k * 100] = pte::make(l1, rw);
                    for (uint64_t n = 0; n < 512; ++n)
                        words(l1)[n] = pte::make(two.fa(600 + n % 40), rw);
                }
            }
        }
    }
};

TEST(PageTable, PinningATopLevelValidatesTheTreeBelow)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    for (uint64_t pfn = 0; pfn < 4; ++pfn) {
        LONGS_EQUAL(1, typed(two.fa(pfn)));
        LONGS_EQUAL(2, existing(two.fa(pfn)));
        CHECK_TRUE((state_of(two.fa(pfn)) & frame::validated) != 0);
    }
    CHECK_TRUE(frame_type(two.fa(0)) == FrameType::l4);
    CHECK_TRUE(frame_type(two.fa(3)) == FrameType::l1);
    LONGS_EQUAL(1, typed(two.fa(16)));
    CHECK_TRUE(frame_type(two.fa(16)) == FrameType::writable);
}

TEST(PageTable, UnpinningReleasesEverything)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(0, unpin(0));
    nothing_is_held();
}

TEST(PageTable, EachLevelCanBePinned)
{
    write_small_tree(two);
    for (unsigned level = 1; level <= 4; ++level) {
        LONGS_EQUAL(0, pin(4 - level, level));
        two.check_all();
    }
    for (unsigned level = 4; level >= 1; --level) {
        LONGS_EQUAL(0, unpin(4 - level));
        two.check_all();
    }
    nothing_is_held();
}

TEST(PageTable, ATableIsPinnedOnce)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(-XEN_EINVAL, pin(0));
    LONGS_EQUAL(0, unpin(0));
    LONGS_EQUAL(-XEN_EINVAL, unpin(0));
}

TEST(PageTable, AValidTableIsNotPinnedAsAnotherLevel)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(-XEN_EINVAL, pin(3, 2));
    LONGS_EQUAL(-XEN_EINVAL, pin(2, 1));
}

TEST(PageTable, EntriesGetTheUserBitAndLoseGlobalAndMemoryTypes)
{
    write_small_tree(two);
    const uint64_t odd = pte::present | pte::global | pte::write_through | pte::cache_disable;
    words(two.fa(3))[40] = pte::make(two.fa(20), odd | pte::large | pte::granted | 0xE00 | pte::no_execute);
    words(two.fa(2))[0] = pte::make(two.fa(3), odd | pte::writable | 0xE00);
    LONGS_EQUAL(0, pin(0));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(20), pte::present | pte::user | 0xE00 | pte::no_execute), words(two.fa(3))[40]);
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(3), pte::present | pte::writable | pte::user | 0xE00), words(two.fa(2))[0]);
}

TEST(PageTable, TheCoresSlotsAreWrittenWhateverTheGuestHadThere)
{
    write_small_tree(two);
    words(two.fa(0))[256] = ~uint64_t{0};
    words(two.fa(0))[271] = pte::make(two.fb(0), rw);
    LONGS_EQUAL(0, pin(0));
    UNSIGNED_LONGLONGS_EQUAL(core_slots[0], words(two.fa(0))[256]);
    for (unsigned i = 1; i < 16; ++i)
        UNSIGNED_LONGLONGS_EQUAL(core_slots[i] & ~pte::user, words(two.fa(0))[256 + i]);
}

TEST(PageTable, TheCoresSlotsAreGoneWhenTheGuestHasThePageBack)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(0, unpin(0));
    for (unsigned i = 256; i < 272; ++i)
        UNSIGNED_LONGLONGS_EQUAL(0, words(two.fa(0))[i]);
}

TEST(PageTable, TheCoresSlotsCannotBeChanged)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    for (const unsigned slot : {256u, 260u, 271u}) {
        LONGS_EQUAL(-XEN_EINVAL, set(0, slot, 0));
        LONGS_EQUAL(-XEN_EINVAL, set(0, slot, pte::make(two.fa(1), rw)));
    }
    LONGS_EQUAL(0, set(0, 255, pte::make(two.fa(1), rw)));
    LONGS_EQUAL(0, set(0, 272, pte::make(two.fa(1), rw)));
}

TEST(PageTable, LargePagesAreRefusedOnEveryLevel)
{
    for (uint64_t pfn = 0; pfn < 3; ++pfn) {
        write_small_tree(two);
        words(two.fa(pfn))[7] = pte::make(two.fa(512), rw | pte::large);
        LONGS_EQUAL(-XEN_EINVAL, pin(0));
        nothing_is_held();
        two.check_all();
        words(two.fa(pfn))[7] = 0;
    }
    LONGS_EQUAL(0, pin(0));
    for (uint64_t pfn = 0; pfn < 3; ++pfn)
        LONGS_EQUAL(-XEN_EINVAL, set(pfn, 7, pte::make(two.fa(512), rw | pte::large)));
}

TEST(PageTable, FramesOfOthersAreRefused)
{
    write_small_tree(two);
    words(two.fa(3))[511] = pte::make(two.fb(3), ro);
    LONGS_EQUAL(-XEN_EINVAL, pin(0));
    nothing_is_held();
    words(two.fa(3))[511] = 0;
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(-XEN_EBUSY, set(3, 511, pte::make(two.fb(3), ro)));
    LONGS_EQUAL(-XEN_EBUSY, set(3, 511, pte::make(two.fb(3), rw)));
    LONGS_EQUAL(-XEN_EBUSY, set(3, 511, pte::make(Mfn(1), ro)));
    LONGS_EQUAL(-XEN_EBUSY, set(3, 511, pte::make(two.fa(given_each), ro)));
    LONGS_EQUAL(-XEN_EINVAL, set(2, 511, pte::make(two.fb(3), rw)));
    LONGS_EQUAL(0, existing(two.fb(3)));
}

TEST(PageTable, AddressesBeyondMemoryAreRefused)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(-XEN_EPERM, set(3, 100, pte::make(Mfn(machine::frame_limit), rw)));
    LONGS_EQUAL(-XEN_EINVAL, set(3, 100, pte::address | rw));
    LONGS_EQUAL(-XEN_EINVAL, set(2, 100, pte::make(Mfn(machine::frame_limit), rw)));
    LONGS_EQUAL(-XEN_EINVAL, set(0, 100, pte::address | rw));
}

TEST(PageTable, AWritableMappingOfATableIsRefused)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    for (uint64_t pfn = 0; pfn < 4; ++pfn) {
        LONGS_EQUAL(-XEN_EBUSY, set(3, 100, pte::make(two.fa(pfn), rw)));
        LONGS_EQUAL(0, set(3, 100, pte::make(two.fa(pfn), ro)));
        LONGS_EQUAL(-XEN_EBUSY, set(3, 100, pte::make(two.fa(pfn), rw)));
    }
}

TEST(PageTable, ATreeThatMapsItsOwnTableWritableIsRefusedAndUndone)
{
    for (uint64_t pfn = 0; pfn < 4; ++pfn) {
        write_small_tree(two);
        words(two.fa(3))[300] = pte::make(two.fa(pfn), rw);
        LONGS_EQUAL(-XEN_EINVAL, pin(0));
        nothing_is_held();
        two.check_all();
        words(two.fa(3))[300] = 0;
    }
}

TEST(PageTable, AFrameThatIsMappedWritableCannotBecomeATable)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(-XEN_EINVAL, pin(16, 1));
    LONGS_EQUAL(0, set(3, 0, 0));
    LONGS_EQUAL(0, pin(16, 1));
    LONGS_EQUAL(-XEN_EBUSY, set(3, 0, pte::make(two.fa(16), rw)));
}

TEST(PageTable, AFormerWritableFrameBecomesATableAfterAFlush)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(0, set(3, 0, 0));
    flushes.clear();
    LONGS_EQUAL(0, pin(16, 1));
    LONGS_EQUAL(1, flushes.size());
}

TEST(PageTable, OneTableMayBeUsedManyTimes)
{
    write_small_tree(two);
    words(two.fa(2))[100] = pte::make(two.fa(3), rw);
    words(two.fa(1))[5] = pte::make(two.fa(2), rw);
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(2, typed(two.fa(3)));
    LONGS_EQUAL(2, typed(two.fa(2)));
    LONGS_EQUAL(1, typed(two.fa(16)));
    LONGS_EQUAL(0, unpin(0));
    nothing_is_held();
}

TEST(PageTable, ATableOfTwoLevelsIsRefused)
{
    write_small_tree(two);
    words(two.fa(1))[9] = pte::make(two.fa(3), rw);
    LONGS_EQUAL(-XEN_EINVAL, pin(0));
    nothing_is_held();
}

TEST(PageTable, ATableThatMapsItselfIsRefusedByDefault)
{
    for (uint64_t pfn = 0; pfn < 3; ++pfn) {
        write_small_tree(two);
        words(two.fa(pfn))[200] = pte::make(two.fa(pfn), ro);
        LONGS_EQUAL(-XEN_EINVAL, pin(0));
        nothing_is_held();
        words(two.fa(pfn))[200] = 0;
    }
    LONGS_EQUAL(3, two.a().memory.counters.linear_refused);
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(-XEN_EINVAL, set(0, 200, pte::make(two.fa(0), ro)));
}

TEST(PageTable, ATableMayMapItselfReadOnlyIfThePlanSaysSo)
{
    two.a().memory.linear_tables = true;
    for (uint64_t pfn = 0; pfn < 3; ++pfn) {
        write_small_tree(two);
        words(two.fa(pfn))[200] = pte::make(two.fa(pfn), ro);
        LONGS_EQUAL(0, pin(0));
        LONGS_EQUAL(1, typed(two.fa(pfn)));
        LONGS_EQUAL(-XEN_EINVAL, set(pfn, 201, pte::make(two.fa(pfn), rw)));
        LONGS_EQUAL(-XEN_EINVAL, set(pfn, 200, pte::make(two.fa(pfn), rw)));
        LONGS_EQUAL(0, set(pfn, 201, pte::make(two.fa(pfn), ro)));
        LONGS_EQUAL(0, set(pfn, 200, 0));
        two.check_all();
        LONGS_EQUAL(0, unpin(0));
        nothing_is_held();
        words(two.fa(pfn))[201] = 0;
    }
}

TEST(PageTable, EntriesThatAreAbsentKeepWhatTheGuestWrote)
{
    write_small_tree(two);
    const uint64_t inverted = ~uint64_t{0x123000} & ~pte::present;
    words(two.fa(3))[50] = inverted;
    LONGS_EQUAL(0, pin(0));
    UNSIGNED_LONGLONGS_EQUAL(inverted, words(two.fa(3))[50]);
    LONGS_EQUAL(0, set(3, 51, inverted));
    UNSIGNED_LONGLONGS_EQUAL(inverted, words(two.fa(3))[51]);
    LONGS_EQUAL(0, two.a().memory.counters.unsafe_absent);
    LONGS_EQUAL(0, set(3, 52, pte::make(two.fb(7), 0)));
    LONGS_EQUAL(1, two.a().memory.counters.unsafe_absent);
}

TEST(PageTable, AChangeOfATopLevelEntryRenewsTheCopiesOfTheTable)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    const uint64_t before = machine::views_renewed;
    LONGS_EQUAL(0, set(0, 255, pte::make(two.fa(1), rw)));
    LONGS_EQUAL(before + 1, machine::views_renewed);
    LONGS_EQUAL(0, set(3, 51, 0));
    LONGS_EQUAL(0, set(1, 51, 0));
    LONGS_EQUAL(before + 1, machine::views_renewed);
    LONGS_EQUAL(0, set(0, 255, 0));
    LONGS_EQUAL(before + 2, machine::views_renewed);
}

TEST(PageTable, AnAbsentEntryThatNamesMemoryIsRefusedWhereItLeaks)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    two.a().memory.absent_is_safe = true;
    LONGS_EQUAL(-XEN_EINVAL, set(3, 52, pte::make(two.fb(7), 0)));
    UNSIGNED_LONGLONGS_EQUAL(0, words(two.fa(3))[52]);
    LONGS_EQUAL(-XEN_EINVAL, set(1, 52, pte::make(two.fb(7), 0)));
    LONGS_EQUAL(0, set(3, 52, ~uint64_t{0x123000} & ~pte::present));
    LONGS_EQUAL(0, set(3, 52, 0));
}

TEST(PageTable, ATableWithAnAbsentEntryThatNamesMemoryIsNoTableWhereItLeaks)
{
    write_small_tree(two);
    words(two.fa(3))[50] = pte::make(two.fb(7), 0);
    two.a().memory.absent_is_safe = true;
    CHECK(pin(0) != 0);
    words(two.fa(3))[50] = 0;
    words(two.fa(1))[50] = pte::make(two.fb(7), 0);
    CHECK(pin(0) != 0);
    words(two.fa(1))[50] = 0;
    LONGS_EQUAL(0, pin(0));
}

TEST(PageTable, EveryIntermediateStateOfALongValidationIsSafe)
{
    write_big_tree();
    WorkBudget none(0);
    Result<> result = acquire_table(two.a0(), two.fa(100), FrameType::l4, none);
    unsigned steps = 0;
    while (!result.has_value()) {
        LONGS_EQUAL(XEN_ERESTART, result.error());
        two.check_all();
        WorkBudget one_step(1);
        if (finish_walk(two.a(), one_step))
            result = acquire_table(two.a0(), two.fa(100), FrameType::l4, one_step);
        CHECK_TRUE(++steps < 1000);
    }
    CHECK_TRUE(steps > 50);
    two.a0().pv.kernel_table = two.fa(100);
    two.check_all();

    // And of the release.
    two.a0().pv.kernel_table = Mfn(0);
    WorkBudget release_budget(0);
    release_table(two.a(), two.fa(100), FrameType::l4, release_budget);
    for (bool finished = false; !finished;) {
        two.check_all();
        WorkBudget one_step(1);
        finished = finish_walk(two.a(), one_step);
    }
    nothing_is_held();
}

TEST(PageTable, AFailureDeepInALongValidationUndoesItInSteps)
{
    write_big_tree();
    words(two.fa(100 + 2 * (1 + 2 * 4)))[511] = pte::make(two.fb(0), rw);
    WorkBudget none(0);
    Result<> result = acquire_table(two.a0(), two.fa(100), FrameType::l4, none);
    while (!result.has_value() && result.error() == XEN_ERESTART) {
        two.check_all();
        WorkBudget one_step(1);
        if (finish_walk(two.a(), one_step))
            result = acquire_table(two.a0(), two.fa(100), FrameType::l4, one_step);
    }
    LONGS_EQUAL(XEN_EBUSY, result.error());
    nothing_is_held();
}

TEST(PageTable, AWalkStopsSoonAfterItsShare)
{
    write_big_tree();
    WorkBudget budget;
    LONGS_EQUAL(XEN_ERESTART, acquire_table(two.a0(), two.fa(100), FrameType::l4, budget).error());
    // About 32 references for a share of 4,000 instructions: they are counted by 32.
    uint64_t references = 0;
    for (uint64_t pfn = 600; pfn < 640; ++pfn)
        references += typed(two.fa(pfn));
    CHECK_TRUE(references >= 16 && references < 64);
    WorkBudget rest(10'000'000);
    CHECK_TRUE(finish_walk(two.a(), rest));
    CHECK_TRUE(acquire_table(two.a0(), two.fa(100), FrameType::l4, rest).has_value());
    two.a0().pv.kernel_table = two.fa(100);
}

TEST(PageTable, AnotherVcpuFinishesWhatIsUnderWayAndTheFirstGetsItsResult)
{
    write_big_tree();
    write_small_tree(two);
    WorkBudget none(0);
    LONGS_EQUAL(XEN_ERESTART, acquire_table(two.a0(), two.fa(100), FrameType::l4, none).error());
    LONGS_EQUAL(0, mmuext(two.a1(), MMUEXT_PIN_L4_TABLE, two.fa(0).raw()));
    two.check_all();
    LONGS_EQUAL(1, typed(two.fa(100)));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(100).raw()));
    LONGS_EQUAL(1, typed(two.fa(100)));
}

TEST(PageTable, AnotherVcpuFinishesAFailureAndTheFirstGetsTheError)
{
    write_big_tree();
    words(two.fa(100 + 2 * (1 + 2 * 4)))[511] = pte::make(two.fb(0), rw);
    WorkBudget none(0);
    LONGS_EQUAL(XEN_ERESTART, acquire_table(two.a0(), two.fa(100), FrameType::l4, none).error());
    LONGS_EQUAL(0, call(do_mmu_update, two.a1(), 0, 0, 0, DOMID_SELF));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(100).raw()));
    nothing_is_held();
}

TEST(PageTable, AResultThatNobodyFetchesIsDroppedByTheNextOperation)
{
    write_big_tree();
    write_small_tree(two);
    WorkBudget none(0);
    LONGS_EQUAL(XEN_ERESTART, acquire_table(two.a0(), two.fa(100), FrameType::l4, none).error());
    LONGS_EQUAL(0, call(do_mmu_update, two.a1(), 0, 0, 0, DOMID_SELF));
    LONGS_EQUAL(1, typed(two.fa(100)));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(0).raw()));
    LONGS_EQUAL(0, typed(two.fa(100)));
}

TEST(PageTable, ReplacingAnUpperEntryReleasesWhatWasBelow)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    words(two.fa(9))[3] = pte::make(two.fa(40), rw);
    LONGS_EQUAL(0, set(2, 0, pte::make(two.fa(9), rw)));
    LONGS_EQUAL(0, typed(two.fa(3)));
    LONGS_EQUAL(0, typed(two.fa(16)));
    LONGS_EQUAL(1, typed(two.fa(9)));
    LONGS_EQUAL(1, typed(two.fa(40)));
    LONGS_EQUAL(0, set(0, 0, 0));
    LONGS_EQUAL(0, existing(two.fa(1)));
    LONGS_EQUAL(0, existing(two.fa(40)));
}

TEST(PageTable, AnUpperEntryThatCannotBeIsNotWritten)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    words(two.fa(9))[3] = pte::make(two.fb(40), rw);
    const uint64_t before = words(two.fa(2))[0];
    LONGS_EQUAL(-XEN_EBUSY, set(2, 0, pte::make(two.fa(9), rw)));
    UNSIGNED_LONGLONGS_EQUAL(before, words(two.fa(2))[0]);
    LONGS_EQUAL(0, existing(two.fa(9)));
}

TEST(PageTable, ChangingOnlyTheFlagsOfAnEntryTakesNoReference)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(0, set(3, 0, pte::make(two.fa(16), rw | pte::no_execute | 0x200)));
    LONGS_EQUAL(1, typed(two.fa(16)));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(16), rw | pte::no_execute | 0x200), words(two.fa(3))[0]);
    LONGS_EQUAL(0, set(2, 0, pte::make(two.fa(3), ro)));
    LONGS_EQUAL(1, typed(two.fa(3)));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(3), ro), words(two.fa(2))[0]);
}

TEST(PageTable, AnEntryChangesBetweenWritableAndReadOnly)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    LONGS_EQUAL(0, set(3, 0, pte::make(two.fa(16), ro)));
    LONGS_EQUAL(0, typed(two.fa(16)));
    LONGS_EQUAL(1, existing(two.fa(16)));
    LONGS_EQUAL(0, set(3, 0, pte::make(two.fa(16), rw)));
    LONGS_EQUAL(1, typed(two.fa(16)));
    LONGS_EQUAL(1, existing(two.fa(16)));
}

TEST(PageTable, AFullCountRefusesOneMoreMapping)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    FrameEntry& entry = frame_table[two.fa(50).raw()];
    entry.state = frame::given | frame::count_mask;
    LONGS_EQUAL(-XEN_ERANGE, set(3, 60, pte::make(two.fa(50), ro)));
    UNSIGNED_LONGLONGS_EQUAL(0, words(two.fa(3))[60]);
    entry.state = frame::given;
}

TEST(PageTable, ATopLevelIsReferencedForAVcpuThatIsBroughtUp)
{
    write_small_tree(two);
    LONGS_EQUAL(0, pin(0));
    CHECK_TRUE(reference_top_level(two.a0(), two.fa(0)).has_value());
    LONGS_EQUAL(2, typed(two.fa(0)));
    LONGS_EQUAL(XEN_EINVAL, reference_top_level(two.a0(), two.fa(1)).error());
    CHECK_TRUE(drop_top_level(two.a0(), two.fa(0)).has_value());
    LONGS_EQUAL(1, typed(two.fa(0)));
}

TEST(PageTable, TheEntryForAnAddressIsFoundByItsIndices)
{
    run_on_small_tree(two);
    const auto found = find_l1_entry(two.a0(), GuestVirtual(at(0, 0, 0, 5) | 0x123));
    CHECK_TRUE(found.has_value());
    POINTERS_EQUAL(&words(two.fa(3))[5], found->entry);
    CHECK_TRUE(found->table == two.fa(3));
    LONGS_EQUAL(XEN_EINVAL, find_l1_entry(two.a0(), GuestVirtual(at(0, 0, 1, 0))).error());
    LONGS_EQUAL(XEN_EINVAL, find_l1_entry(two.a0(), GuestVirtual(at(0, 1, 0, 0))).error());
    LONGS_EQUAL(XEN_EINVAL, find_l1_entry(two.a0(), GuestVirtual(at(1, 0, 0, 0))).error());
    LONGS_EQUAL(XEN_EINVAL, find_l1_entry(two.a0(), GuestVirtual(layout::core_begin)).error());
    LONGS_EQUAL(XEN_EINVAL, find_l1_entry(two.a0(), GuestVirtual(layout::core_end - 1)).error());
    LONGS_EQUAL(XEN_EINVAL, find_l1_entry(two.a0(), GuestVirtual(layout::guest_low_end)).error());
    LONGS_EQUAL(XEN_EINVAL, find_l1_entry(two.a0(), GuestVirtual(~uint64_t{0})).error());
}

TEST(PageTable, TheWalkThroughATableThatMapsItselfEndsWithoutAnEntry)
{
    two.a().memory.linear_tables = true;
    run_on_small_tree(two);
    LONGS_EQUAL(0, set(0, 300, pte::make(two.fa(0), ro)));
    LONGS_EQUAL(XEN_EINVAL, find_l1_entry(two.a0(), GuestVirtual(at(300, 0, 0, 0))).error());
    LONGS_EQUAL(XEN_EINVAL, find_l1_entry(two.a0(), GuestVirtual(at(300, 300, 300, 300))).error());
}
