// SPDX-License-Identifier: BSD-2-Clause
// Claim: whatever becomes of the machine service, an access to the local APIC's page is carried out once and
// right, or the partition ends. Writes and reads from more places than anybody remembers, for ever, and says
// when a round of them is done.
#include "apic_page.hpp"

extern "C" char rounds_code[];

asm(R"(
    .text
    .globl rounds_code
    .balign 16
rounds_code:
    .rept   64
    mov     %esi, (%rdi)
    addl    $1, (%rdi)
    mov     (%rdi), %eax
    ret
    .balign 16
    .endr
)");

extern "C" void on_trap(Trap* trap)
{
    print("not expected: vector ");
    print_number(trap->vector);
    print("\n");
    shut_down(SHUTDOWN_crash);
}

namespace {

constexpr unsigned places = 64, passes = 50;

bool round()
{
    for (unsigned i = 0; i < passes * places; ++i) {
        uint32_t value = 0;
        const uint64_t code = reinterpret_cast<uint64_t>(rounds_code) + i % places * 16;
        asm volatile("call *%[code]" : "=a"(value) : [code] "r"(code), "S"(i & 0x7F), "D"(page_address + page_tpr) : "memory");
        if (value != (i & 0x7F) + 1)
            return false;
    }
    return true;
}

}  // namespace

extern "C" void guest_main()
{
    write_msr(0x40000000, reinterpret_cast<uint64_t>(hypercall_page));
    set_up_traps();
    map_apic_page();
    while (round())
        print("round\n");
    print("FAIL apic_rounds\n");
    shut_down(SHUTDOWN_poweroff);
}
