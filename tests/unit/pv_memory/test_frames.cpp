// SPDX-License-Identifier: BSD-2-Clause
#include "core/frames.hpp"

#include "core/frame_references.hpp"
#include "harness.hpp"
#include "units.hpp"

using namespace bulkhead;
using namespace bulkhead::fake;

TEST_GROUP(Frames)
{
    TwoPartitions two;
    void teardown() override { two.check_all(); }

    // A reference that the test accounts for.
    void hold(Mfn frame, bool writable)
    {
        two.held[frame.raw()].existence += 1;
        two.held[frame.raw()].typed += writable;
    }
    Errno error(const Result<>& result) { return result.has_value() ? frame::ok : result.error(); }
};

TEST(Frames, AnExistenceReferenceIsCounted)
{
    CHECK_TRUE(get_frame(two.fa(5), two.a().id).has_value());
    LONGS_EQUAL(1, existing(two.fa(5)));
    LONGS_EQUAL(0, typed(two.fa(5)));
    put_frame(two.fa(5));
    LONGS_EQUAL(0, existing(two.fa(5)));
}

TEST(Frames, AWritableReferenceIncludesAnExistenceReference)
{
    CHECK_TRUE(get_writable_frame(two.fa(5), two.a().id).has_value());
    LONGS_EQUAL(1, existing(two.fa(5)));
    LONGS_EQUAL(1, typed(two.fa(5)));
    CHECK_TRUE(frame_type(two.fa(5)) == FrameType::writable);
    put_writable_frame(two.fa(5));
    LONGS_EQUAL(0, state_of(two.fa(5)) & (frame::count_mask | frame::typed_mask | frame::turning));
}

TEST(Frames, AFrameOfAnotherOwnerIsRefused)
{
    LONGS_EQUAL(XEN_EINVAL, error(get_frame(two.fb(5), two.a().id)));
    LONGS_EQUAL(XEN_EINVAL, error(get_writable_frame(two.fb(5), two.a().id)));
}

TEST(Frames, AFrameOfNobodyIsRefused)
{
    LONGS_EQUAL(XEN_EINVAL, error(get_frame(Mfn(1), two.a().id)));
    LONGS_EQUAL(XEN_EINVAL, error(get_frame(Mfn(1), DomainId(0))));
}

TEST(Frames, AFrameBeyondTheTableIsRefused)
{
    LONGS_EQUAL(XEN_EINVAL, error(get_frame(Mfn(machine::frame_limit), two.a().id)));
    LONGS_EQUAL(XEN_EINVAL, error(get_writable_frame(Mfn(~uint64_t{0}), two.a().id)));
    LONGS_EQUAL(0, frame_owner(Mfn(~uint64_t{0})).raw());
    CHECK_TRUE(frame_type(Mfn(~uint64_t{0})) == FrameType::none);
}

TEST(Frames, AFrameOnTheFreeListIsRefused)
{
    LONGS_EQUAL(XEN_EINVAL, error(get_frame(two.fa(given_each), two.a().id)));
    LONGS_EQUAL(XEN_EINVAL, error(get_writable_frame(two.fa(given_each), two.a().id)));
}

TEST(Frames, CountsStopAtTheirLimitWithAnError)
{
    FrameEntry& entry = frame_table[two.fa(5).raw()];
    entry.state = frame::given | frame::count_mask;
    LONGS_EQUAL(XEN_ERANGE, error(get_frame(two.fa(5), two.a().id)));
    LONGS_EQUAL(XEN_ERANGE, error(get_writable_frame(two.fa(5), two.a().id)));
    LONGS_EQUAL(frame::given | frame::count_mask, entry.state.load());
    entry.state = frame::given | frame::type_bits(FrameType::writable) | frame::count_mask | frame::typed_mask;
    LONGS_EQUAL(XEN_ERANGE, error(get_writable_frame(two.fa(5), two.a().id)));
    entry.state = frame::given;
}

TEST(Frames, APageTableIsNotWritable)
{
    write_small_tree(two);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(0).raw()));
    LONGS_EQUAL(XEN_EBUSY, error(get_writable_frame(two.fa(3), two.a().id)));
    CHECK_TRUE(get_frame(two.fa(3), two.a().id).has_value());
    hold(two.fa(3), false);
}

TEST(Frames, AFormerPageTableBecomesWritableAfterAFlush)
{
    write_small_tree(two);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(0).raw()));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fa(0).raw()));
    flushes.clear();
    CHECK_TRUE(get_writable_frame(two.fa(3), two.a().id).has_value());
    hold(two.fa(3), true);
    LONGS_EQUAL(1, flushes.size());
    LONGS_EQUAL(3, flushes[0].cpus);
    CHECK_TRUE(flushes[0].whole);
}

TEST(Frames, ASecondFormerPageTableNeedsNoSecondFlush)
{
    write_small_tree(two);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(0).raw()));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fa(0).raw()));
    CHECK_TRUE(get_writable_frame(two.fa(3), two.a().id).has_value());
    hold(two.fa(3), true);
    flushes.clear();
    CHECK_TRUE(get_writable_frame(two.fa(2), two.a().id).has_value());
    hold(two.fa(2), true);
    LONGS_EQUAL(0, flushes.size());
}

TEST(Frames, OnlyCpusThatHaveNotFlushedSinceAreFlushed)
{
    write_small_tree(two);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(0).raw()));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fa(0).raw()));
    current_cpu = 1;
    machine::flush_local();
    flushes.clear();
    CHECK_TRUE(get_writable_frame(two.fa(3), two.a().id).has_value());
    hold(two.fa(3), true);
    LONGS_EQUAL(1, flushes.size());
    LONGS_EQUAL(1, flushes[0].cpus);
}

TEST(Frames, CpusThatDoNotRunThePartitionAreNotFlushed)
{
    write_small_tree(two);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(0).raw()));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fa(0).raw()));
    two.a().memory.running_on = 0;
    flushes.clear();
    CHECK_TRUE(get_writable_frame(two.fa(3), two.a().id).has_value());
    hold(two.fa(3), true);
    LONGS_EQUAL(0, flushes.size());
}

TEST(Frames, AWritableFrameThatStaysWritableNeedsNoFlush)
{
    flushes.clear();
    for (int i = 0; i < 3; ++i) {
        CHECK_TRUE(get_writable_frame(two.fa(5), two.a().id).has_value());
        put_writable_frame(two.fa(5));
    }
    LONGS_EQUAL(0, flushes.size());
}

TEST(Frames, TheStampIsRightWhenTheClockIsWiderThanIt)
{
    clock_of_flushes = (uint64_t{1} << 48) + 7;
    write_small_tree(two);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(0).raw()));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fa(0).raw()));
    // Flushed long ago, and only by the low bits of the clock later than the frame's stamp.
    cpus[0].flush_stamp = 100;
    cpus[1].flush_stamp = clock_of_flushes.load();
    flushes.clear();
    CHECK_TRUE(get_writable_frame(two.fa(3), two.a().id).has_value());
    hold(two.fa(3), true);
    LONGS_EQUAL(1, flushes.size());
    LONGS_EQUAL(1, flushes[0].cpus);
}

TEST(Frames, ASharedFrameIsWritableForEver)
{
    const Mfn shared = two.a().shared_frame;
    CHECK_TRUE(get_writable_frame(shared, two.a().id).has_value());
    put_writable_frame(shared);
    LONGS_EQUAL(1, typed(shared));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_PIN_L1_TABLE, shared.raw()));
}

TEST(Frames, SharedFramesInARowAreRememberedAsOne)
{
    const Mfn first = new_frame(3);
    for (uint64_t i = 0; i < 3; ++i)
        init_shared_frame(first + i, two.a().id);
    LONGS_EQUAL(2, two.a().memory.shared_count);
    LONGS_EQUAL(3, two.a().memory.shared[1].count);
}

TEST(Frames, FramesByTheirFirstNumberRunThroughAllRanges)
{
    CHECK_TRUE(two.fa(0) == two.a().memory.ranges[0].first);
    CHECK_TRUE(two.fa(frames_each / 2) == two.a().memory.ranges[1].first);
    CHECK_TRUE(two.fa(frames_each) == invalid_mfn);
}

TEST(Frames, ThoseWhoWaitForATurningFrameGoOnWhenItIsDone)
{
    FrameEntry& entry = frame_table[two.fa(5).raw()];
    entry.state = frame::given | frame::turning | frame::type_bits(FrameType::l1);
    // An existence reference need not wait.
    CHECK_TRUE(get_frame(two.fa(5), two.a().id).has_value());
    put_frame(two.fa(5));
    entry.state = frame::given;
}

TEST(Frames, EveryFrameOfAPartitionIsBackedInBothTables)
{
    uint64_t frames = 0;
    for (const Backed& backed : backed_frame_tables)
        frames += backed.count;
    LONGS_EQUAL(2 * (frames_each + 1), frames);
    LONGS_EQUAL(backed_frame_tables.size(), backed_m2p.size());
}

TEST(Frames, AFrameToReadOnlyIsNeverWritableNorATable)
{
    const Mfn shared = new_frame();
    init_shared_frame(shared, two.a().id, SharedAccess::read_only);
    CHECK_TRUE(get_frame(shared, two.a().id).has_value());
    put_frame(shared);
    LONGS_EQUAL(XEN_EBUSY, error(get_writable_frame(shared, two.a().id)));
    LONGS_EQUAL(XEN_EINVAL, error(get_frame(shared, two.b().id)));
    LONGS_EQUAL(XEN_EINVAL, may_give_back(two.a(), shared));
}
