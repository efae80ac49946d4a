// SPDX-License-Identifier: BSD-2-Clause
#include "harness.hpp"
#include "units.hpp"

#include "core/memory_op.cpp"
#include "core/memory_reservation.cpp"

using namespace bulkhead;
using namespace bulkhead::fake;

namespace {

constexpr uint64_t argument_at = 0x7000'0500'0000;
constexpr uint64_t list_at = 0x7000'0100'0000;
constexpr uint64_t out_at = 0x7000'0200'0000;

}  // namespace

TEST_GROUP(MemoryOp)
{
    TwoPartitions two;
    xen_memory_reservation_t request{};
    uint64_t list[700]{};
    uint64_t out[700]{};

    void setup() override
    {
        run_on_small_tree(two);
        map_guest(argument_at, request);
        map_guest(list_at, list);
        map_guest(out_at, out);
        request.extent_start.p = reinterpret_cast<xen_pfn_t*>(list_at);
        request.domid = DOMID_SELF;
    }
    void teardown() override { two.check_all(); }

    long op(unsigned command) { return call(do_memory_op, two.a0(), command, argument_at); }
    template <class T>
    long op_with(unsigned command, T& argument)
    {
        constexpr uint64_t place = 0x7000'0300'0000;
        map_guest(place, argument);
        const long result = call(do_memory_op, two.a0(), command, place);
        unmap_guest(GuestVirtual(place));
        return result;
    }
};

TEST(MemoryOp, FramesThatAreGivenBackWaitOnThePartitionsList)
{
    for (uint64_t i = 0; i < 3; ++i)
        list[i] = two.fa(100 + i).raw();
    request.nr_extents = 3;
    LONGS_EQUAL(3, op(XENMEM_decrease_reservation));
    UNSIGNED_LONGLONGS_EQUAL(given_each - 3, two.a().memory.frames);
    UNSIGNED_LONGLONGS_EQUAL(~uint64_t{0}, m2p[two.fa(100).raw()]);
    LONGS_EQUAL(XEN_EINVAL, get_frame(two.fa(100), two.a().id).error());
}

TEST(MemoryOp, FramesComeBackScrubbedWithTheNumberThatTheGuestGives)
{
    words(two.fa(100))[5] = 1234;
    list[0] = two.fa(100).raw();
    request.nr_extents = 1;
    LONGS_EQUAL(1, op(XENMEM_decrease_reservation));
    list[0] = 333;
    LONGS_EQUAL(1, op(XENMEM_populate_physmap));
    UNSIGNED_LONGLONGS_EQUAL(two.fa(100).raw(), list[0]);
    UNSIGNED_LONGLONGS_EQUAL(333, m2p[two.fa(100).raw()]);
    UNSIGNED_LONGLONGS_EQUAL(0, words(two.fa(100))[5]);
    CHECK_TRUE(get_writable_frame(two.fa(100), two.a().id).has_value());
    put_writable_frame(two.fa(100));
}

TEST(MemoryOp, NothingIsHadBeyondWhatThePartitionOwns)
{
    request.nr_extents = 100;
    LONGS_EQUAL(frames_each - given_each, op(XENMEM_populate_physmap));
    LONGS_EQUAL(0, two.a().memory.free_frames);
    LONGS_EQUAL(0, op(XENMEM_populate_physmap));
}

TEST(MemoryOp, IncreasingNeedsNoList)
{
    request.extent_start.p = nullptr;
    request.nr_extents = 2;
    LONGS_EQUAL(2, op(XENMEM_increase_reservation));
    UNSIGNED_LONGLONGS_EQUAL(given_each + 2, two.a().memory.frames);
}

TEST(MemoryOp, AFrameInUseStaysWithTheGuest)
{
    list[0] = two.fa(100).raw();
    list[1] = two.fa(16).raw();
    list[2] = two.fa(101).raw();
    request.nr_extents = 3;
    LONGS_EQUAL(1, op(XENMEM_decrease_reservation));
    list[0] = two.fa(3).raw();
    LONGS_EQUAL(0, op(XENMEM_decrease_reservation));
    list[0] = two.fb(100).raw();
    LONGS_EQUAL(0, op(XENMEM_decrease_reservation));
    list[0] = two.a().shared_frame.raw();
    LONGS_EQUAL(0, op(XENMEM_decrease_reservation));
    list[0] = two.fa(100).raw();
    LONGS_EQUAL(0, op(XENMEM_decrease_reservation));
    list[0] = ~uint64_t{0};
    LONGS_EQUAL(0, op(XENMEM_decrease_reservation));
}

TEST(MemoryOp, AFormerTableThatIsGivenBackAndHadAgainIsFlushedBeforeItIsWritable)
{
    write_small_tree(two, 8);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(8).raw()));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fa(8).raw()));
    list[0] = two.fa(11).raw();
    list[0] = two.fa(11).raw();
    request.nr_extents = 1;
    LONGS_EQUAL(1, op(XENMEM_decrease_reservation));
    LONGS_EQUAL(1, op(XENMEM_populate_physmap));
    UNSIGNED_LONGLONGS_EQUAL(two.fa(11).raw(), list[0]);
    flushes.clear();
    CHECK_TRUE(get_writable_frame(two.fa(11), two.a().id).has_value());
    put_writable_frame(two.fa(11));
    LONGS_EQUAL(1, flushes.size());
}

TEST(MemoryOp, LargerExtentsAreGivenBackWholeOrNotAtAll)
{
    list[0] = two.fa(100).raw();
    request.nr_extents = 1;
    request.extent_order = 3;
    LONGS_EQUAL(1, op(XENMEM_decrease_reservation));
    UNSIGNED_LONGLONGS_EQUAL(given_each - 8, two.a().memory.frames);
    list[0] = two.fa(12).raw();
    LONGS_EQUAL(0, op(XENMEM_decrease_reservation));
    UNSIGNED_LONGLONGS_EQUAL(given_each - 8, two.a().memory.frames);
    LONGS_EQUAL(0, op(XENMEM_populate_physmap));
    request.extent_order = 10;
    LONGS_EQUAL(0, op(XENMEM_decrease_reservation));
}

TEST(MemoryOp, ALargeExtentThatIsRefusedIsNotTriedForEver)
{
    list[0] = two.fa(12).raw();
    request.nr_extents = 1;
    request.extent_order = 9;
    HypercallArguments arguments{{XENMEM_decrease_reservation, argument_at, 0, 0, 0, 0}};
    LONGS_EQUAL(0, do_memory_op(two.a0(), arguments));
}

TEST(MemoryOp, LongListsGoOnAfterAShareOfWork)
{
    for (uint64_t i = 0; i < 500; ++i)
        list[i] = two.fa(100 + i).raw();
    request.nr_extents = 500;
    HypercallArguments arguments{{XENMEM_decrease_reservation, argument_at, 0, 0, 0, 0}};
    unsigned turns = 1;
    long done = 0;
    while ((done = do_memory_op(two.a0(), arguments)) == hypercall_continue) {
        two.check_all();
        ++turns;
    }
    LONGS_EQUAL(500, done);
    LONGS_EQUAL(8, turns);                      // 67 frames of 60 instructions are a share
    LONGS_EQUAL(500, op(XENMEM_populate_physmap));
}

TEST(MemoryOp, RequestsThatMakeNoSenseDoNothing)
{
    request.nr_extents = 1;
    request.domid = two.b().id.raw();
    list[0] = two.fb(100).raw();
    LONGS_EQUAL(0, op(XENMEM_decrease_reservation));
    request.domid = DOMID_SELF;
    LONGS_EQUAL(5, op(XENMEM_decrease_reservation | 5u << 6));
    request.nr_extents = uint64_t{1} << 40;
    LONGS_EQUAL(0, op(XENMEM_decrease_reservation));
    request.nr_extents = 1;
    request.extent_start.p = reinterpret_cast<xen_pfn_t*>(layout::core_begin);
    LONGS_EQUAL(0, op(XENMEM_decrease_reservation));
    LONGS_EQUAL(0, op(XENMEM_populate_physmap));
    LONGS_EQUAL(0, call(do_memory_op, two.a0(), XENMEM_decrease_reservation, 0x1000));
}

TEST(MemoryOp, AnAnswerThatCannotBeWrittenGivesTheFrameBack)
{
    list[0] = 7;
    unmap_guest(GuestVirtual(list_at));
    map_guest(GuestVirtual(list_at), list, sizeof(list), false);
    request.nr_extents = 1;
    LONGS_EQUAL(0, op(XENMEM_populate_physmap));
    UNSIGNED_LONGLONGS_EQUAL(given_each, two.a().memory.frames);
}

TEST(MemoryOp, AddressLimitsAreKept)
{
    request.nr_extents = 1;
    request.mem_flags = XENMEMF_address_bits(20);
    LONGS_EQUAL(0, op(XENMEM_populate_physmap));
    request.mem_flags = XENMEMF_address_bits(32);
    LONGS_EQUAL(1, op(XENMEM_populate_physmap));
}

TEST(MemoryOp, QuantitiesAreThoseOfThePartition)
{
    domid_t self = DOMID_SELF;
    LONGS_EQUAL(given_each, op_with(XENMEM_current_reservation, self));
    LONGS_EQUAL(frames_each, op_with(XENMEM_maximum_reservation, self));
    self = two.a().id.raw();
    LONGS_EQUAL(given_each, op_with(XENMEM_current_reservation, self));
    self = two.b().id.raw();
    LONGS_EQUAL(-XEN_EPERM, op_with(XENMEM_current_reservation, self));
    self = 99;
    LONGS_EQUAL(-XEN_ESRCH, op_with(XENMEM_current_reservation, self));
    LONGS_EQUAL(-XEN_EFAULT, call(do_memory_op, two.a0(), XENMEM_maximum_reservation, 0x1000));
    two.a().shared->arch.max_pfn = 500;
    self = DOMID_SELF;
    LONGS_EQUAL(499, op_with(XENMEM_maximum_gpfn, self));
    LONGS_EQUAL(frame::installed_end, call(do_memory_op, two.a0(), XENMEM_maximum_ram_page));
}

TEST(MemoryOp, TheMemoryMapIsOneRangeOfRam)
{
    struct [[gnu::packed]] {
        uint64_t address, size_bytes;
        uint32_t type;
    } entries[2]{};
    constexpr uint64_t entries_at = 0x7000'0400'0000;
    map_guest(entries_at, entries);
    xen_memory_map_t map{};
    map.nr_entries = 2;
    map.buffer.p = reinterpret_cast<void*>(entries_at);
    LONGS_EQUAL(0, op_with(XENMEM_memory_map, map));
    LONGS_EQUAL(1, map.nr_entries);
    UNSIGNED_LONGLONGS_EQUAL(frames_each * page_size, uint64_t{entries[0].size_bytes});
    LONGS_EQUAL(1, uint32_t{entries[0].type});
    map.nr_entries = 0;
    LONGS_EQUAL(0, op_with(XENMEM_memory_map, map));
    LONGS_EQUAL(0, map.nr_entries);
    map.nr_entries = 1;
    map.buffer.p = nullptr;
    LONGS_EQUAL(-XEN_EFAULT, op_with(XENMEM_memory_map, map));
}

TEST(MemoryOp, TheMachineToPhysTableIsWhereTheAbiHasIt)
{
    xen_machphys_mapping_t mapping{};
    LONGS_EQUAL(0, op_with(XENMEM_machphys_mapping, mapping));
    UNSIGNED_LONGLONGS_EQUAL(MACH2PHYS_VIRT_START, mapping.v_start);
    UNSIGNED_LONGLONGS_EQUAL(MACH2PHYS_NR_ENTRIES - 1, mapping.max_mfn);
    LONGS_EQUAL(-XEN_EFAULT, call(do_memory_op, two.a0(), XENMEM_machphys_mapping, 0x1000));
}

TEST(MemoryOp, OperationsForOtherKindsOfDomainsAreRefused)
{
    LONGS_EQUAL(-XEN_EACCES, op(XENMEM_add_to_physmap));
    LONGS_EQUAL(-XEN_EACCES, op(XENMEM_add_to_physmap_batch));
    LONGS_EQUAL(-XEN_EACCES, op(XENMEM_remove_from_physmap));
    LONGS_EQUAL(-XEN_EPERM, op(XENMEM_machine_memory_map));
    LONGS_EQUAL(-XEN_ENOSYS, op(XENMEM_get_pod_target));
    LONGS_EQUAL(-XEN_ENOSYS, op(XENMEM_machphys_mfn_list));
    LONGS_EQUAL(-XEN_ENOSYS, op(63));
}

TEST(MemoryOp, ExchangedFramesComeBackUnderNewNumbers)
{
    xen_memory_exchange_t exchange{};
    exchange.in = request;
    exchange.in.nr_extents = 2;
    exchange.out = exchange.in;
    exchange.out.extent_start.p = reinterpret_cast<xen_pfn_t*>(out_at);
    list[0] = two.fa(100).raw();
    list[1] = two.fa(105).raw();
    out[0] = 1000;
    out[1] = 1001;
    LONGS_EQUAL(0, op_with(XENMEM_exchange, exchange));
    LONGS_EQUAL(2, exchange.nr_exchanged);
    UNSIGNED_LONGLONGS_EQUAL(two.fa(100).raw(), out[0]);
    UNSIGNED_LONGLONGS_EQUAL(1000, m2p[two.fa(100).raw()]);
    UNSIGNED_LONGLONGS_EQUAL(1001, m2p[two.fa(105).raw()]);
    list[0] = two.fa(16).raw();
    exchange.nr_exchanged = 0;
    LONGS_EQUAL(-XEN_EINVAL, op_with(XENMEM_exchange, exchange));
}

TEST(MemoryOp, FramesInARowMakeALargerExtent)
{
    xen_memory_exchange_t exchange{};
    exchange.in = request;
    exchange.in.nr_extents = 4;
    exchange.out = exchange.in;
    exchange.out.nr_extents = 1;
    exchange.out.extent_order = 2;
    exchange.out.extent_start.p = reinterpret_cast<xen_pfn_t*>(out_at);
    const Mfn first((two.fa(100).raw() + 3) & ~uint64_t{3});
    for (uint64_t i = 0; i < 4; ++i)
        list[i] = first.raw() + i;
    out[0] = 2000;
    LONGS_EQUAL(0, op_with(XENMEM_exchange, exchange));
    UNSIGNED_LONGLONGS_EQUAL(first.raw(), out[0]);
    UNSIGNED_LONGLONGS_EQUAL(2003, m2p[first.raw() + 3]);
    exchange.nr_exchanged = 0;
    std::swap(list[0], list[1]);
    LONGS_EQUAL(-XEN_ENOMEM, op_with(XENMEM_exchange, exchange));
    for (uint64_t i = 0; i < 4; ++i)
        list[i] = first.raw() + i + 1;
    LONGS_EQUAL(-XEN_ENOMEM, op_with(XENMEM_exchange, exchange));
}

TEST(MemoryOp, ExchangesThatMakeNoSenseAreRefused)
{
    xen_memory_exchange_t sound{};
    sound.in = request;
    sound.in.nr_extents = 4;
    sound.out = sound.in;
    xen_memory_exchange_t exchange = sound;
    exchange.out.nr_extents = 3;
    LONGS_EQUAL(-XEN_EINVAL, op_with(XENMEM_exchange, exchange));
    exchange = sound;
    exchange.nr_exchanged = 5;
    LONGS_EQUAL(-XEN_EINVAL, op_with(XENMEM_exchange, exchange));
    exchange = sound;
    exchange.in.domid = two.b().id.raw();
    LONGS_EQUAL(-XEN_EINVAL, op_with(XENMEM_exchange, exchange));
    exchange = sound;
    exchange.in.extent_order = 10;
    LONGS_EQUAL(-XEN_EPERM, op_with(XENMEM_exchange, exchange));
    exchange = sound;
    exchange.in.nr_extents = exchange.out.nr_extents = ~uint64_t{0};
    LONGS_EQUAL(-XEN_EINVAL, op_with(XENMEM_exchange, exchange));
    exchange = sound;
    exchange.in.extent_start.p = nullptr;
    LONGS_EQUAL(-XEN_EFAULT, op_with(XENMEM_exchange, exchange));
    LONGS_EQUAL(-XEN_EFAULT, call(do_memory_op, two.a0(), XENMEM_exchange, 0x1000));
}
