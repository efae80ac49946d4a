// SPDX-License-Identifier: BSD-2-Clause
// Access to the running guest's memory through its own mappings. Each instruction that may fault has
// an entry in the exception table.
#include "machine/memory.hpp"

#include "platform/x86/layout.hpp"
#include "platform/x86/smap.hpp"

namespace bulkhead::machine {

// By quadwords, then by bytes. Returns false where it faulted.
static bool copy_with_fixup(void* to, const void* from, size_t bytes)
{
    uint64_t failed = 1;
    size_t count = bytes >> 3;
    asm volatile(
        OPEN_GUEST_ACCESS
        "1: rep movsq\n"
        "   mov %[rest], %%rcx\n"
        "2: rep movsb\n"
        "   xor %k[failed], %k[failed]\n"
        "3:\n"
        CLOSE_GUEST_ACCESS
        FIXUP("1b", "3b")
        FIXUP("2b", "3b")
        : "+D"(to), "+S"(from), "+c"(count), [failed] "+r"(failed)
        : [rest] "r"(bytes & 7)
        : "memory", "cc");
    return failed == 0;
}

bool copy_from_guest(void* to, GuestVirtual from, size_t bytes)
{
    if (!layout::guest_range_ok(from.raw(), bytes)) [[unlikely]]
        return false;
    return copy_with_fixup(to, reinterpret_cast<const void*>(from.raw()), bytes);
}

bool copy_to_guest(GuestVirtual to, const void* from, size_t bytes)
{
    if (!layout::guest_range_ok(to.raw(), bytes)) [[unlikely]]
        return false;
    return copy_with_fixup(reinterpret_cast<void*>(to.raw()), from, bytes);
}

bool read_guest_u64(uint64_t& to, GuestVirtual from)
{
    if (!layout::guest_range_ok(from.raw(), sizeof(uint64_t))) [[unlikely]]
        return false;
    uint64_t failed = 1;
    uint64_t value;
    asm volatile(
        OPEN_GUEST_ACCESS
        "1: mov (%[from]), %[value]\n"
        "   xor %k[failed], %k[failed]\n"
        "2:\n"
        CLOSE_GUEST_ACCESS
        FIXUP("1b", "2b")
        : [failed] "+&r"(failed), [value] "=&r"(value)
        : [from] "r"(from.raw())
        : "memory", "cc");
    to = value;
    return failed == 0;
}

bool write_guest_u64(GuestVirtual to, uint64_t value)
{
    if (!layout::guest_range_ok(to.raw(), sizeof(uint64_t))) [[unlikely]]
        return false;
    uint64_t failed = 1;
    asm volatile(
        OPEN_GUEST_ACCESS
        "1: mov %[value], (%[to])\n"
        "   xor %k[failed], %k[failed]\n"
        "2:\n"
        CLOSE_GUEST_ACCESS
        FIXUP("1b", "2b")
        : [failed] "+&r"(failed)
        : [to] "r"(to.raw()), [value] "r"(value)
        : "memory", "cc");
    return failed == 0;
}

void clear_frames(void* first, uint64_t frames)
{
    size_t count = frames * (page_size / 8);
    asm volatile("rep stosq" : "+D"(first), "+c"(count) : "a"(0) : "memory");
}

void copy_frame(void* to, const void* from)
{
    size_t count = page_size / 8;
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

}  // namespace bulkhead::machine
