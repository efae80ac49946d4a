// SPDX-License-Identifier: BSD-2-Clause
// Claim: a guest has a GDT and an LDT of its own; the LDT's pages are looked at when a selector is
// loaded; pages of descriptors are never writable, and a descriptor that would give more than ring 3
// is refused wherever it comes from.
#include "framework/memory.hpp"
#include "framework/traps.hpp"

namespace {

constexpr long EINVAL = 22;
constexpr uint64_t low_address = 0x600000;

// Source: Intel SDM vol 3, "Segment Descriptors": a data segment, writable, dpl 3, up to 4 GiB.
constexpr uint64_t data_segment(uint32_t base)
{
    return 0x00cff3000000ffff | (uint64_t{base} & 0xffffff) << 16 | uint64_t{base >> 24} << 56;
}
constexpr uint64_t kernel_code = 0x00af9b000000ffff;         // dpl 0
constexpr uint64_t interrupt_gate = 0x0000ee000008ffff;

constexpr uint64_t gdt_selector(unsigned index) { return index << 3 | 3; }
constexpr uint64_t ldt_selector(unsigned index) { return index << 3 | 4 | 3; }

void load_fs(uint64_t selector) { asm volatile("mov %w0, %%fs" : : "r"(selector) : "memory"); }

uint64_t first_word_of_fs()
{
    uint64_t value;
    asm volatile("mov %%fs:0, %0" : "=r"(value));
    return value;
}

long set_gdt(uint64_t* frames, unsigned entries)
{
    return hypercall<__HYPERVISOR_set_gdt>(as_argument(frames), entries);
}
long update_descriptor(const void* at, uint64_t descriptor)
{
    return hypercall<__HYPERVISOR_update_descriptor>(machine_address(at), descriptor);
}
long set_ldt(const void* at, unsigned entries) { return mmuext(MMUEXT_SET_LDT, as_argument(at), entries); }

void a_gdt_of_its_own(const uint64_t* word)
{
    auto* gdt = new_page_as<uint64_t>();
    gdt[5] = data_segment(low_address);
    uint64_t frames[1] = {mfn_of(gdt)};
    CHECK(set_gdt(frames, 512) < 0);                         // mapped writable
    CHECK_EQUAL(0, make_readonly(gdt));
    CHECK_EQUAL(0, set_gdt(frames, 512));
    CHECK_NO_TRAP(load_fs(gdt_selector(5)));
    CHECK_EQUAL(*word, first_word_of_fs());
    CHECK(make_writable(gdt) < 0);
    CHECK_EQUAL(0, update_descriptor(&gdt[6], data_segment(low_address + 8)));
    CHECK_NO_TRAP(load_fs(gdt_selector(6)));
    CHECK_EQUAL(word[1], first_word_of_fs());
    CHECK_TRAPS(13, gdt_selector(7) & ~3ul, load_fs(gdt_selector(7)));      // null descriptor
    CHECK(update_descriptor(&gdt[8], interrupt_gate) < 0);
    CHECK_EQUAL(0, gdt[8]);
    // Code of ring 0 becomes code of ring 3, or is refused: never what it says.
    if (update_descriptor(&gdt[8], kernel_code) == 0)
        CHECK((gdt[8] >> 45 & 3) != 0);
    CHECK_EQUAL(-EINVAL, set_gdt(frames, 14 * 512 + 1));
    load_fs(0);
}

void a_gdt_that_must_not_be()
{
    auto* gdt = new_page_as<uint64_t>();
    gdt[9] = interrupt_gate;
    CHECK_EQUAL(0, make_readonly(gdt));
    uint64_t frames[1] = {mfn_of(gdt)};
    CHECK(set_gdt(frames, 512) < 0);
    frames[0] = 0xfffffffff;
    CHECK(set_gdt(frames, 512) < 0);
    frames[0] = mfn_of(reinterpret_cast<void*>(start_info->pt_base));
    CHECK(set_gdt(frames, 512) < 0);                         // a page table
    CHECK_EQUAL(0, make_writable(gdt));
}

void an_ldt_is_mapped_when_it_is_used(const uint64_t* word)
{
    auto* ldt = new_page_as<uint64_t>();
    ldt[1] = data_segment(low_address);
    CHECK_EQUAL(-EINVAL, set_ldt(reinterpret_cast<char*>(ldt) + 8, 512));  // not aligned to a page
    CHECK_EQUAL(0, set_ldt(ldt, 512));
    // Writable still: the access that would need it is the guest's fault, at the guest's address.
    const Caught caught = catch_trap([] { load_fs(ldt_selector(1)); });
    CHECK(caught);
    CHECK_EQUAL(14, caught.vector);
    CHECK_EQUAL(as_argument(ldt) + 8, caught.address);
    CHECK_EQUAL(0, make_readonly(ldt));
    CHECK_NO_TRAP(load_fs(ldt_selector(1)));
    CHECK_EQUAL(*word, first_word_of_fs());
    CHECK(make_writable(ldt) < 0);
    CHECK_EQUAL(0, update_descriptor(&ldt[2], data_segment(low_address + 8)));
    CHECK_NO_TRAP(load_fs(ldt_selector(2)));
    CHECK_EQUAL(word[1], first_word_of_fs());
    CHECK_TRAPS(13, ldt_selector(600) & ~3ul, load_fs(ldt_selector(600)));  // beyond its limit
    load_fs(0);
    CHECK_EQUAL(0, set_ldt(nullptr, 0));
    CHECK_EQUAL(0, make_writable(ldt));
    CHECK_TRAPS(13, ldt_selector(1) & ~3ul, load_fs(ldt_selector(1)));
}

}  // namespace

GUEST_TEST(descriptors)
{
    install_traps();
    auto* word = new_page_as<uint64_t>();
    word[0] = 0x1234567890;
    word[1] = 0x9876543210;
    void* pages[1] = {word};
    map_in_empty_slot(reinterpret_cast<uint64_t*>(start_info->pt_base), low_address, pages, 1, pte_page);
    a_gdt_of_its_own(word);
    a_gdt_that_must_not_be();
    an_ldt_is_mapped_when_it_is_used(word);
}
