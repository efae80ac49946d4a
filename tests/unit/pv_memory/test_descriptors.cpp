// SPDX-License-Identifier: BSD-2-Clause
#include "core/pv/descriptors.hpp"

#include "harness.hpp"
#include "units.hpp"

using namespace bulkhead;
using namespace bulkhead::fake;

namespace {

constexpr uint64_t flat_code = 0x00AF9B000000FFFF;      // DPL 0
constexpr uint64_t flat_code_ring3 = 0x00AFFB000000FFFF;
constexpr uint64_t available_tss = 0x0000890000000067;
constexpr uint64_t call_gate = 0x0000EC0000080000;      // DPL 3
constexpr uint64_t list_at = 0x7000'0000'0000;

}  // namespace

TEST_GROUP(Descriptors)
{
    TwoPartitions two;
    uint64_t frames[14]{};

    void setup() override
    {
        run_on_small_tree(two);
        map_guest(list_at, frames);
        flushes.clear();
    }
    void teardown() override { two.check_all(); }

    long set(uint64_t pfn, uint64_t entries)
    {
        for (uint64_t i = 0; i < 14; ++i)
            frames[i] = two.fa(pfn + i).raw();
        return call(do_set_gdt, two.a0(), list_at, entries);
    }
    uint64_t ldt_address(uint64_t offset) const
    {
        return layout::descriptor_windows + layout::ldt_offset + offset;
    }
    // An LDT of two pages at slots 60 and 61 of the L1, mapped read-only as a guest does.
    void make_ldt()
    {
        for (uint64_t i = 0; i < 2; ++i)
            LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(3), 60 + i), pte::make(two.fa(90 + i), ro)));
        LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_SET_LDT, at(0, 0, 0, 60), 600));
    }
};

TEST(Descriptors, CodeAndDataAreRaisedToRing3)
{
    uint64_t descriptor = flat_code;
    CHECK_TRUE(admit_descriptor(descriptor));
    UNSIGNED_LONGLONGS_EQUAL(flat_code_ring3, descriptor);
}

TEST(Descriptors, AbsentAndEmptyOnesStayAsTheyAre)
{
    for (const uint64_t value : {uint64_t{0}, available_tss & ~(uint64_t{1} << 47), uint64_t{0x0000800000001234}}) {
        uint64_t descriptor = value;
        CHECK_TRUE(admit_descriptor(descriptor));
        UNSIGNED_LONGLONGS_EQUAL(value, descriptor);
    }
}

TEST(Descriptors, SystemDescriptorsAreRefusedButForCallGatesThatNobodyMayPass)
{
    for (uint64_t type = 1; type < 16; ++type) {
        uint64_t descriptor = uint64_t{0xE0} << 40 | type << 40;
        CHECK_EQUAL(type == 12, admit_descriptor(descriptor));
    }
    uint64_t descriptor = call_gate;
    CHECK_TRUE(admit_descriptor(descriptor));
    UNSIGNED_LONGLONGS_EQUAL(0, descriptor >> 45 & 3);
}

TEST(Descriptors, AGdtIsCheckedTypedAndShown)
{
    words(two.fa(60))[3] = flat_code;
    LONGS_EQUAL(0, set(60, 513));
    UNSIGNED_LONGLONGS_EQUAL(flat_code_ring3, words(two.fa(60))[3]);
    CHECK_TRUE(frame_type(two.fa(60)) == FrameType::descriptors);
    UNSIGNED_LONGLONGS_EQUAL(machine::window_entry_writable(two.fa(60)), windows[0][0]);
    UNSIGNED_LONGLONGS_EQUAL(machine::window_entry_writable(two.fa(61)), windows[0][1]);
    UNSIGNED_LONGLONGS_EQUAL(0, windows[0][2]);
    LONGS_EQUAL(XEN_EBUSY, get_writable_frame(two.fa(60), two.a().id).error());
}

TEST(Descriptors, AnotherGdtReplacesItAndTheCpuForgetsTheFormerPages)
{
    LONGS_EQUAL(0, set(60, 1024));
    flushes.clear();
    LONGS_EQUAL(0, set(70, 10));
    LONGS_EQUAL(2, flushes.size());
    UNSIGNED_LONGLONGS_EQUAL(layout::descriptor_windows, flushes[0].address);
    LONGS_EQUAL(1, flushes[0].cpus);
    LONGS_EQUAL(0, existing(two.fa(60)));
    UNSIGNED_LONGLONGS_EQUAL(0, windows[0][1]);
    LONGS_EQUAL(0, set(0, 0));
    LONGS_EQUAL(0, existing(two.fa(70)));
    CHECK_TRUE(get_writable_frame(two.fa(70), two.a().id).has_value());
    put_writable_frame(two.fa(70));
}

TEST(Descriptors, AllFourteenPagesFitOverSeveralCalls)
{
    HypercallArguments arguments{{list_at, guest_gdt_entries, 0, 0, 0, 0}};
    for (uint64_t i = 0; i < 14; ++i)
        frames[i] = two.fa(60 + i).raw();
    LONGS_EQUAL(hypercall_continue, do_set_gdt(two.a0(), arguments));
    two.check_all();
    LONGS_EQUAL(0, set(60, guest_gdt_entries));
    LONGS_EQUAL(-XEN_EINVAL, set(60, guest_gdt_entries + 1));
    LONGS_EQUAL(0, set(60, 1));
}

TEST(Descriptors, AGdtThatMayNotBeLeavesTheFormerOne)
{
    LONGS_EQUAL(0, set(60, 10));
    words(two.fa(71))[100] = available_tss;
    LONGS_EQUAL(-XEN_EINVAL, set(70, 1000));
    LONGS_EQUAL(0, existing(two.fa(70)));
    LONGS_EQUAL(0, existing(two.fa(71)));
    UNSIGNED_LONGLONGS_EQUAL(machine::window_entry_writable(two.fa(60)), windows[0][0]);
    LONGS_EQUAL(-XEN_EINVAL, set(given_each, 10));
    LONGS_EQUAL(-XEN_EINVAL, set(0, 10));
    LONGS_EQUAL(-XEN_EINVAL, set(16, 10));
    frames[0] = two.fb(60).raw();
    LONGS_EQUAL(-XEN_EINVAL, call(do_set_gdt, two.a0(), list_at, 10));
    LONGS_EQUAL(-XEN_EFAULT, call(do_set_gdt, two.a0(), 0x1000, 10));
}

TEST(Descriptors, AFormerGdtPageIsCheckedAgainOnlyIfItWasWritable)
{
    LONGS_EQUAL(0, set(60, 10));
    LONGS_EQUAL(0, set(70, 10));
    CHECK_TRUE((state_of(two.fa(60)) & frame::validated) != 0);
    LONGS_EQUAL(0, set(60, 10));
    LONGS_EQUAL(0, set(70, 10));
    CHECK_TRUE(get_writable_frame(two.fa(60), two.a().id).has_value());
    put_writable_frame(two.fa(60));
    CHECK_TRUE((state_of(two.fa(60)) & frame::validated) == 0);
    words(two.fa(60))[0] = available_tss;
    LONGS_EQUAL(-XEN_EINVAL, set(60, 10));
}

TEST(Descriptors, OneDescriptorIsReplaced)
{
    LONGS_EQUAL(0, set(60, 10));
    LONGS_EQUAL(0, call(do_update_descriptor, two.a0(), entry_address(two.fa(60), 4), flat_code));
    UNSIGNED_LONGLONGS_EQUAL(flat_code_ring3, words(two.fa(60))[4]);
    LONGS_EQUAL(-XEN_EINVAL, call(do_update_descriptor, two.a0(), entry_address(two.fa(60), 4), available_tss));
    LONGS_EQUAL(-XEN_EINVAL, call(do_update_descriptor, two.a0(), entry_address(two.fa(60), 4) + 4, flat_code));
    LONGS_EQUAL(-XEN_EINVAL, call(do_update_descriptor, two.a0(), entry_address(two.fb(60), 4), flat_code));
    LONGS_EQUAL(-XEN_EINVAL, call(do_update_descriptor, two.a0(), entry_address(two.fa(3), 4), flat_code));
    LONGS_EQUAL(0, call(do_update_descriptor, two.a0(), entry_address(two.fa(95), 4), flat_code));
    UNSIGNED_LONGLONGS_EQUAL(flat_code_ring3, words(two.fa(95))[4]);
    LONGS_EQUAL(0, existing(two.fa(95)));
}

TEST(Descriptors, LdtPagesAreMappedWhenTheCpuMissesThem)
{
    make_ldt();
    LONGS_EQUAL(1, machine::ldts_loaded.size());
    LONGS_EQUAL(0, typed(two.fa(90)));
    CHECK_TRUE(map_ldt_page(two.a0(), ldt_address(8)));
    UNSIGNED_LONGLONGS_EQUAL(machine::window_entry_writable(two.fa(90)), windows[0][16]);
    LONGS_EQUAL(1, typed(two.fa(90)));
    CHECK_TRUE(map_ldt_page(two.a0(), ldt_address(4096)));
    // Beyond its limit, twice, or not an address of the LDT: not for us.
    CHECK_FALSE(map_ldt_page(two.a0(), ldt_address(600 * 8)));
    CHECK_FALSE(map_ldt_page(two.a0(), ldt_address(8)));
    CHECK_FALSE(map_ldt_page(two.a0(), ldt_address(0) - 1));
    CHECK_FALSE(map_ldt_page(two.a0(), layout::frame_table));
}

TEST(Descriptors, AnLdtPageThatIsNotMappedOrWritableIsTheGuestsFault)
{
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_SET_LDT, at(0, 0, 0, 60), 10));
    CHECK_FALSE(map_ldt_page(two.a0(), ldt_address(8)));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_SET_LDT, at(0, 0, 0, 0), 10));
    CHECK_FALSE(map_ldt_page(two.a0(), ldt_address(8)));
}

TEST(Descriptors, AMissingOneIsASelectorInTheGdtAndAnAddressInTheLdt)
{
    make_ldt();
    const uint64_t window = ldt_address(0) - layout::ldt_offset;
    const auto in_gdt = missing_descriptor(two.a0(), window + 0x2345);
    CHECK_TRUE(in_gdt.has_value() && !in_gdt->in_ldt);
    UNSIGNED_LONGLONGS_EQUAL(0x2340, in_gdt->selector);
    const auto in_ldt = missing_descriptor(two.a0(), ldt_address(0x1008));
    CHECK_TRUE(in_ldt.has_value() && in_ldt->in_ldt);
    UNSIGNED_LONGLONGS_EQUAL(two.a0().pv.ldt_base + 0x1008, in_ldt->address);
    CHECK_FALSE(missing_descriptor(two.a0(), window - 1).has_value());
    CHECK_FALSE(missing_descriptor(two.a0(), window + layout::descriptor_window_size).has_value());
}

TEST(Descriptors, UnmappingAnLdtPageLetsItGo)
{
    make_ldt();
    CHECK_TRUE(map_ldt_page(two.a0(), ldt_address(8)));
    flushes.clear();
    LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(3), 60), 0));
    UNSIGNED_LONGLONGS_EQUAL(0, windows[0][16]);
    LONGS_EQUAL(1, flushes.size());
    UNSIGNED_LONGLONGS_EQUAL(ldt_address(0), flushes[0].address);
    LONGS_EQUAL(0, update_table(two.a0(), entry_address(two.fa(3), 60), pte::make(two.fa(90), rw)));
}

TEST(Descriptors, AnotherLdtOrTopLevelForgetsThePages)
{
    make_ldt();
    CHECK_TRUE(map_ldt_page(two.a0(), ldt_address(8)));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_SET_LDT, 0, 0));
    LONGS_EQUAL(0, typed(two.fa(90)));
    make_ldt();
    CHECK_TRUE(map_ldt_page(two.a0(), ldt_address(8)));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_NEW_BASEPTR, two.fa(0).raw()));
    LONGS_EQUAL(0, typed(two.fa(90)));
    CHECK_TRUE(map_ldt_page(two.a0(), ldt_address(8)));
}

TEST(Descriptors, AnLdtMustLieWhereAGuestMayHaveOne)
{
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_SET_LDT, 0x1008, 10));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_SET_LDT, 0x1000, 8193));
    LONGS_EQUAL(-XEN_EINVAL, mmuext(two.a0(), MMUEXT_SET_LDT, layout::core_begin, 10));
    LONGS_EQUAL(0, mmuext(two.a0(), MMUEXT_SET_LDT, 0x1000, 8192));
}
