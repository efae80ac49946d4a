// SPDX-License-Identifier: BSD-2-Clause
// See memory.hpp.
#include "framework/memory.hpp"

extern "C" {
void* memset(void* to, int value, size_t bytes);
}

namespace {

uint64_t next_page;

// The ABI promises 512 KiB behind the last boot element.
constexpr uint64_t promised_bytes = 512 * 1024;

}  // namespace

void* new_page()
{
    if (next_page == 0)
        next_page = (boot_stack_end + page_bytes - 1) & ~(page_bytes - 1);
    if (next_page + page_bytes > boot_stack_end + promised_bytes)
        fail("the guest has no page left");
    void* page = reinterpret_cast<void*>(next_page);
    next_page += page_bytes;
    return memset(page, 0, page_bytes);
}

uint64_t mfn_of(const void* address)
{
    const auto* list = reinterpret_cast<const uint64_t*>(start_info->mfn_list);
    return list[(as_argument(address) - virt_base) >> 12];
}

void* address_of_mfn(uint64_t mfn)
{
    const auto* table = reinterpret_cast<const uint64_t*>(__MACH2PHYS_VIRT_START);
    return reinterpret_cast<void*>(virt_base + (table[mfn] << 12));
}

uint64_t* entry_of(const void* address, unsigned level)
{
    auto* table = reinterpret_cast<uint64_t*>(start_info->pt_base);
    for (unsigned at = 4;; --at) {
        uint64_t* entry = &table[(as_argument(address) >> (12 + 9 * (at - 1))) & 511];
        if (at == level)
            return entry;
        if ((*entry & pte_present) == 0)
            return nullptr;
        table = static_cast<uint64_t*>(address_of_mfn((*entry & pte_frame) >> 12));
    }
}

long update_mapping(const void* address, uint64_t entry)
{
    return hypercall<__HYPERVISOR_update_va_mapping>(as_argument(address), entry, UVMF_INVLPG);
}

long change_entry(uint64_t pointer_and_command, uint64_t value)
{
    mmu_update_t request = {pointer_and_command, value};
    return hypercall<__HYPERVISOR_mmu_update>(as_argument(&request), 1, 0, DOMID_SELF);
}

long mmuext(unsigned command, uint64_t mfn_or_address, uint64_t second)
{
    mmuext_op_t request = {};
    request.cmd = command;
    request.arg1.mfn = mfn_or_address;
    request.arg2.nr_ents = static_cast<unsigned>(second);
    return hypercall<__HYPERVISOR_mmuext_op>(as_argument(&request), 1, 0, DOMID_SELF);
}

long map_machine_page(void* at, uint64_t mfn, bool writable)
{
    return update_mapping(at, mfn << 12 | (writable ? pte_page : pte_readonly));
}

long make_readonly(void* page) { return update_mapping(page, mfn_of(page) << 12 | pte_readonly); }
long make_writable(void* page) { return update_mapping(page, mfn_of(page) << 12 | pte_page); }

void map_in_empty_slot(uint64_t* top, uint64_t address, void* const* pages, unsigned count, uint64_t flags)
{
    const auto index = [&](unsigned level) { return (address >> (12 + 9 * (level - 1))) & 511; };
    CHECK_EQUAL(0, top[index(4)]);
    CHECK(index(1) + count <= 512);
    auto* table = new_page_as<uint64_t>();
    for (unsigned i = 0; i < count; ++i)
        table[index(1) + i] = mfn_of(pages[i]) << 12 | flags;
    CHECK_EQUAL(0, make_readonly(table));
    for (unsigned level = 2; level < 4; ++level) {
        auto* upper = new_page_as<uint64_t>();
        upper[index(level)] = mfn_of(table) << 12 | pte_table;
        CHECK_EQUAL(0, make_readonly(upper));
        table = upper;
    }
    CHECK_EQUAL(0, change_entry(machine_address(&top[index(4)]), mfn_of(table) << 12 | pte_table));
}
