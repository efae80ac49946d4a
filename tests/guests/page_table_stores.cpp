// SPDX-License-Identifier: BSD-2-Clause
// Claim: a kernel changes entries of a page table in use with plain instructions, as on a machine of
// its own: mov, xchg, cmpxchg, and, or, xor, bts and btr in every width that stays within an entry,
// with their flags; a value that it may not write is a page fault, and nothing has changed.
#include "framework/memory.hpp"
#include "framework/traps.hpp"

namespace {

char* const area = reinterpret_cast<char*>(virt_base + 64 * 1024 * 1024);
uint64_t* table;          // its last-level table, mapped read-only
uint64_t page, other;     // entries that map two pages of ours
constexpr uint64_t bad = uint64_t{0xfffffffff} << 12 | pte_page;

uint64_t& at(unsigned entry) { return *reinterpret_cast<uint64_t*>(area + entry * page_bytes); }
void flush(unsigned entry) { CHECK_EQUAL(0, mmuext(MMUEXT_INVLPG_LOCAL, as_argument(&at(entry)))); }

void set_up()
{
    table = new_page_as<uint64_t>();
    auto* first = new_page_as<uint64_t>();
    auto* second = new_page_as<uint64_t>();
    *first = 0x1111;
    *second = 0x2222;
    page = mfn_of(first) << 12 | pte_page;
    other = mfn_of(second) << 12 | pte_page;
    CHECK_EQUAL(0, make_readonly(table));
    CHECK_EQUAL(0, change_entry(machine_address(entry_of(area, 2)), mfn_of(table) << 12 | pte_table));
}

uint64_t flags()
{
    uint64_t value;
    asm volatile("pushf\n pop %0" : "=r"(value));
    return value;
}

void moves()
{
    asm volatile("mov %1, %0" : "=m"(table[0]) : "r"(page) : "memory");
    CHECK_EQUAL(0x1111, at(0));
    asm volatile("movq $0, %0" : "=m"(table[0]) : : "memory");
    flush(0);
    CHECK_TRAPS(14, 0, (void)*const_cast<volatile uint64_t*>(&at(0)));
    // Half an entry at a time: the lower half, which holds the present bit, last.
    asm volatile("movl %1, 4(%0)\n movl %2, (%0)"
                 :
                 : "r"(table), "r"(static_cast<uint32_t>(page >> 32)), "r"(static_cast<uint32_t>(page))
                 : "memory");
    CHECK_EQUAL(0x1111, at(0));
    asm volatile("movb $0, %0" : "=m"(table[0]) : : "memory");
    flush(0);
    CHECK_TRAPS(14, 0, (void)*const_cast<volatile uint64_t*>(&at(0)));
    asm volatile("movb %b1, %0" : "=m"(table[0]) : "q"(page) : "memory");
    CHECK_EQUAL(0x1111, at(0));
    asm volatile("movw %w1, %0" : "=m"(table[0]) : "r"(page & ~uint64_t{2}) : "memory");
    flush(0);
    CHECK_TRAPS(14, 3, at(0) = 1);
}

void addressing()
{
    const uint64_t index = 5;
    asm volatile("mov %0, (%1,%2,8)" : : "r"(page), "r"(table), "r"(index) : "memory");
    CHECK_EQUAL(0x1111, at(5));
    asm volatile("mov %0, -8(%1,%2,8)" : : "r"(other), "r"(table), "r"(index) : "memory");
    CHECK_EQUAL(0x2222, at(4));
    register uint64_t r13 asm("r13") = as_argument(table);
    register uint64_t r12 asm("r12") = index;
    asm volatile("mov %0, 0x100(%1,%2,4)" : : "r"(page), "r"(r13), "r"(r12 * 2) : "memory");
    CHECK_EQUAL(0x1111, at(37));
    // Xen does not take a segment base here.
    if (!on_bulkhead())
        return;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_segment_base>(SEGBASE_FS, as_argument(table)));
    asm volatile("mov %0, %%fs:48" : : "r"(other) : "memory");
    CHECK_EQUAL(0x2222, at(6));
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_segment_base>(SEGBASE_FS, 0));
}

void exchanges()
{
    table[0] = page;
    uint64_t value = other;
    asm volatile("xchg %0, %1" : "+r"(value), "+m"(table[0]) : : "memory");
    CHECK_EQUAL(page & pte_frame, value & pte_frame);
    flush(0);
    CHECK_EQUAL(0x2222, at(0));

    bool equal;
    uint64_t expected = 0xdead;
    asm volatile("lock cmpxchg %3, %1" : "=@ccz"(equal), "+m"(table[0]), "+a"(expected) : "r"(page) : "memory");
    CHECK(!equal);
    CHECK_EQUAL(table[0], expected);
    asm volatile("lock cmpxchg %3, %1" : "=@ccz"(equal), "+m"(table[0]), "+a"(expected) : "r"(page) : "memory");
    CHECK(equal);
    flush(0);
    CHECK_EQUAL(0x1111, at(0));
    asm volatile("xor %%eax, %%eax\n xchg %%rax, %0" : "+m"(table[0]) : : "memory", "rax");
    CHECK_EQUAL(0, table[0]);
}

void logic()
{
    table[0] = page;
    asm volatile("lock andb $0xfd, %0" : "+m"(table[0]) : : "memory", "cc");         // write-protect
    flush(0);
    CHECK_TRAPS(14, 3, at(0) = 1);
    asm volatile("lock orb $2, %0" : "+m"(table[0]) : : "memory", "cc");
    CHECK_NO_TRAP(at(0) = 0x1111);
    asm volatile("lock andq $-33, %0" : "+m"(table[0]) : : "memory", "cc");          // not accessed
    CHECK_EQUAL(0, table[0] & pte_accessed);
    asm volatile("lock orl %1, %0" : "+m"(table[0]) : "r"(0x20) : "memory", "cc");
    CHECK(table[0] & pte_accessed);
    asm volatile("lock xorq $0x40, %0" : "+m"(table[0]) : : "memory", "cc");
    asm volatile("lock andq %1, %0" : "+m"(table[0]) : "r"(uint64_t{0}) : "memory", "cc");
    CHECK_EQUAL(0x44, flags() & 0x8C5);              // ZF and PF; not CF, SF, OF
    CHECK_EQUAL(0, table[0]);
}

void bits()
{
    table[0] = page;
    bool carry;
    asm volatile("lock btrq $1, %1" : "=@ccc"(carry), "+m"(table[0]) : : "memory");
    CHECK(carry);
    asm volatile("lock btrq $1, %1" : "=@ccc"(carry), "+m"(table[0]) : : "memory");
    CHECK(!carry);
    asm volatile("lock btsq %2, %1" : "=@ccc"(carry), "+m"(table[0]) : "r"(uint64_t{1}) : "memory");
    CHECK(!carry);
    CHECK(table[0] & pte_writable);
    // A bit number beyond the entry reaches another one.
    table[3] = other;
    asm volatile("lock btrq %2, %1" : "=@ccc"(carry), "+m"(table[0]) : "r"(uint64_t{3 * 64 + 1}) : "memory");
    CHECK(carry);
    CHECK_EQUAL(0, table[3] & pte_writable);
    asm volatile("lock btrl $0, %1" : "=@ccc"(carry), "+m"(table[3]) : : "memory");
    CHECK(carry);
    flush(3);
    CHECK_TRAPS(14, 0, (void)*const_cast<volatile uint64_t*>(&at(3)));
}

void what_it_may_not_write()
{
    table[1] = page;
    CHECK_TRAPS(14, 3, asm volatile("mov %0, %1" : : "r"(bad), "m"(table[1]) : "memory"));
    CHECK_EQUAL(as_argument(&table[1]), own_info().arch.cr2);
    CHECK_EQUAL(0x1111, at(1));
    uint64_t value = bad;
    CHECK_TRAPS(14, 3, asm volatile("xchg %0, %1" : "+r"(value), "+m"(table[1]) : : "memory"));
    CHECK_EQUAL(bad, value);
    CHECK_TRAPS(14, 3, table[1] = mfn_of(table) << 12 | pte_page);       // the table itself, writable
    CHECK_NO_TRAP(table[1] = mfn_of(table) << 12 | pte_readonly);
    // Across two entries.
    CHECK_TRAPS(14, 3, asm volatile("movq $0, 12(%0)" : : "r"(table) : "memory"));
    // Xen emulates every instruction; here those that no kernel uses for this are refused.
    if (on_bulkhead())
        CHECK_TRAPS(14, 3, asm volatile("rep stosq" : : "D"(&table[8]), "a"(0), "c"(uint64_t{4}) : "memory"));
    table[1] = 0;
}

}  // namespace

GUEST_TEST(page_table_stores)
{
    install_traps();
    set_up();
    moves();
    addressing();
    exchanges();
    logic();
    bits();
    what_it_may_not_write();
}
