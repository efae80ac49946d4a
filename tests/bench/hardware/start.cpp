// SPDX-License-Identifier: BSD-2-Clause
// Under a benchmark guest of a hardware partition: tests/guests/hardware/start.S brings it into long mode
// and here; what GUEST_TEST needs of guest.cpp is the same as for PV.
#include "hardware/guest.hpp"

extern "C" {
extern char trap_entries[];
void guest_main();
void on_trap(const uint64_t* registers);
}

namespace {

struct Gate {
    uint16_t low, selector, flags, middle;
    uint32_t high, reserved;
};
Gate gates[256];

}  // namespace

void set_gate(uint8_t vector, const char* entry)
{
    const uint64_t at = reinterpret_cast<uint64_t>(entry);
    gates[vector] = {static_cast<uint16_t>(at), 8, 0x8E00, static_cast<uint16_t>(at >> 16), static_cast<uint32_t>(at >> 32), 0};
}

void on_trap(const uint64_t* registers)
{
    // Eleven registers, then vector, error code, RIP.
    fail("vector %lu at %lx, error code %lx", registers[11], registers[13], registers[12]);
}

void guest_main()
{
    constexpr uint32_t hypercall_page_msr = 0x40000000;
    write_msr(hypercall_page_msr, as_argument(hypercall_page));
    for (unsigned i = 0; i < 256; ++i)
        set_gate(static_cast<uint8_t>(i), trap_entries + i * 16);
    const struct [[gnu::packed]] {
        uint16_t limit;
        uint64_t base;
    } pointer{sizeof(gates) - 1, as_argument(gates)};
    asm volatile("lidt %0" : : "m"(pointer));
    run_guest();
    pass();
}
