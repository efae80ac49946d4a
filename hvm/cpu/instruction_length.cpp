// SPDX-License-Identifier: BSD-2-Clause
// Lengths of the few instructions that leave a guest, for CPUs that do not say where the next one is.
#include "hvm/cpu/exits.hpp"

#include <array>
#include <span>

namespace bulkhead {

namespace {

bool is_legacy_prefix(uint8_t byte)
{
    switch (byte) {
    case 0x26: case 0x2E: case 0x36: case 0x3E: case 0x64: case 0x65:   // segments
    case 0x66: case 0x67: case 0xF0: case 0xF2: case 0xF3:
        return true;
    default:
        return false;
    }
}

bool begins_with(std::span<const uint8_t> code, std::initializer_list<uint8_t> opcode)
{
    return code.size() >= opcode.size() && std::equal(opcode.begin(), opcode.end(), code.begin());
}

// Of the opcode and what follows; 0: not this reason's.
unsigned opcode_length(std::span<const uint8_t> code, ExitReason reason)
{
    switch (reason) {
    case ExitReason::cpuid:
        return begins_with(code, {0x0F, 0xA2}) ? 2 : 0;
    case ExitReason::halt:
        return begins_with(code, {0xF4}) ? 1 : 0;
    case ExitReason::msr_read:
        return begins_with(code, {0x0F, 0x32}) ? 2 : 0;
    case ExitReason::msr_write:
        return begins_with(code, {0x0F, 0x30}) ? 2 : 0;
    case ExitReason::hypercall:
        return begins_with(code, {0x0F, 0x01, 0xD9}) || begins_with(code, {0x0F, 0x01, 0xC1}) ? 3 : 0;
    case ExitReason::set_xcr0:
        return begins_with(code, {0x0F, 0x01, 0xD1}) ? 3 : 0;
    case ExitReason::cache_control:
        return begins_with(code, {0x0F, 0x09}) || begins_with(code, {0x0F, 0x08}) ? 2 : 0;
    case ExitReason::task_priority:
    case ExitReason::carried_out:                       // MOV to CR8 and CR4, and from CR4
        return (begins_with(code, {0x0F, 0x22}) || begins_with(code, {0x0F, 0x20})) && code.size() >= 3 ? 3 : 0;
    default:
        return 0;
    }
}

}  // namespace

unsigned find_instruction_length(const Vcpu& vcpu, const GuestFrame& frame, const Exit& exit)
{
    if (const unsigned told = vendor().instruction_bytes(vcpu, frame); told != 0)
        return told;
    std::array<uint8_t, longest_instruction> code;
    const bool wide = vendor().in_64_bit_code(vcpu);
    // Three bytes are enough for all of them without prefixes, which compilers give them none of.
    for (const unsigned wanted : {3u, longest_instruction}) {
        const unsigned got = fetch_code(vcpu, vendor().code_base(vcpu) + frame.rip, code.data(), wanted);
        unsigned at = 0;
        while (at < got && (is_legacy_prefix(code[at]) || (wide && (code[at] & 0xF0) == 0x40)))
            ++at;
        const unsigned rest = opcode_length(std::span(code).first(got).subspan(at), exit.reason);
        if (rest != 0)
            return at + rest;
    }
    return 0;
}

}  // namespace bulkhead
