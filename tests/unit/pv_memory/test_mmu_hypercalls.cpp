// SPDX-License-Identifier: BSD-2-Clause
// mmu_update, mmuext_op, update_va_mapping and vm_assist as hypercalls.
#include "core/pv/page_table.hpp"

#include "harness.hpp"
#include "units.hpp"

using namespace bulkhead;
using namespace bulkhead::fake;

namespace {

constexpr uint64_t list_at = 0x7000'0000'0000;
constexpr uint64_t done_at = 0x7000'0100'0000;
constexpr uint64_t mask_at = 0x7000'0200'0000;

}  // namespace

TEST_GROUP(MmuHypercalls)
{
    TwoPartitions two;
    uint32_t done = 77;
    uint64_t mask = 0;

    void setup() override
    {
        run_on_small_tree(two);
        map_guest(done_at, done);
        map_guest(mask_at, mask);
        flushes.clear();
        loaded_tables.clear();
    }
    void teardown() override { two.check_all(); }

    uint64_t entry(uint64_t index) { return words(two.fa(3))[index]; }
    uint64_t place(uint64_t index, uint64_t command = 0) { return entry_address(two.fa(3), index, command); }
    long update_va(uint64_t address, uint64_t value, uint64_t flags = 0)
    {
        return call(do_update_va_mapping, two.a0(), address, value, flags);
    }
    // A second tree whose top level the kernel can still write to.
    void map_writable(uint64_t at, uint64_t frame)
    {
        write_small_tree(two, frame);
        LONGS_EQUAL(0, update_table(two.a0(), place(at), pte::make(two.fa(frame), rw)));
    }
    void unmap(uint64_t at) { LONGS_EQUAL(0, update_table(two.a0(), place(at), 0)); }
};

TEST(MmuHypercalls, AListOfUpdatesIsAppliedInOrderAndCounted)
{
    mmu_update_t requests[3] = {{place(100), pte::make(two.fa(50), rw)},
                                {place(101), pte::make(two.fa(51), ro)},
                                {place(100), pte::make(two.fa(52), rw)}};
    map_guest(list_at, requests);
    LONGS_EQUAL(0, call(do_mmu_update, two.a0(), list_at, 3, done_at, DOMID_SELF));
    LONGS_EQUAL(3, done);
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(52), rw), entry(100));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(51), ro), entry(101));
    LONGS_EQUAL(0, existing(two.fa(50)));
}

TEST(MmuHypercalls, AFailureStopsTheListAndTellsHowManyWereDone)
{
    mmu_update_t requests[3] = {{place(100), pte::make(two.fa(50), rw)},
                                {place(101), pte::make(two.fb(51), ro)},
                                {place(102), pte::make(two.fa(52), rw)}};
    map_guest(list_at, requests);
    LONGS_EQUAL(-XEN_EBUSY, call(do_mmu_update, two.a0(), list_at, 3, done_at, DOMID_SELF));
    LONGS_EQUAL(1, done);
    UNSIGNED_LONGLONGS_EQUAL(0, entry(102));
}

TEST(MmuHypercalls, AListThatEndsWithAPageIsReadToItsEnd)
{
    mmu_update_t requests[40];
    for (uint64_t i = 0; i < 40; ++i)
        requests[i] = {place(100 + i), pte::make(two.fa(50), ro)};
    map_guest(GuestVirtual(list_at), requests, 35 * sizeof(requests[0]));
    LONGS_EQUAL(-XEN_EFAULT, call(do_mmu_update, two.a0(), list_at, 40, done_at, DOMID_SELF));
    LONGS_EQUAL(35, done);
    LONGS_EQUAL(35, existing(two.fa(50)));
}

TEST(MmuHypercalls, AnUnreadableListIsAFault)
{
    LONGS_EQUAL(-XEN_EFAULT, call(do_mmu_update, two.a0(), list_at, 1, 0, DOMID_SELF));
    LONGS_EQUAL(-XEN_EFAULT, call(do_mmuext_op, two.a0(), list_at, 1, 0, DOMID_SELF));
    LONGS_EQUAL(-XEN_EFAULT, call(do_mmu_update, two.a0(), layout::core_begin, 1, 0, DOMID_SELF));
}

TEST(MmuHypercalls, AnEmptyListIsNothing)
{
    LONGS_EQUAL(0, call(do_mmu_update, two.a0(), list_at, 0, done_at, DOMID_SELF));
    LONGS_EQUAL(0, done);
    LONGS_EQUAL(0, call(do_mmuext_op, two.a0(), list_at, 0, done_at, DOMID_SELF));
}

TEST(MmuHypercalls, ALongListGoesOnAfterAShareOfWork)
{
    mmu_update_t requests[400];
    for (uint64_t i = 0; i < 400; ++i)
        requests[i] = {place(100 + i), pte::make(two.fa(50), ro)};
    map_guest(list_at, requests);
    HypercallArguments arguments{{list_at, 400, done_at, DOMID_SELF, 0, 0}};
    unsigned calls = 1;
    long result = do_mmu_update(two.a0(), arguments);
    for (; result == hypercall_continue; ++calls) {
        two.check_all();
        CHECK_FALSE(two.a().memory.lock.is_locked());
        result = do_mmu_update(two.a0(), arguments);
    }
    LONGS_EQUAL(0, result);
    LONGS_EQUAL(15, calls);
    LONGS_EQUAL(400, done);
    LONGS_EQUAL(400, existing(two.fa(50)));
}

TEST(MmuHypercalls, AListWithoutACountOfThoseDoneGoesOnToo)
{
    mmu_update_t requests[400];
    for (uint64_t i = 0; i < 400; ++i)
        requests[i] = {place(100 + i), pte::make(two.fa(50), ro)};
    map_guest(list_at, requests);
    LONGS_EQUAL(0, call(do_mmu_update, two.a0(), list_at, 400, 0, DOMID_SELF));
    LONGS_EQUAL(400, existing(two.fa(50)));
}

TEST(MmuHypercalls, PreserveKeepsTheAccessedAndDirtyBits)
{
    words(two.fa(3))[0] |= pte::accessed | pte::dirty;
    const uint64_t clean = pte::make(two.fa(17), pte::present | pte::writable | pte::user);
    LONGS_EQUAL(0, update_table(two.a0(), place(0, MMU_PT_UPDATE_PRESERVE_AD), clean));
    UNSIGNED_LONGLONGS_EQUAL(clean | pte::accessed | pte::dirty, entry(0));
    LONGS_EQUAL(0, update_table(two.a0(), place(0), clean));
    UNSIGNED_LONGLONGS_EQUAL(clean, entry(0));
    LONGS_EQUAL(0, update_table(two.a0(), place(0, MMU_PT_UPDATE_NO_TRANSLATE), clean | 0x200));
    UNSIGNED_LONGLONGS_EQUAL(clean | 0x200, entry(0));
}

TEST(MmuHypercalls, UnknownCommandsAreRefused)
{
    for (uint64_t command = 4; command < 8; ++command)
        LONGS_EQUAL(-XEN_ENOSYS, update_table(two.a0(), place(0, command), 0));
}

TEST(MmuHypercalls, AnUpdateOfAnOrdinaryPageIsAStore)
{
    LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(60), 5), 0x1234));
    UNSIGNED_LONGLONGS_EQUAL(0x1234, words(two.fa(60))[5]);
    LONGS_EQUAL(0, existing(two.fa(60)));
    LONGS_EQUAL(-XEN_EINVAL, update_table(two.a0(), entry_address(two.fb(60), 5), 0x1234));
    LONGS_EQUAL(-XEN_EINVAL, update_table(two.a0(), entry_address(Mfn(machine::frame_limit), 5), 0x1234));
    UNSIGNED_LONGLONGS_EQUAL(0, words(two.fb(60))[5]);
}

TEST(MmuHypercalls, MachineToPhysChangesForOwnFramesOnly)
{
    LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(60), 0, MMU_MACHPHYS_UPDATE), 0x777));
    UNSIGNED_LONGLONGS_EQUAL(0x777, m2p[two.fa(60).raw()]);
    LONGS_EQUAL(-XEN_EINVAL, update_table(two.a0(), entry_address(two.fb(60), 0, MMU_MACHPHYS_UPDATE), 0x777));
    UNSIGNED_LONGLONGS_EQUAL(60, m2p[two.fb(60).raw()]);
    LONGS_EQUAL(-XEN_EINVAL, update_table(two.a0(), entry_address(two.fa(given_each), 0, MMU_MACHPHYS_UPDATE), 0));
    LONGS_EQUAL(-XEN_EINVAL, update_table(two.a0(), ~uint64_t{7} | MMU_MACHPHYS_UPDATE, 0));
}

TEST(MmuHypercalls, NoOtherDomainsMemoryCanBeNamed)
{
    const uint64_t value = pte::make(two.fa(50), rw);
    LONGS_EQUAL(-XEN_EPERM, update_table(two.a0(), place(100), value, two.b().id.raw()));
    LONGS_EQUAL(-XEN_ESRCH, update_table(two.a0(), place(100), value, two.a().id.raw()));
    LONGS_EQUAL(-XEN_ESRCH, update_table(two.a0(), place(100), value, 99));
    LONGS_EQUAL(-XEN_EPERM, update_table(two.a0(), place(100), value, DOMID_IO));
    LONGS_EQUAL(-XEN_EPERM, update_table(two.a0(), place(100), value, DOMID_XEN));
    const uint32_t tables_of_b = (two.b().id.raw() + 1u) << 16 | DOMID_SELF;
    LONGS_EQUAL(-XEN_EPERM, update_table(two.a0(), place(100), value, tables_of_b));
    LONGS_EQUAL(-XEN_ESRCH, update_table(two.a0(), place(100), value, 100u << 16 | DOMID_SELF));
    const uint32_t tables_of_a = (two.a().id.raw() + 1u) << 16 | DOMID_SELF;
    LONGS_EQUAL(0, update_table(two.a0(), place(100), value, tables_of_a));
    LONGS_EQUAL(-XEN_EPERM, mmuext(two.a0(), MMUEXT_PIN_L1_TABLE, two.fb(0).raw(), 0, two.b().id.raw()));
    LONGS_EQUAL(-XEN_EPERM, call(do_update_va_mapping_otherdomain, two.a0(), at(0, 0, 0, 0), 0, 0, two.b().id.raw()));
    LONGS_EQUAL(-XEN_ESRCH, call(do_update_va_mapping_otherdomain, two.a0(), at(0, 0, 0, 0), 0, 0, 99));
    LONGS_EQUAL(0, call(do_update_va_mapping_otherdomain, two.a0(), at(0, 0, 0, 0), 0, 0, DOMID_SELF));
}

TEST(MmuHypercalls, AMappingIsChangedByItsAddress)
{
    LONGS_EQUAL(0, update_va(at(0, 0, 0, 5) + 0x10, pte::make(two.fa(55), rw)));
    UNSIGNED_LONGLONGS_EQUAL(pte::make(two.fa(55), rw), entry(5));
    LONGS_EQUAL(0, flushes.size());
    LONGS_EQUAL(-XEN_EINVAL, update_va(at(0, 0, 1, 5), pte::make(two.fa(55), rw)));
    LONGS_EQUAL(-XEN_EINVAL, update_va(layout::core_begin, 0));
    LONGS_EQUAL(-XEN_EBUSY, update_va(at(0, 0, 0, 5), pte::make(two.fb(55), rw)));
}

TEST(MmuHypercalls, AMappingIsFlushedWhereTheFlagsSay)
{
    const uint64_t address = at(0, 0, 0, 5);
    LONGS_EQUAL(0, update_va(address, 0, UVMF_INVLPG | UVMF_LOCAL));
    LONGS_EQUAL(0, flushes.back().cpus);
    CHECK_FALSE(flushes.back().whole);
    UNSIGNED_LONGLONGS_EQUAL(address, flushes.back().address);
    LONGS_EQUAL(0, update_va(address, 0, UVMF_INVLPG | UVMF_ALL));
    LONGS_EQUAL(3, flushes.back().cpus);
    LONGS_EQUAL(0, update_va(address, 0, UVMF_TLB_FLUSH | UVMF_LOCAL));
    CHECK_TRUE(flushes.back().whole);
    LONGS_EQUAL(0, flushes.back().cpus);
    LONGS_EQUAL(0, update_va(address, 0, UVMF_TLB_FLUSH | UVMF_ALL));
    LONGS_EQUAL(3, flushes.back().cpus);
    mask = 2;
    LONGS_EQUAL(0, update_va(address, 0, UVMF_TLB_FLUSH | UVMF_MULTI | mask_at));
    LONGS_EQUAL(2, flushes.back().cpus);
    const size_t before = flushes.size();
    mask = 0xFF00;
    LONGS_EQUAL(0, update_va(address, 0, UVMF_INVLPG | UVMF_MULTI | mask_at));
    LONGS_EQUAL(before, flushes.size());
    LONGS_EQUAL(-XEN_EFAULT, update_va(address, 0, UVMF_INVLPG | UVMF_MULTI | 0x1000));
}

TEST(MmuHypercalls, OnlyCpusThatRunThePartitionAreFlushed)
{
    two.a().memory.running_on = 1;
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_TLB_FLUSH_ALL));
    LONGS_EQUAL(0, flushes.back().cpus);
    two.a().memory.running_on = 3;
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_TLB_FLUSH_ALL));
    LONGS_EQUAL(3, flushes.back().cpus);
}

TEST(MmuHypercalls, FlushesDoWhatTheirNamesSay)
{
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_TLB_FLUSH_LOCAL));
    CHECK_TRUE(flushes.back().whole && flushes.back().cpus == 0);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_INVLPG_LOCAL, 0x5000));
    CHECK_TRUE(!flushes.back().whole && flushes.back().cpus == 0 && flushes.back().address == 0x5000);
    mask = 3;
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_TLB_FLUSH_MULTI, 0, mask_at));
    CHECK_TRUE(flushes.back().whole && flushes.back().cpus == 3);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_INVLPG_MULTI, 0x5000, mask_at));
    CHECK_TRUE(!flushes.back().whole && flushes.back().cpus == 3);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_INVLPG_ALL, 0x5000));
    CHECK_TRUE(!flushes.back().whole && flushes.back().cpus == 3);
    LONGS_EQUAL(-XEN_EFAULT, mmuext(two.a0(), MMUEXT_TLB_FLUSH_MULTI, 0, 0x10));
}

TEST(MmuHypercalls, NoPageOfTheCoreIsFlushed)
{
    const size_t before = flushes.size();
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_INVLPG_LOCAL, layout::frame_table));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_INVLPG_ALL, layout::core_begin));
    LONGS_EQUAL(before, flushes.size());
}

TEST(MmuHypercalls, CacheFlushesNeedADevice)
{
    LONGS_EQUAL(-XEN_EACCES, mmuext(two.a0(), MMUEXT_FLUSH_CACHE));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_FLUSH_CACHE_GLOBAL));
}

TEST(MmuHypercalls, LargePagesAndUnknownOperationsAreRefused)
{
    LONGS_EQUAL(-XEN_EOPNOTSUPP, mmuext(two.a0(), MMUEXT_MARK_SUPER, two.fa(60).raw()));
    LONGS_EQUAL(-XEN_EOPNOTSUPP, mmuext(two.a0(), MMUEXT_UNMARK_SUPER, two.fa(60).raw()));
    LONGS_EQUAL(-XEN_ENOSYS, mmuext(two.a0(), 14));
    LONGS_EQUAL(-XEN_ENOSYS, mmuext(two.a0(), 21));
    LONGS_EQUAL(-XEN_ENOSYS, mmuext(two.a0(), ~0u));
}

TEST(MmuHypercalls, ANewBaseIsLoadedBeforeTheOldOneIsLetGo)
{
    write_small_tree(two, 8);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fa(8).raw()));
    CHECK_TRUE(loaded_tables.back() == two.fa(8));
    CHECK_TRUE(two.a0().pv.kernel_table == two.fa(8));
    LONGS_EQUAL(1, typed(two.fa(8)));
    LONGS_EQUAL(2, typed(two.fa(0)));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fa(0).raw()));
    LONGS_EQUAL(0, typed(two.fa(8)));
}

TEST(MmuHypercalls, ABaseThatIsNoTopLevelIsRefused)
{
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fa(1).raw()));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fb(0).raw()));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, 0));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_NEW_USER_BASEPTR, two.fa(1).raw()));
    CHECK_TRUE(two.a0().pv.kernel_table == two.fa(0));
    LONGS_EQUAL(0, loaded_tables.size());
}

TEST(MmuHypercalls, ABaseThatIsStillMappedWritableIsRefused)
{
    map_writable(102, 8);
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fa(8).raw()));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_NEW_USER_BASEPTR, two.fa(8).raw()));
    unmap(102);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(8).raw()));
    CHECK_TRUE(two.a0().pv.kernel_table == two.fa(0));
    LONGS_EQUAL(0, two.a().memory.counters.loads_put_off);
}

TEST(MmuHypercalls, AKernelThatPinsLateGetsItsBaseWhenItPinsIt)
{
    two.a().memory.pins_late = true;
    map_writable(102, 8);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fa(8).raw()));
    CHECK_TRUE(two.a0().pv.kernel_table == two.fa(0));
    LONGS_EQUAL(0, loaded_tables.size());
    LONGS_EQUAL(1, two.a().memory.counters.loads_put_off);
    unmap(102);
    two.check_all();
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(8).raw()));
    CHECK_TRUE(two.a0().pv.kernel_table == two.fa(8));
    CHECK_TRUE(loaded_tables.back() == two.fa(8));
    LONGS_EQUAL(2, typed(two.fa(8)));
    two.check_all();
    // Once only.
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fa(0).raw()));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fa(8).raw()));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(8).raw()));
    CHECK_TRUE(two.a0().pv.kernel_table == two.fa(0));
}

TEST(MmuHypercalls, ALateUserBaseComesWithItsPinToo)
{
    two.a().memory.pins_late = true;
    map_writable(102, 8);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_USER_BASEPTR, two.fa(8).raw()));
    CHECK_TRUE(two.a0().pv.user_table == Mfn(0));
    unmap(102);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(8).raw()));
    CHECK_TRUE(two.a0().pv.user_table == two.fa(8));
    two.check_all();
}

TEST(MmuHypercalls, ALateBaseIsForgottenWhenAnotherIsLoadedAndIsNobodyElses)
{
    two.a().memory.pins_late = true;
    map_writable(102, 8);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fa(8).raw()));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_USER_BASEPTR, two.fa(8).raw()));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fa(0).raw()));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_USER_BASEPTR, 0));
    unmap(102);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_PIN_L4_TABLE, two.fa(8).raw()));
    CHECK_TRUE(two.a0().pv.kernel_table == two.fa(0));
    CHECK_TRUE(two.a0().pv.user_table == Mfn(0));
}

TEST(MmuHypercalls, AKernelThatPinsLateIsRefusedWhatIsNotItsOwn)
{
    two.a().memory.pins_late = true;
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fb(0).raw()));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, 0));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_NEW_USER_BASEPTR, ~uint64_t{0}));
    CHECK_TRUE(two.a0().pv.late_kernel_table == Mfn(0) && two.a0().pv.late_user_table == Mfn(0));
}

TEST(MmuHypercalls, AUserBaseIsKeptForUserMode)
{
    write_small_tree(two, 8);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_USER_BASEPTR, two.fa(8).raw()));
    CHECK_TRUE(two.a0().pv.user_table == two.fa(8));
    LONGS_EQUAL(0, loaded_tables.size());
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_USER_BASEPTR, two.fa(8).raw()));
    LONGS_EQUAL(1, typed(two.fa(8)));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_USER_BASEPTR, 0));
    LONGS_EQUAL(0, typed(two.fa(8)));
    CHECK_TRUE(two.a0().pv.user_table == Mfn(0));
}

TEST(MmuHypercalls, StrictPartitionsHideMachineToPhysFromUserMode)
{
    write_small_tree(two, 8);
    LONGS_EQUAL(0, call(do_vm_assist, two.a0(), VMASST_CMD_enable, VMASST_TYPE_m2p_strict));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_USER_BASEPTR, two.fa(8).raw()));
    UNSIGNED_LONGLONGS_EQUAL(0, words(two.fa(8))[256]);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fa(8).raw()));
    UNSIGNED_LONGLONGS_EQUAL(core_slots[0], words(two.fa(8))[256]);
}

TEST(MmuHypercalls, APageIsClearedAndCopied)
{
    words(two.fa(60))[9] = 1234;
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_COPY_PAGE, two.fa(61).raw(), two.fa(60).raw()));
    UNSIGNED_LONGLONGS_EQUAL(1234, words(two.fa(61))[9]);
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_CLEAR_PAGE, two.fa(61).raw()));
    UNSIGNED_LONGLONGS_EQUAL(0, words(two.fa(61))[9]);
    // From a table, but never to one.
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_COPY_PAGE, two.fa(61).raw(), two.fa(3).raw()));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_COPY_PAGE, two.fa(3).raw(), two.fa(61).raw()));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_CLEAR_PAGE, two.fa(3).raw()));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_COPY_PAGE, two.fa(61).raw(), two.fb(3).raw()));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_CLEAR_PAGE, two.fb(3).raw()));
}

TEST(MmuHypercalls, UnpinningWhatIsNotPinnedIsRefused)
{
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fa(3).raw()));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fa(60).raw()));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, two.fb(0).raw()));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_UNPIN_TABLE, ~uint64_t{0}));
}

TEST(MmuHypercalls, AssistsOfTheAbiAreAccepted)
{
    for (const unsigned type : {0u, 1u, 2u, 3u, 4u, 5u, 32u})
        LONGS_EQUAL(0, call(do_vm_assist, two.a0(), VMASST_CMD_enable, type));
    UNSIGNED_LONGLONGS_EQUAL(0x1'0000'003F, two.a().vm_assist);
    LONGS_EQUAL(0, call(do_vm_assist, two.a0(), VMASST_CMD_disable, 4));
    UNSIGNED_LONGLONGS_EQUAL(0x1'0000'002F, two.a().vm_assist);
    LONGS_EQUAL(-XEN_EINVAL, call(do_vm_assist, two.a0(), VMASST_CMD_enable, 6));
    LONGS_EQUAL(-XEN_EINVAL, call(do_vm_assist, two.a0(), VMASST_CMD_enable, 64));
    LONGS_EQUAL(-XEN_ENOSYS, call(do_vm_assist, two.a0(), 2, 0));
}

TEST(MmuHypercalls, RequestsAreReadOnceEvenIfTheyChangeMeanwhile)
{
    mmu_update_t request{place(100), pte::make(two.fa(50), rw)};
    map_guest(list_at, request);
    unsigned reads = 0;
    on_guest_access = [&](GuestVirtual address, size_t, bool write) {
        if (address.raw() != list_at || write)
            return;
        // Another vCPU changes it right after.
        if (++reads == 2)
            request.val = pte::make(two.fb(50), rw);
    };
    LONGS_EQUAL(0, call(do_mmu_update, two.a0(), list_at, 1, done_at, DOMID_SELF));
    LONGS_EQUAL(1, reads);
}
