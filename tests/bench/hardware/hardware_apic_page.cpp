// SPDX-License-Identifier: BSD-2-Clause
// Measures a self-IPI by the local APIC's page (xAPIC mode): the command, its handler, the end of the interrupt
// and the return; measure.hpp says how. Each instruction that reaches for the page is executed for the first time
// in `xapic_self_ipi`, so that nobody can remember what it does, and again and again in `xapic_self_ipi_again`.
#include "hardware/guest.hpp"

extern "C" {
extern uint64_t table_3[];
extern char send_copies[], handler_copies[];
}

asm(R"(
    .text
    .globl send_copies, handler_copies
    .balign 4096
send_copies:
    .rept   64
    movl    $0x44061, 0x300(%rdi)
    ret
    .balign 16
    .endr
    .balign 4096
handler_copies:
    .rept   64
    push    %rdi
    mov     $0xfee00000, %edi
    movl    $0, 0xb0(%rdi)
    pop     %rdi
    iretq
    .balign 32
    .endr
)");

namespace {

constexpr uint64_t page = 0xFEE0'0000;
constexpr uint8_t vector = 0x61;
constexpr unsigned spurious = 0xF0 / 4;

alignas(4096) uint64_t last_gigabyte[512];

void map_page()
{
    constexpr uint64_t present = 7, large_uncached = 0x97;
    last_gigabyte[page >> 21 & 511] = page | large_uncached;
    table_3[3] = as_argument(last_gigabyte) | present;
}

// One whole way: copies of the sender and of the handler by number.
uint64_t once(unsigned sender, unsigned handler)
{
    set_gate(vector, handler_copies + handler * 32);
    const char* const at = send_copies + sender * 16;
    const uint64_t start = ticks();
    asm volatile("call *%0" : : "r"(at), "D"(page) : "memory");
    return ticks() - start - clock_cost;
}

template <class Function>
void least_of(const char* name, Function function)
{
    uint64_t best = ~uint64_t{0};
    for (unsigned i = 0; i < tries; ++i) {
        const uint64_t took = function(i);
        best = took < best ? took : best;
    }
    print("%s %lu\n", name, best);
}

}  // namespace

GUEST_TEST(hardware_apic_page)
{
    clock_cost = least([] {});
    map_page();
    reinterpret_cast<volatile uint32_t*>(page)[spurious] = 0x1FF;
    asm volatile("sti");
    least_of("xapic_self_ipi", [](unsigned i) { return once(i, i); });
    least_of("xapic_self_ipi_again", [](unsigned) { return once(63, 63); });
    asm volatile("cli");
}
