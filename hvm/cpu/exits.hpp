// SPDX-License-Identifier: BSD-2-Clause
// What happens when a hardware guest leaves: one function for each reason.
#pragma once

#include "hvm/cpu/hardware_vcpu.hpp"

#include <array>
#include <span>

namespace bulkhead {

void handle_exit(Vcpu& vcpu, GuestFrame& frame, const Exit& exit);

// The hypercall in the frame's registers. hvm/cpu/hypercalls.cpp
void hardware_hypercall(Vcpu& vcpu, GuestFrame& frame);

// Past an instruction that was carried out for the guest.
void step_by(Vcpu& vcpu, GuestFrame& frame, unsigned bytes);
// Bytes of code for people: "8b 04 25 ".
using CodeText = std::array<char, 3 * longest_instruction + 1>;
[[nodiscard]] const char* text_of_code(std::span<const uint8_t> bytes, unsigned count, CodeText& text);
// Length of the instruction at RIP that left for this reason: prefixes and one of a few opcodes. 0:
// it is none of them. hvm/cpu/instruction_length.cpp
[[nodiscard]] unsigned find_instruction_length(const Vcpu& vcpu, const GuestFrame& frame, const Exit& exit);
[[nodiscard]] inline unsigned instruction_length(const Vcpu& vcpu, const GuestFrame& frame, const Exit& exit)
{
    return exit.length != 0 ? exit.length : find_instruction_length(vcpu, frame, exit);
}

}  // namespace bulkhead
