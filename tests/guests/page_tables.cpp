// SPDX-License-Identifier: BSD-2-Clause
// Claim: page tables change by mmu_update, update_va_mapping and mmuext_op as the ABI says, frames
// have one use at a time, and what would break that is refused.
#include "framework/memory.hpp"
#include "framework/traps.hpp"

namespace {

constexpr long EINVAL = 22, EBUSY = 16, EPERM = 1;

// Addresses that no start-of-day mapping covers, in one second-level slot of the kernel's tables.
char* const free_area = reinterpret_cast<char*>(virt_base + 64 * 1024 * 1024);

bool is_mapped(const void* address)
{
    return !catch_trap([&] { asm volatile("mov (%0), %%al" : : "r"(address) : "al", "memory"); });
}

void mappings_come_and_go()
{
    auto* page = new_page_as<volatile uint64_t>();
    auto* other = new_page_as<volatile uint64_t>();
    void* at = const_cast<uint64_t*>(page);
    const uint64_t frame = mfn_of(at);
    *page = 0x1111;
    *other = 0x2222;
    CHECK_EQUAL(0, update_mapping(at, mfn_of(const_cast<uint64_t*>(other)) << 12 | pte_page));
    CHECK_EQUAL(0x2222, *page);
    CHECK_EQUAL(0, update_mapping(at, 0));
    CHECK(!is_mapped(at));
    CHECK_EQUAL(0, change_entry(machine_address(entry_of(at, 1)), frame << 12 | pte_page));
    CHECK_EQUAL(0x1111, *page);
    // The user bit is the hypervisor's to set: a kernel runs in ring 3.
    CHECK(*entry_of(at, 1) & pte_user);
    CHECK_EQUAL(frame, (*entry_of(at, 1) & pte_frame) >> 12);
    // Accessed and dirty bits survive with MMU_PT_UPDATE_PRESERVE_AD.
    *page = 0x3333;
    CHECK_EQUAL(0, change_entry(machine_address(entry_of(at, 1)) | MMU_PT_UPDATE_PRESERVE_AD,
                                frame << 12 | pte_present | pte_writable | pte_user));
    CHECK(*entry_of(at, 1) & pte_dirty);
}

void frames_of_others_are_refused()
{
    void* at = new_page();
    const uint64_t before = *entry_of(at, 1);
    CHECK(update_mapping(at, uint64_t{0x000ffffffffff} << 12 | pte_page) < 0);
    CHECK(update_mapping(at, uint64_t{0xfffffffff} << 12 | pte_page) < 0);
    CHECK_EQUAL(before, *entry_of(at, 1));
    // The hypervisor's own slots.
    uint64_t* table = reinterpret_cast<uint64_t*>(start_info->pt_base);
    CHECK(change_entry(machine_address(&table[256]), 0) < 0);
    CHECK(change_entry(machine_address(&table[271]), table[511]) < 0);
    CHECK_EQUAL(-EINVAL, update_mapping(reinterpret_cast<void*>(0xffff830000000000), 0));
}

void a_table_is_never_writable()
{
    auto* table = new_page_as<uint64_t>();
    const uint64_t frame = mfn_of(table);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, frame) < 0);                // mapped writable
    CHECK_EQUAL(0, make_readonly(table));
    CHECK_EQUAL(0, mmuext(MMUEXT_PIN_L1_TABLE, frame));
    CHECK(make_writable(table) < 0);
    CHECK(mmuext(MMUEXT_PIN_L2_TABLE, frame) < 0);                // it is another level's
    // Not while it is pinned once already.
    CHECK_EQUAL(-EINVAL, mmuext(MMUEXT_PIN_L1_TABLE, frame));
    CHECK_EQUAL(0, mmuext(MMUEXT_UNPIN_TABLE, frame));
    CHECK_EQUAL(-EINVAL, mmuext(MMUEXT_UNPIN_TABLE, frame));
    CHECK_EQUAL(0, make_writable(table));
    table[0] = 1;
}

void a_table_is_checked_when_it_becomes_one()
{
    auto* table = new_page_as<uint64_t>();
    const uint64_t frame = mfn_of(table);
    const auto refuses = [&](uint64_t entry) {
        table[7] = entry;
        CHECK_EQUAL(0, make_readonly(table));
        const bool refused = mmuext(MMUEXT_PIN_L1_TABLE, frame) < 0;
        if (!refused)
            CHECK_EQUAL(0, mmuext(MMUEXT_UNPIN_TABLE, frame));
        CHECK_EQUAL(0, make_writable(table));
        table[7] = 0;
        return refused;
    };
    CHECK(refuses(uint64_t{0xfffffffff} << 12 | pte_page));       // no frame of the guest's
    CHECK(refuses(frame << 12 | pte_page));                       // itself, writable
    CHECK(!refuses(frame << 12 | pte_readonly));
    CHECK(!refuses(mfn_of(&free_area) << 12 | pte_page));
    // Not present: anything that names no memory. What does is refused where the CPU leaks it (L1TF).
    CHECK(!refuses(0xfffffdead000));
}

// New tables of three levels, linked, used and taken down.
void a_table_is_linked_and_unlinked()
{
    auto* lowest = new_page_as<uint64_t>();
    auto* page = new_page_as<volatile uint64_t>();
    *page = 0x5555;
    lowest[3] = mfn_of(const_cast<uint64_t*>(page)) << 12 | pte_page;
    uint64_t* slot = entry_of(free_area, 2);
    CHECK(slot != nullptr);
    CHECK(change_entry(machine_address(slot), mfn_of(lowest) << 12 | pte_table) < 0);     // still writable
    CHECK_EQUAL(0, make_readonly(lowest));
    CHECK_EQUAL(0, change_entry(machine_address(slot), mfn_of(lowest) << 12 | pte_table));
    CHECK_EQUAL(0x5555, *reinterpret_cast<uint64_t*>(free_area + 3 * page_bytes));
    CHECK(!is_mapped(free_area));
    CHECK(make_writable(lowest) < 0);
    CHECK_EQUAL(0, update_mapping(free_area, mfn_of(const_cast<uint64_t*>(page)) << 12 | pte_readonly));
    CHECK_EQUAL(0x5555, *reinterpret_cast<uint64_t*>(free_area));
    CHECK_EQUAL(0, change_entry(machine_address(slot), 0));
    CHECK_EQUAL(0, mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0));        // mmu_update leaves that to the guest
    CHECK(!is_mapped(free_area + 3 * page_bytes));
    CHECK_EQUAL(0, make_writable(lowest));
}

void superpages_and_recursion_are_refused()
{
    uint64_t* slot = entry_of(free_area, 2);
    CHECK(change_entry(machine_address(slot), (mfn_of(free_area - 0) << 12 & ~uint64_t{0x1fffff}) | pte_page | 0x80) < 0);
    auto* table = reinterpret_cast<uint64_t*>(start_info->pt_base);
    CHECK(change_entry(machine_address(&table[300]), mfn_of(table) << 12 | pte_table | pte_writable) < 0);
    CHECK(*entry_of(free_area, 2) == 0);
}

void whole_pages_are_cleared_and_copied()
{
    auto* from = new_page_as<uint64_t>();
    auto* to = new_page_as<uint64_t>();
    for (unsigned i = 0; i < 512; ++i)
        from[i] = i * 3;
    mmuext_op_t copy = {};
    copy.cmd = MMUEXT_COPY_PAGE;
    copy.arg1.mfn = mfn_of(to);
    copy.arg2.src_mfn = mfn_of(from);
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_mmuext_op>(as_argument(&copy), 1, 0, DOMID_SELF));
    CHECK_EQUAL(511 * 3, to[511]);
    CHECK_EQUAL(0, mmuext(MMUEXT_CLEAR_PAGE, mfn_of(to)));
    CHECK_EQUAL(0, to[511]);
    CHECK(mmuext(MMUEXT_CLEAR_PAGE, mfn_of(reinterpret_cast<void*>(start_info->pt_base))) < 0);
}

void lists_stop_at_the_first_failure()
{
    void* at = new_page();
    const uint64_t entry = machine_address(entry_of(at, 1));
    const uint64_t frame = mfn_of(at);
    mmu_update_t list[4] = {{entry, 0}, {entry, frame << 12 | pte_readonly}, {entry, uint64_t{0xfffffffff} << 12 | pte_page},
                            {entry, 0}};
    unsigned done = 99;
    CHECK(hypercall<__HYPERVISOR_mmu_update>(as_argument(list), 4, as_argument(&done), DOMID_SELF) < 0);
    CHECK_EQUAL(2, done);
    CHECK_EQUAL(pte_present, *entry_of(at, 1) & (pte_present | pte_writable));
}

}  // namespace

GUEST_TEST(page_tables)
{
    install_traps();
    mappings_come_and_go();
    frames_of_others_are_refused();
    a_table_is_never_writable();
    a_table_is_checked_when_it_becomes_one();
    a_table_is_linked_and_unlinked();
    superpages_and_recursion_are_refused();
    whole_pages_are_cleared_and_copied();
    lists_stop_at_the_first_failure();
    (void)EBUSY;
    (void)EPERM;
}
