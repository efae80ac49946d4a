// SPDX-License-Identifier: BSD-2-Clause
// A conformance guest's memory: pages behind the boot stack, its page tables as they are mapped at
// start, and changes to them by hypercall.
#pragma once

#include "framework/guest.hpp"

inline constexpr uint64_t page_bytes = 4096;
inline constexpr uint64_t virt_base = 0xffffffff80000000;
inline constexpr uint64_t pte_present = 1, pte_writable = 2, pte_user = 4, pte_accessed = 0x20, pte_dirty = 0x40;
inline constexpr uint64_t pte_frame = 0x000ffffffffff000;
inline constexpr uint64_t pte_page = pte_present | pte_writable | pte_user | pte_accessed | pte_dirty;
inline constexpr uint64_t pte_table = pte_present | pte_writable | pte_user | pte_accessed;
inline constexpr uint64_t pte_readonly = pte_present | pte_user | pte_accessed;
inline constexpr uint64_t pte_no_execute = uint64_t{1} << 63;

// A zeroed, mapped page of the guest's own; never given back. Fails the test when there is no more.
[[nodiscard]] void* new_page();
template <class T>
[[nodiscard]] T* new_page_as()
{
    return static_cast<T*>(new_page());
}

[[nodiscard]] uint64_t mfn_of(const void* address);
// Where a frame of the guest is mapped at start, by the machine-to-physical table.
[[nodiscard]] void* address_of_mfn(uint64_t mfn);
[[nodiscard]] inline uint64_t machine_address(const void* address)
{
    return (mfn_of(address) << 12) | (as_argument(address) & 0xfff);
}

// The entry of a level (1 to 4) for an address, in the tables of start_info; null if a table is missing.
[[nodiscard]] uint64_t* entry_of(const void* address, unsigned level);

// Hypercalls; all return what the hypervisor says.
long update_mapping(const void* address, uint64_t entry);          // with INVLPG
long change_entry(uint64_t pointer_and_command, uint64_t value);
long mmuext(unsigned command, uint64_t mfn_or_address, uint64_t second = 0);
// Maps a frame (not of the guest's, or one more time) at a page of the initial mapping.
long map_machine_page(void* at, uint64_t mfn, bool writable);
long make_readonly(void* page);
long make_writable(void* page);

// Maps pages in a row at an address whose top-level slot is empty in that table, by new tables below.
void map_in_empty_slot(uint64_t* top, uint64_t address, void* const* pages, unsigned count, uint64_t flags);
