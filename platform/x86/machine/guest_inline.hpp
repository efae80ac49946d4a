// SPDX-License-Identifier: BSD-2-Clause
// Single accesses to the running guest's memory, inline, for the hot paths. Like those of
// machine/memory.hpp they return false where the access faults.
#pragma once

#include "core/types.hpp"
#include "platform/x86/layout.hpp"
#include "platform/x86/smap.hpp"

#include <cstdint>

// Where the access of local label 1 faults: closes the guest's memory again and leaves by `fault`.
#define LEAVE_BY_FAULT                                                    \
    ".pushsection .text.guest_fault, \"ax\"\n"                            \
    "2:\n" CLOSE_GUEST_ACCESS "jmp %l[fault]\n"                           \
    ".popsection\n" FIXUP("1b", "2b")

namespace bulkhead::machine {

// Checks the range.
[[nodiscard, gnu::always_inline]] inline bool load_guest_u32(uint32_t& to, GuestVirtual from)
{
    if (!layout::guest_words_ok(from.raw(), sizeof(uint32_t))) [[unlikely]]
        return false;
    uint32_t value;
    asm goto(OPEN_GUEST_ACCESS "1: mov (%[from]), %[value]\n" CLOSE_GUEST_ACCESS LEAVE_BY_FAULT
             : [value] "=r"(value)
             : [from] "r"(from.raw())
             : "memory"
             : fault);
    to = value;
    return true;
fault:
    return false;
}

// Within a range that copy_from_guest() has accepted: no check.
[[nodiscard, gnu::always_inline]] inline bool store_checked_guest_u64(GuestVirtual to, uint64_t value)
{
    asm goto(OPEN_GUEST_ACCESS "1: mov %[value], (%[to])\n" CLOSE_GUEST_ACCESS LEAVE_BY_FAULT
             :
             : [to] "r"(to.raw()), [value] "r"(value)
             : "memory"
             : fault);
    return true;
fault:
    return false;
}

}  // namespace bulkhead::machine

#undef LEAVE_BY_FAULT
