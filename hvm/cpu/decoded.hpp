// SPDX-License-Identifier: BSD-2-Clause
// What a machine service says of an instruction (pvdrivers/abi/machine.h), checked, and carrying it out.
// Whatever the service says, the guest's registers and its own APIC are all that can change.
#pragma once

#include "core/guest_frame.hpp"

#include <cstdint>
#include <optional>

namespace bulkhead {

struct Vcpu;

struct Decoded {
    uint8_t does;               // BULKHEAD_DOES_*, never nothing_known
    uint8_t length;             // of the instruction
    uint8_t bytes;              // in memory: 4, for loads 1 and 2 too
    uint8_t general_register;
    bool immediate;             // `value` in the register's place
    bool to_memory;
    uint32_t value;
};

// Nothing: no such instruction, or one that is longer than the `available` bytes or that does not do what
// the guest was seen doing. `wrote`: the CPU saw a write.
[[nodiscard]] std::optional<Decoded> check_answer(uint64_t answer, unsigned available, bool wrote);

// offset: into the APIC's page. All but RIP.
void carry_out(Vcpu& vcpu, GuestFrame& frame, const Decoded& instruction, uint32_t offset);

}  // namespace bulkhead
