// SPDX-License-Identifier: BSD-2-Clause
// How the core reaches a hardware guest's memory: the guest's own tables with their rights and marks, pages
// that are shown for one exit in tables that stay, and what is remembered until the nested tables change.
#include "fake_core.hpp"

#include "machine/core_space.hpp"
#include "machine/tlb.hpp"

#include "hvm/cpu/guest_window.cpp"

#include "hvm/cpu/plain_instruction.hpp"

#include <memory>
#include <set>

#include <CppUTest/TestHarness.h>

namespace bulkhead {

namespace fake {
inline GuestPaging paging;
inline Mfn guest;                   // its memory, in a row
inline unsigned nested_walks;
inline constexpr uint64_t guest_pages = 64;
inline const VendorOperations operations = [] {
    VendorOperations made{};
    made.paging = [](const Vcpu&) { return paging; };
    return made;
}();
}  // namespace fake

const VendorOperations* vendor_of_box = &fake::operations;

NestedPage nested_page(const Partition&, uint64_t gfn)
{
    ++fake::nested_walks;
    return {gfn < fake::guest_pages ? fake::guest + gfn : invalid_mfn, false};
}

}  // namespace bulkhead

using namespace bulkhead;

TEST_GROUP(GuestWindow)
{
    static constexpr uint64_t writable_user = 7, kernel_read_only = 1;
    static constexpr uint64_t address = 0xFFFF'8880'0000'0000;     // the guest's
    static constexpr uint64_t data_page = 10;

    std::unique_ptr<Partition> partition = std::make_unique<Partition>();
    std::unique_ptr<HardwarePartition> nested = std::make_unique<HardwarePartition>();
    std::unique_ptr<Vcpu> vcpu = std::make_unique<Vcpu>();
    std::unique_ptr<HardwareVcpu> hardware = std::make_unique<HardwareVcpu>();
    GuestWindow& window = hardware->window;

    void setup() override
    {
        fake::reset_core();
        fake::guest = fake::new_frame(fake::guest_pages);
        fake::nested_walks = 0;
        partition->hardware = nested.get();
        vcpu->partition = partition.get();
        vcpu->hardware = hardware.get();
        make_window(window);
        // Long mode, its kernel, write protection; tables in pages 1 to 4.
        fake::paging = {0x8001'0001, 1 << page_shift, 0x20, 0x500, 2, 0};
        for (uint64_t level = 4; level > 1; --level)
            guest_entry(5 - level, address >> (page_shift + 9 * (level - 1))) = (6 - level) << page_shift | writable_user;
        for (uint64_t i = 0; i < 40; ++i)
            guest_entry(4, (address >> page_shift) + i) = (data_page + i) << page_shift | writable_user;
    }

    static uint8_t* guest_page(uint64_t page) { return fake::frame_bytes(fake::guest + page); }
    static uint64_t& guest_entry(uint64_t page, uint64_t index)
    {
        return reinterpret_cast<uint64_t*>(guest_page(page))[index & 511];
    }
    // What the window shows there; 0: nothing.
    uint64_t shown(uint64_t at)
    {
        const auto* table = machine::frame_pointer<uint64_t>(window.root);
        for (unsigned level = 3;; --level) {
            const uint64_t entry = table[at >> (page_shift + 9 * level) & 511];
            if (entry == 0 || level == 0)
                return entry;
            table = machine::physical_pointer<uint64_t>(HostPhysical(entry & 0x000F'FFFF'FFFF'F000));
        }
    }
};

TEST(GuestWindow, shows_a_page_until_the_exit_has_been_handled)
{
    CHECK(map_guest_page(*vcpu, address + 0x123, true));
    CHECK_EQUAL(fake::guest.raw() + data_page, shown(address) >> page_shift & 0xFF'FFFF'FFFF);
    CHECK_EQUAL(3u, shown(address) & 3);
    CHECK((shown(address) >> 63) != 0);
    forget_mappings(window);
    CHECK_EQUAL(0u, shown(address));
    CHECK_EQUAL(0u, window.shown_used);
}

TEST(GuestWindow, keeps_its_tables_from_exit_to_exit)
{
    CHECK(map_guest_page(*vcpu, address, false));
    const unsigned tables = window.tables_used;
    for (unsigned i = 0; i < 100; ++i) {
        forget_mappings(window);
        CHECK(map_guest_page(*vcpu, address + (i % 40 << page_shift), false));
    }
    CHECK_EQUAL(tables, window.tables_used);
}

TEST(GuestWindow, begins_anew_when_an_exit_needs_more_pages_than_it_shows)
{
    for (uint64_t i = 0; i < 40; ++i) {
        CHECK(map_guest_page(*vcpu, address + (i << page_shift), false));
        CHECK(shown(address + (i << page_shift)) != 0);
    }
    std::set<uint64_t> still;
    for (uint64_t i = 0; i < 40; ++i) {
        if (shown(address + (i << page_shift)) != 0)
            still.insert(i);
    }
    CHECK_EQUAL(window.shown_used, still.size());
    forget_mappings(window);
    for (uint64_t i = 0; i < 40; ++i)
        CHECK_EQUAL(0u, shown(address + (i << page_shift)));
}

TEST(GuestWindow, shows_a_page_that_was_read_writable_only_if_the_guest_has_written_it)
{
    CHECK(map_guest_page(*vcpu, address, false));
    CHECK_EQUAL(1u, shown(address) & 3);
    CHECK_EQUAL(0x20u, guest_entry(4, address >> page_shift) & 0x60);
    // The write: it is marked in the guest's table.
    CHECK(map_guest_page(*vcpu, address, true));
    CHECK_EQUAL(3u, shown(address) & 3);
    CHECK_EQUAL(0x60u, guest_entry(4, address >> page_shift) & 0x60);
    forget_mappings(window);
    CHECK(map_guest_page(*vcpu, address, false));
    CHECK_EQUAL(3u, shown(address) & 3);
}

TEST(GuestWindow, does_not_let_write_what_the_guest_has_read_only_at_any_level)
{
    for (const uint64_t level_page : {1u, 2u, 3u, 4u}) {
        const unsigned shift = page_shift + 9 * static_cast<unsigned>(4 - level_page);
        uint64_t& entry = guest_entry(level_page, address >> shift);
        const uint64_t former = entry;
        entry = (former & ~uint64_t{7}) | kernel_read_only | 0x40;
        CHECK_FALSE(map_guest_page(*vcpu, address, true));
        CHECK(map_guest_page(*vcpu, address, false));
        CHECK_EQUAL(1u, shown(address) & 3);
        // Without write protection its kernel may.
        fake::paging.cr0 &= ~uint64_t{0x10000};
        CHECK(map_guest_page(*vcpu, address, true));
        fake::paging.cr0 |= 0x10000;
        forget_mappings(window);
        entry = former;
    }
}

TEST(GuestWindow, has_nothing_where_the_guests_tables_or_memory_have_nothing)
{
    CHECK_FALSE(map_guest_page(*vcpu, address + (uint64_t{40} << page_shift), false));
    CHECK_FALSE(map_guest_page(*vcpu, 0x1000, false));
    guest_entry(4, address >> page_shift) = fake::guest_pages << page_shift | writable_user;
    CHECK_FALSE(map_guest_page(*vcpu, address, false));
    guest_entry(1, address >> 39) = fake::guest_pages << page_shift | writable_user;
    CHECK_FALSE(map_guest_page(*vcpu, address + page_size, false));
}

TEST(GuestWindow, sees_a_change_of_the_guests_own_tables_at_the_next_exit)
{
    CHECK(map_guest_page(*vcpu, address, false));
    forget_mappings(window);
    guest_entry(4, address >> page_shift) = (data_page + 1) << page_shift | writable_user;
    CHECK(map_guest_page(*vcpu, address, false));
    CHECK_EQUAL(fake::guest.raw() + data_page + 1, shown(address) >> page_shift & 0xFF'FFFF'FFFF);
}

TEST(GuestWindow, remembers_the_nested_tables_until_they_change)
{
    CHECK(map_guest_page(*vcpu, address, false));
    const unsigned walks = fake::nested_walks;
    CHECK_EQUAL(5u, walks);
    forget_mappings(window);
    CHECK(map_guest_page(*vcpu, address, false));
    CHECK_EQUAL(walks, fake::nested_walks);
    nested->nested_changes.fetch_add(1);
    forget_mappings(window);
    CHECK(map_guest_page(*vcpu, address, false));
    CHECK_EQUAL(2 * walks, fake::nested_walks);
}

TEST(GuestWindow, knows_the_code_that_was_found_before)
{
    uint8_t* const code = guest_page(data_page);
    code[0x100] = 0x0F;
    code[0x101] = 0xA2;
    POINTERS_EQUAL(nullptr, code_before(window, address + 0x100));
    uint8_t bytes[3];
    CHECK_EQUAL(3u, fetch_code(*vcpu, address + 0x100, bytes, 3));
    CHECK_EQUAL(0xA2, bytes[1]);
    POINTERS_EQUAL(code + 0x100, code_before(window, address + 0x100));
    POINTERS_EQUAL(code + 0xFFC, code_before(window, address + 0xFFC));
    // Four bytes do not end on the page; another page; another page in the same place of what is remembered.
    POINTERS_EQUAL(nullptr, code_before(window, address + 0xFFD));
    POINTERS_EQUAL(nullptr, code_before(window, address + 0x1100));
    POINTERS_EQUAL(nullptr, code_before(window, address + 0x8100));
    nested->nested_changes.fetch_add(1);
    (void)translate(*vcpu, address, false);
    POINTERS_EQUAL(nullptr, code_before(window, address + 0x100));
}

TEST(GuestWindow, tells_the_length_of_plain_forms_only)
{
    constexpr uint8_t forms[] = {0x0F, 0xA2, 0x90, 0x90, 0x0F, 0x01, 0xD9, 0x90, 0x66, 0x0F, 0xA2, 0x90};
    std::copy(std::begin(forms), std::end(forms), guest_page(data_page));
    const auto length = [&](uint64_t at, ExitReason reason) -> unsigned { return plain_instruction_length(*vcpu, at, reason); };
    CHECK_EQUAL(0u, length(address, ExitReason::cpuid));
    uint8_t byte;
    CHECK_EQUAL(1u, fetch_code(*vcpu, address, &byte, 1));
    CHECK_EQUAL(2u, length(address, ExitReason::cpuid));
    CHECK_EQUAL(0u, length(address, ExitReason::msr_read));
    CHECK_EQUAL(3u, length(address + 4, ExitReason::hypercall));
    CHECK_EQUAL(0u, length(address + 8, ExitReason::cpuid));
    CHECK_EQUAL(2u, length(address + 9, ExitReason::cpuid));
    CHECK_EQUAL(0u, length(address, ExitReason::port));
}
