// SPDX-License-Identifier: BSD-2-Clause
// Claim: no interrupt comes between STI and HLT, so one that was waited for there always ends the HLT. The timer's
// deadline goes through all places around the two.
#include "cpu.hpp"

namespace {

constexpr uint8_t vector_timer = 0x71;
constexpr unsigned first_ns = 1, last_ns = 6'000;
volatile bool taken;
volatile uint64_t interrupted_at;

extern "C" char the_halt[];

[[gnu::noinline]] void wait()
{
    while (!taken)
        asm volatile("sti\n .globl the_halt\n the_halt: hlt\n cli" : : : "memory");
}

}  // namespace

extern "C" void on_trap(Trap* trap)
{
    if (trap->vector != vector_timer) {
        print("not expected: vector ");
        print_number(trap->vector);
        print("\n");
        shut_down(SHUTDOWN_crash);
    }
    taken = true;
    interrupted_at = trap->rip;
    // Nothing else would end the HLT.
    if (trap->rip == reinterpret_cast<uint64_t>(the_halt))
        ++trap->rip;
    write_msr(apic_eoi, 0);
}

extern "C" void guest_main()
{
    write_msr(0x40000000, reinterpret_cast<uint64_t>(hypercall_page));
    set_up_traps();
    write_msr(apic_spurious, 0x1FF);
    write_msr(apic_divide, 0xB);
    write_msr(apic_timer, vector_timer);
    for (unsigned delay = first_ns; delay <= last_ns; ++delay) {
        taken = false;
        write_msr(apic_initial, delay);
        wait();
        equal(reinterpret_cast<uint64_t>(the_halt) + 1, interrupted_at, "interrupted at");
    }
    print(failures == 0 ? "PASS halt\n" : "FAIL halt\n");
    shut_down(SHUTDOWN_poweroff);
}
