// SPDX-License-Identifier: BSD-2-Clause
// Lengths of the instructions that leave a guest most often, without a walk of its tables. For the vendor's
// file, where the CPU does not tell; inline, because that is nearly every exit there.
#pragma once

#include "hvm/cpu/hardware_vcpu.hpp"

#include <array>

namespace bulkhead {

// Without prefixes, in the first four bytes. 0: no such form.
struct PlainForm {
    uint32_t mask, bytes;
    uint8_t length;
};

inline constexpr std::array<PlainForm, static_cast<size_t>(ExitReason::count)> plain_forms = [] {
    std::array<PlainForm, static_cast<size_t>(ExitReason::count)> forms{};
    const auto set = [&](ExitReason reason, uint32_t mask, uint32_t bytes, uint8_t length) {
        forms[static_cast<size_t>(reason)] = {mask, bytes, length};
    };
    set(ExitReason::cpuid, 0xFFFF, 0xA20F, 2);
    set(ExitReason::halt, 0xFF, 0xF4, 1);
    set(ExitReason::msr_read, 0xFFFF, 0x320F, 2);
    set(ExitReason::msr_write, 0xFFFF, 0x300F, 2);
    set(ExitReason::hypercall, 0xFFFFFF, 0xD9010F, 3);
    return forms;
}();

// The CPU has just decoded the instruction, so it is prefixes and the reason's opcode. Where the page that
// was RIP's at the last look has the opcode itself, that is it, and no walk is needed. (A guest that has put
// another page there, with the same instruction but for a prefix, has an RIP that is off.)
[[nodiscard, gnu::always_inline]] inline uint8_t plain_instruction_length(const Vcpu& vcpu, uint64_t rip, ExitReason reason)
{
    const uint8_t* const code = code_before(vcpu.hardware->window, rip);
    if (code == nullptr)
        return 0;
    const PlainForm& form = plain_forms[static_cast<size_t>(reason)];
    uint32_t bytes;
    __builtin_memcpy(&bytes, code, sizeof(bytes));
    return (bytes & form.mask) == form.bytes ? form.length : 0;
}

}  // namespace bulkhead
