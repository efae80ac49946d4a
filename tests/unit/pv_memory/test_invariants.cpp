// SPDX-License-Identifier: BSD-2-Clause
// That the checker sees what it is for, and names it: each test breaks one rule behind the core's back.
#include "core/pv/invariants.hpp"

#include "harness.hpp"
#include "units.hpp"

#include <string>

using namespace bulkhead;
using namespace bulkhead::fake;

namespace {

std::vector<FrameReference> references;
bool may_map_granted;

}  // namespace

TEST_GROUP(Invariants)
{
    TwoPartitions two;

    void setup() override
    {
        run_on_small_tree(two);
        references.clear();
        may_map_granted = false;
    }

    static constexpr OutsideReferences outside{
        [](const Partition&, ReferenceSink&, void*) {},
        [](const Partition&, Mfn, bool, void*) { return may_map_granted; }, nullptr};

    InvariantReport check() { return check_memory(two.a(), two.recount, outside); }
    void expect(const char* broken, Mfn frame)
    {
        const InvariantReport found = check();
        STRCMP_EQUAL(broken, found.broken);
        UNSIGNED_LONGLONGS_EQUAL(frame.raw(), found.frame.raw());
        UNSIGNED_LONGLONGS_EQUAL(state_of(frame), found.state);
    }
    std::atomic<uint64_t>& state(uint64_t pfn) { return frame_table[two.fa(pfn).raw()].state; }
    uint64_t& l1_entry(unsigned index) { return words(two.fa(3))[index]; }
};

TEST(Invariants, HoldAfterTheGuestsOwnStart)
{
    POINTERS_EQUAL(nullptr, check().broken);
}

TEST(Invariants, ATypedReferenceThatWasDroppedTwiceIsNamedWithTheCounts)
{
    state(16) -= frame::one + frame::typed_one;
    const InvariantReport found = check();
    expect("a frame's typed count is wrong", two.fa(16));
    LONGS_EQUAL(1, found.found.existence);
    LONGS_EQUAL(1, found.found.typed);
    POINTERS_EQUAL(nullptr, found.where.what);
}

TEST(Invariants, AnExistenceReferenceTooManyIsNamed)
{
    state(17) += frame::one;
    expect("a frame's count is wrong", two.fa(17));
}

TEST(Invariants, ALostReferenceOfTheCoresIsNamed)
{
    frame_table[two.a().shared_frame.raw()].state -= frame::one + frame::typed_one;
    expect("a frame's typed count is wrong", two.a().shared_frame);
}

TEST(Invariants, AWritableMappingOfATableIsNamedWithTheEntry)
{
    l1_entry(33) |= pte::writable;      // maps the table of level 3
    const InvariantReport found = check();
    expect("a frame is used as two types", two.fa(1));
    UNSIGNED_LONGLONGS_EQUAL(two.fa(3).raw(), found.where.holder);
    LONGS_EQUAL(33, found.where.index);
}

TEST(Invariants, AMappingOfAnothersFrameIsNamed)
{
    l1_entry(100) = pte::make(two.fb(5), ro);
    expect("a reference leads out of the partition", two.fb(5));
}

TEST(Invariants, AGrantedMappingNeedsItsGrant)
{
    l1_entry(100) = pte::make(two.fb(5), ro | pte::granted);
    expect("a frame is mapped as granted without a grant", two.fb(5));
    may_map_granted = true;
    POINTERS_EQUAL(nullptr, check().broken);
}

TEST(Invariants, AFrameThatWasGivenBackMustNotBeMapped)
{
    const Mfn free = two.fa(given_each);
    l1_entry(100) = pte::make(free, ro);
    expect("a frame is referenced that the guest gave back", free);
}

TEST(Invariants, AnEntryThatTheGuestMayNotHaveIsNamed)
{
    l1_entry(0) |= pte::global;
    expect("an L1 entry has bits that it may not have", two.fa(3));
}

TEST(Invariants, AllReferencesToAFrameAreListed)
{
    l1_entry(200) = pte::make(two.fa(16), ro);
    find_references(two.a(), two.fa(16), two.recount, outside,
                    [](const FrameReference& where) { references.push_back(where); });
    LONGS_EQUAL(2, references.size());
    LONGS_EQUAL(0, references[0].index);
    LONGS_EQUAL(200, references[1].index);
    UNSIGNED_LONGLONGS_EQUAL(two.fa(3).raw(), references[1].holder);
}
