// SPDX-License-Identifier: BSD-2-Clause
// See enter_core.hpp. Layout of the work area: code and its arguments, page tables for the first 4 GiB
// (five levels if the firmware has them on), stack, hand-over.
#include "boot/loader/enter_core.hpp"

#include <cstring>

extern "C" {
extern const char enter_core_begin[], enter_core_end[];
}

namespace bulkhead::loader {

namespace {

constexpr uint64_t page = 0x1000;
constexpr uint64_t arguments_at = 0x800;
constexpr uint64_t l5_at = 1 * page;
constexpr uint64_t l4_at = 2 * page;
constexpr uint64_t l3_at = 3 * page;
constexpr uint64_t l2_at = 4 * page;            // four of them
constexpr uint64_t stack_end = 10 * page;
constexpr uint64_t handover_at = 10 * page;
static_assert(handover_at + sizeof(boot::Handover) <= work_bytes);

constexpr uint64_t present_writable = 0x3;
constexpr uint64_t large_page = 0x83;
constexpr uint64_t cr4_la57 = 1 << 12;

// What enter_core.S reads; it knows the offsets.
struct Arguments {
    uint64_t cr3;
    uint64_t stack;
    uint64_t from;
    uint64_t bytes;
    uint64_t to;
    uint64_t zero_bytes;
    uint64_t entry;
    uint64_t handover;
};

uint64_t* table_at(uint64_t address) { return reinterpret_cast<uint64_t*>(address); }

// Returns what belongs in CR3.
uint64_t make_tables(uint64_t work)
{
    uint64_t cr4;
    asm volatile("mov %%cr4, %0" : "=r"(cr4));
    memset(reinterpret_cast<void*>(work + l5_at), 0, l2_at - l5_at);
    table_at(work + l5_at)[0] = (work + l4_at) | present_writable;
    table_at(work + l4_at)[0] = (work + l3_at) | present_writable;
    uint64_t* l2 = table_at(work + l2_at);
    for (uint64_t i = 0; i < 4; ++i)
        table_at(work + l3_at)[i] = (work + l2_at + i * page) | present_writable;
    for (uint64_t i = 0; i < 2048; ++i)
        l2[i] = (i << 21) | large_page;
    return work + ((cr4 & cr4_la57) != 0 ? l5_at : l4_at);
}

}  // namespace

boot::Handover& handover_in(uint64_t work) { return *reinterpret_cast<boot::Handover*>(work + handover_at); }

void enter_core(uint64_t work, const CoreCopy& core)
{
    memcpy(reinterpret_cast<void*>(work), enter_core_begin, static_cast<size_t>(enter_core_end - enter_core_begin));
    auto* arguments = reinterpret_cast<Arguments*>(work + arguments_at);
    *arguments = {make_tables(work), work + stack_end,  core.from, core.bytes, core.to,
                  core.memory_bytes - core.bytes, core.entry, work + handover_at};
    reinterpret_cast<void (*)(Arguments*)>(work)(arguments);
    __builtin_unreachable();
}

}  // namespace bulkhead::loader
