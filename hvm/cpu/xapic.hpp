// SPDX-License-Identifier: BSD-2-Clause
// The local APIC by its page of registers (xAPIC mode): the same APIC as by MSR, but for the registers
// that mode has otherwise: identifier, destinations, both halves of the command. A page takes any value:
// what does not exist is ignored and noted in the error status.
// Source: Intel SDM vol 3, "Local APIC Register Address Map".
#pragma once

#include "hvm/cpu/local_apic.hpp"

namespace bulkhead {

inline constexpr uint64_t apic_page = 0xFEE0'0000;
inline constexpr uint64_t apic_register_bytes = 16;     // of which the first four are the register

// offset: in the page, of the register's first byte. Own CPU.
[[nodiscard]] uint32_t read_apic_page(Vcpu& vcpu, uint32_t offset);
void write_apic_page(Vcpu& vcpu, uint32_t offset, uint32_t value);
// Whether a command's destination means this one.
[[nodiscard]] bool is_addressed_by_page(const LocalApic& apic, uint32_t id, uint32_t destination, bool logical);

}  // namespace bulkhead
