// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/early_traps.hpp"

#include "platform/x86/instructions.hpp"
#include "platform/x86/interrupt_table.hpp"
#include "platform/x86/uart.hpp"

#include <array>
#include <cstdio>

extern "C" {
extern const uint64_t early_entries[32];
[[noreturn]] void early_trap(uint64_t vector, uint64_t error_code, uint64_t rip);
}

namespace bulkhead {

namespace {

// The same segments as start.S's, at an address that stays mapped.
constexpr uint16_t code_selector = 8;
constinit const std::array<uint64_t, 3> early_descriptors{0, 0x00AF'9B00'0000'FFFF, 0x00CF'9300'0000'FFFF};
constinit std::array<Gate, 32> early_table{};

}  // namespace

void early_traps_install()
{
    x86::load_gdt({sizeof(early_descriptors) - 1, reinterpret_cast<uint64_t>(early_descriptors.data())});
    for (size_t vector = 0; vector < early_table.size(); ++vector)
        early_table[vector] = make_gate(early_entries[vector], code_selector, 0, 0);
    x86::load_idt({sizeof(early_table) - 1, reinterpret_cast<uint64_t>(early_table.data())});
}

}  // namespace bulkhead

void early_trap(uint64_t vector, uint64_t error_code, uint64_t rip)
{
    using namespace bulkhead;
    std::array<char, 160> text;
    snprintf(text.data(), text.size(), "\nBulkhead cannot start: exception %lu at %#lx, error %#lx, address %#lx\n",
             vector, rip, error_code, x86::read_cr2());
    uart_write(text.data());
    x86::halt_for_ever();
}
