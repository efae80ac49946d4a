// SPDX-License-Identifier: BSD-2-Clause
// The monitor's look at a hardware guest's memory: its three kinds of page tables, without paging, and tables that are
// nonsense or somebody else's.
#include "fake_core.hpp"

#include "hvm/cpu/guest_look.cpp"

#include <map>
#include <memory>

#include <CppUTest/TestHarness.h>

namespace bulkhead {

namespace fake {
inline Mfn guest;                   // its memory, in a row
inline constexpr uint64_t guest_pages = 16;
inline GuestPaging of_vendor;
inline std::map<uint64_t, uint16_t> owners;   // page of the guest to domain
inline const VendorOperations vendor_table = [] {
    VendorOperations made{};
    made.paging = [](const Vcpu&) { return of_vendor; };
    return made;
}();
}  // namespace fake

const VendorOperations* vendor_of_box = &fake::vendor_table;

extern const HardwareOperations hardware_operations = [] {
    HardwareOperations made{};
    made.frame_of_guest = [](const Partition&, uint64_t gfn) {
        return gfn < fake::guest_pages ? fake::guest + gfn : invalid_mfn;
    };
    return made;
}();

DomainId frame_owner(Mfn frame) { return DomainId(fake::owners[frame.raw() - fake::guest.raw()]); }

}  // namespace bulkhead

using namespace bulkhead;

TEST_GROUP(GuestLook)
{
    static constexpr uint64_t address = 0xFFFF'8880'1234'5678;
    static constexpr uint64_t root = 1, data = 9;               // pages of the guest
    static constexpr uint64_t user_writable = 7;
    static constexpr GuestPaging long_paging{0x8000'0001, root << page_shift, 0x20, 0x500, 2, 0};
    static constexpr GuestPaging pae_paging{0x8000'0001, root << page_shift | 0x20, 0x20, 0, 2, 0};
    static constexpr GuestPaging short_paging{0x8000'0001, root << page_shift, 0, 0, 2, 0};

    std::unique_ptr<Partition> partition = std::make_unique<Partition>();

    void setup() override
    {
        fake::reset_core();
        fake::guest = fake::new_frame(fake::guest_pages);
        partition->id = DomainId(7);
        for (uint64_t i = 0; i < fake::guest_pages; ++i)
            own(i, 7);
    }

    static void own(uint64_t page, uint16_t domain) { fake::owners[page] = domain; }
    template <typename Entry>
    static Entry& entry(uint64_t page, uint64_t index)
    {
        return reinterpret_cast<Entry*>(fake::frame_bytes(fake::guest + page))[index];
    }
    // Tables in pages 1 to 4, the page in `data`.
    static void map_long(uint64_t at)
    {
        for (uint64_t level = 4; level > 0; --level)
            entry<uint64_t>(5 - level, at >> (page_shift + 9 * (level - 1)) & 511) =
                (level == 1 ? data : 6 - level) << page_shift | user_writable;
    }
    GuestPlace look_at(const GuestPaging& paging, uint64_t at) const { return look(*partition, paging, at); }
    void finds(uint64_t page, const GuestPlace& found) const
    {
        CHECK_TEXT(found.problem == nullptr, found.problem);
        CHECK_EQUAL(fake::guest.raw() + page, found.frame.raw());
    }
    static void finds_nothing(const char* why, const GuestPlace& found) { STRCMP_EQUAL(why, found.problem); }
};

TEST(GuestLook, without_paging_addresses_are_the_guests_memory)
{
    finds(3, look_at({}, 3 << page_shift | 5));
    finds_nothing("not its own memory", look_at({}, fake::guest_pages << page_shift));
}

TEST(GuestLook, walks_four_levels)
{
    map_long(address);
    finds(data, look_at(long_paging, address));
    CHECK_TRUE(look_at(long_paging, address).executable);
    finds_nothing("not mapped", look_at(long_paging, address + page_size));
    finds_nothing("not mapped", look_at(long_paging, 0));
}

TEST(GuestLook, leaves_no_marks)
{
    map_long(address);
    (void)look_at(long_paging, address);
    CHECK_EQUAL(data << page_shift | user_writable, entry<uint64_t>(4, address >> page_shift & 511));
}

TEST(GuestLook, a_level_that_forbids_execution_counts)
{
    map_long(address);
    entry<uint64_t>(2, address >> 30 & 511) |= uint64_t{1} << 63;
    CHECK_FALSE(look_at(long_paging, address).executable);
}

TEST(GuestLook, finds_the_place_in_a_large_page)
{
    map_long(address);
    entry<uint64_t>(3, address >> 21 & 511) = 0x80 | 1;
    finds_nothing("not its own memory", look_at(long_paging, address));
    const uint64_t low = (address & ~uint64_t{0x1F'FFFF}) | 6 << page_shift;
    finds(6, look_at(long_paging, low));
}

TEST(GuestLook, a_large_bit_in_the_top_level_is_none)
{
    map_long(address);
    entry<uint64_t>(1, address >> 39 & 511) |= 0x80;
    finds(data, look_at(long_paging, address));
}

TEST(GuestLook, walks_three_levels_and_their_short_top)
{
    constexpr uint64_t at = 0xC020'3000;
    // 32 bytes into its page.
    entry<uint64_t>(root, 4 + 3) = 2 << page_shift | 1;
    entry<uint64_t>(2, 1) = 3 << page_shift | 1;
    entry<uint64_t>(3, 3) = data << page_shift | 1;
    finds(data, look_at(pae_paging, at));
    entry<uint64_t>(2, 1) = 0x80 | 1;
    finds(3, look_at(pae_paging, at));
    finds_nothing("not an address", look_at(pae_paging, at | uint64_t{1} << 32));
}

TEST(GuestLook, walks_two_levels)
{
    constexpr uint64_t at = 0x0040'5000;
    entry<uint32_t>(root, 1) = 2 << page_shift | 1;
    entry<uint32_t>(2, 5) = data << page_shift | 1;
    finds(data, look_at(short_paging, at));
    entry<uint32_t>(root, 1) = 0x80 | 1;
    finds(5, look_at(short_paging, at));
    entry<uint32_t>(root, 1) |= 1 << 13;                        // above 4 GiB
    finds_nothing("not its own memory", look_at(short_paging, at));
}

TEST(GuestLook, believes_no_table_that_is_not_the_partitions)
{
    map_long(address);
    own(3, 8);
    finds_nothing("no page tables", look_at(long_paging, address));
    own(3, 7);
    own(data, 8);
    finds_nothing("not its own memory", look_at(long_paging, address));
    entry<uint64_t>(2, address >> 30 & 511) = uint64_t{0xF'FFFF'FFFF} << page_shift | 1;
    finds_nothing("no page tables", look_at(long_paging, address));
    GuestPaging elsewhere = long_paging;
    elsewhere.cr3 = ~uint64_t{0};
    finds_nothing("no page tables", look_at(elsewhere, address));
}

TEST(GuestLook, tables_that_lead_to_themselves_end)
{
    for (uint64_t i = 0; i < 512; ++i)
        entry<uint64_t>(root, i) = root << page_shift | 1;
    finds(root, look_at(long_paging, address));
}

TEST(GuestLook, keeps_what_the_cpu_had)
{
    const auto hardware = std::make_unique<HardwareVcpu>();
    Vcpu vcpu{};
    vcpu.hardware = hardware.get();
    fake::of_vendor = long_paging;
    keep_paging(vcpu);
    fake::of_vendor = {};
    CHECK_EQUAL(long_paging.cr3, kept_paging(vcpu).cr3);
    CHECK_EQUAL(long_paging.efer, kept_paging(vcpu).efer);
}
