// SPDX-License-Identifier: BSD-2-Clause
// The fuzzing guest's memory: what may be broken, how it is chosen, and how it is had back.
#include "fuzz.hpp"

extern "C" {
#include <xen/callback.h>
#include <xen/grant_table.h>
}

Pool pool;

namespace {

constexpr uint64_t top_of_initial_mapping = virt_base + (4 << 20);
// Slots of the kernel's second-level table that stay empty, so that an address there is never mapped.
constexpr unsigned first_free_second = 8;
constexpr uint64_t never_mapped = virt_base + (6 << 21);

uint64_t kernel_first, kernel_last;          // frames, both included

constexpr unsigned spare_most = 64;

// Frames behind the initial mapping: nothing maps them.
uint64_t spare(uint64_t index)
{
    const auto* list = reinterpret_cast<const uint64_t*>(start_info->mfn_list);
    return list[((top_of_initial_mapping - virt_base) >> 12) + index];
}

uint64_t* table_of(uint64_t* entry) { return reinterpret_cast<uint64_t*>(as_argument(entry) & ~0xfffull); }

uint64_t* new_top()
{
    auto* top = new_page_as<uint64_t>();
    top[kernel_slot] = pool.boot_top[kernel_slot];
    CHECK_EQUAL(0, make_readonly(top));
    CHECK_EQUAL(0, mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(top)));
    return top;
}

}  // namespace

void make_pool()
{
    pool.boot_top = reinterpret_cast<uint64_t*>(start_info->pt_base);
    pool.boot_third = table_of(entry_of(reinterpret_cast<void*>(virt_base), 3));
    pool.boot_second = table_of(entry_of(reinterpret_cast<void*>(virt_base), 2));
    pool.user_top = new_top();
    for (uint64_t*& copy : pool.top_copy)
        copy = new_top();
    for (Cpu& cpu : cpus) {
        cpu.arguments = new_page_as<uint64_t>();
        for (unsigned i = 1; i < argument_pages; ++i)
            (void)new_page();
    }
    pool.pages = arena_most;
    for (unsigned i = 0; i < pool.pages; ++i) {
        void* page = new_page();
        if (i == 0)
            pool.arena = static_cast<char*>(page);
        pool.home[i] = mfn_of(page);
        pool.live_entry[i] = entry_of(page, 1);
    }
    kernel_first = ~0ull;
    for (uint64_t at = virt_base; at < as_argument(pool.arena); at += page_bytes) {
        const uint64_t mfn = mfn_of(reinterpret_cast<void*>(at));
        kernel_first = mfn < kernel_first ? mfn : kernel_first;
        kernel_last = mfn > kernel_last ? mfn : kernel_last;
    }
}

uint64_t arena_address(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    const uint64_t page = as_argument(pool.arena) + choice.below(pool.pages) * page_bytes;
    switch (choice.below(4)) {
    case 0: return page;
    case 1: return page + choice.below(page_bytes);
    case 2: return page + page_bytes - choice.below(16);
    default: return page + choice.below(entries) * 8;
    }
}

uint64_t any_address(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    switch (choice.below(16)) {
    case 0: return choice.below(0x2000);
    case 1: return never_mapped + choice.below(1 << 21);
    case 2: return 0x00007ffffffff000 + choice.below(0x2000);            // to the hole's edge and over it
    case 3: return 0xffff800000000000 - choice.below(64);
    case 4: return 0xffff800000000000 + choice.below(0x80000000000);     // the core's slots
    case 5: return 0xffff800000000000 + (choice.below(16) << 39) + choice.below(1 << 24);
    case 6: return 0ull - choice.below(4096);
    case 7:
    case 8:
    case 9: return as_argument(cpu.arguments) + choice.below(argument_pages * page_bytes);
    default: return arena_address(cpu);
    }
}

uint64_t arena_frame(Cpu& cpu) { return pool.home[cpu.choice.below(pool.pages)]; }

uint64_t spare_frame(Cpu& cpu) { return spare(cpu.choice.below(spare_most)); }

uint64_t any_frame(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    switch (choice.below(20)) {
    case 0:
    case 1: return spare_frame(cpu);
    case 2:
    case 3:
        // The tables that map the kernel: wherever a call would change one, the core must refuse.
        return mfn_of(reinterpret_cast<void*>(start_info->pt_base + choice.below(start_info->nr_pt_frames) * page_bytes));
    case 4: return start_info->shared_info >> 12;
    case 5: {
        const uint64_t mfn = choice.below(1 << 18);
        return mfn < kernel_first || mfn > kernel_last ? mfn : 0;
    }
    case 6: return choice.of({0, 0xfee00, 0xfffff, 1ull << 32, (1ull << 40) - 1, ~0ull, 1ull << 52});
    default: return arena_frame(cpu);
    }
}

namespace {

bool is_boot_table(uint64_t mfn)
{
    for (uint64_t i = 0; i < start_info->nr_pt_frames; ++i) {
        if (mfn == mfn_of(reinterpret_cast<void*>(start_info->pt_base + i * page_bytes)))
            return true;
    }
    return false;
}

}  // namespace

uint64_t data_frame(Cpu& cpu)
{
    const uint64_t mfn = any_frame(cpu);
    return is_boot_table(mfn) ? arena_frame(cpu) : mfn;
}

// The kernel's own tables only to be written (which is refused) or as tables: a second read-only mapping
// would let stores through, to the entries that map the kernel.
uint64_t any_entry(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    switch (choice.below(8)) {
    case 0: return 0;
    case 1: return data_frame(cpu) << 12 | (choice.next() & 0x8000000000000fff);
    case 2: return data_frame(cpu) << 12 | (choice.next() & 0xfff0000000000fff);
    case 3: return data_frame(cpu) << 12 | pte_readonly;
    case 4: return arena_frame(cpu) << 12 | pte_readonly | choice.of({0, 0x80, 0x100, 0x200, 0xe00, pte_no_execute});
    case 5: return any_frame(cpu) << 12 | pte_page;
    case 6: return arena_frame(cpu) << 12 | pte_table;
    default: return arena_frame(cpu) << 12 | pte_page;
    }
}

uint64_t any_domain(Cpu& cpu)
{
    return cpu.choice.one_in(3) ? cpu.choice.of({0, 1, 2, 3, 0x7000, 0x7001, DOMID_IO, DOMID_XEN, DOMID_INVALID, 0xffff})
                                : DOMID_SELF;
}

uint64_t any_port(Cpu& cpu)
{
    return cpu.choice.one_in(16) ? cpu.choice.of({0, 64, 4095, 4096, 131071, ~0ull}) : cpu.choice.below(48);
}

uint64_t any_value(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    switch (choice.below(12)) {
    case 0: return 0;
    case 1: return 1ull << choice.below(64);
    case 2: return (1ull << choice.below(64)) - 1;
    case 3: return ~0ull;
    case 4: return choice.next();
    case 5: return any_frame(cpu);
    case 6: return any_entry(cpu);
    case 7: return any_address(cpu);
    case 8: return any_domain(cpu);
    case 9: return any_port(cpu) | any_domain(cpu) << 32;
    default: return choice.below(16);
    }
}

uint64_t* table_slot(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    switch (choice.below(8)) {
    case 0:
    case 1: return pool.live_entry[choice.below(pool.pages)];
    case 2: return &pool.boot_top[choice.below(kernel_slot)];
    case 3: return &pool.boot_third[choice.below(510)];
    case 4: return &pool.boot_second[first_free_second + choice.below(entries - first_free_second)];
    case 5: return &pool.top_copy[choice.below(top_copies)][choice.below(kernel_slot)];
    default: return reinterpret_cast<uint64_t*>(pool.arena + choice.below(pool.pages) * page_bytes) + choice.below(entries);
    }
}

void remove_kernel_entries(Cpu& cpu)
{
    constexpr uint64_t longest_store = 16, frame_bits = 0x000ffffffffff000, writable = 2;
    auto* word = reinterpret_cast<volatile uint64_t*>(cpu.stored_at & ~7ull);
    for (; as_argument(word) < cpu.stored_at + longest_store; ++word) {
        const uint64_t mfn = (*word & frame_bits) >> 12;
        const bool is_kernel = mfn >= kernel_first && mfn <= kernel_last;
        // Its tables may be named where the core refuses: writable, or as tables.
        if (is_kernel && ((*word & writable) == 0 || !is_boot_table(mfn)))
            *word = 0;
    }
}

uint64_t top_frame(Cpu& cpu)
{
    switch (cpu.choice.below(4)) {
    case 0: return mfn_of(pool.boot_top);
    case 1: return cpu.choice.of({mfn_of(pool.boot_third), mfn_of(pool.boot_second), start_info->shared_info >> 12, 0, ~0ull});
    default: return mfn_of(pool.top_copy[cpu.choice.below(top_copies)]);
    }
}

void restore_cpu(Cpu& cpu)
{
    install_traps();
    callback_register_t nmi = {};
    nmi.type = CALLBACKTYPE_nmi;
    nmi.address = as_argument(nmi_entry);
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_callback_op>(CALLBACKOP_register, as_argument(&nmi)));
    for (unsigned number : {7u, 0u, 1u, 2u, 3u})
        CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_debugreg>(number, 0));
    CHECK_EQUAL(0, mmuext(MMUEXT_NEW_BASEPTR, mfn_of(pool.boot_top)));
    CHECK_EQUAL(0, mmuext(MMUEXT_NEW_USER_BASEPTR, 0));
    CHECK_EQUAL(0, mmuext(MMUEXT_SET_LDT, 0, 0));
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_gdt>(0, 0));
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_fpu_taskswitch>(0));
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_stack_switch>(FLAT_KERNEL_SS, as_argument(cpu.entry_stack + sizeof(cpu.entry_stack))));
}

namespace {

void clear_slot(uint64_t* slot)
{
    if (*slot != 0)
        (void)change_entry(machine_address(slot), 0);
}

void clear_top(uint64_t* table)
{
    for (unsigned i = 0; i < kernel_slot; ++i) {
        if (i < 256 || i > 271)
            clear_slot(&table[i]);
    }
}

}  // namespace

unsigned restore_arena()
{
    evtchn_reset_t everything = {DOMID_SELF};
    (void)hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_reset, as_argument(&everything));
    clear_top(pool.boot_top);
    for (uint64_t* copy : pool.top_copy)
        clear_top(copy);
    for (unsigned i = 0; i < 510; ++i)
        clear_slot(&pool.boot_third[i]);
    for (unsigned i = first_free_second; i < entries; ++i)
        clear_slot(&pool.boot_second[i]);
    for (unsigned i = 0; i < pool.pages; ++i) {
        (void)update_mapping(pool.arena + i * page_bytes, 0);
        (void)mmuext(MMUEXT_UNPIN_TABLE, pool.home[i]);
    }
    for (unsigned i = 0; i < spare_most; ++i)
        (void)mmuext(MMUEXT_UNPIN_TABLE, spare(i));
    unsigned lost = 0;
    for (unsigned i = 0; i < pool.pages; ++i)
        lost += update_mapping(pool.arena + i * page_bytes, pool.home[i] << 12 | pte_page) != 0;
    for (uint64_t* copy : pool.top_copy)
        (void)mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(copy));
    return lost;
}
