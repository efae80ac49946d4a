// SPDX-License-Identifier: BSD-2-Clause
// Port access by PV guests. No partition owns a port yet: reads give all ones, as from a bus without
// devices (PCI configuration space included), and writes go nowhere. Counters of a PIT read as zero.
#pragma once

#include "core/guest_frame.hpp"
#include "core/pv/emulate.hpp"
#include "core/pv/instruction.hpp"
#include "core/vcpu.hpp"

#include <cstdint>

namespace bulkhead {

// Whether the guest's IOPL is enough for the mode that it is in.
[[nodiscard]] bool iopl_allows(const Vcpu& vcpu);
// Whether the guest's IOPL or its bitmap lets the mode that it is in use these ports.
[[nodiscard]] bool io_allowed(Vcpu& vcpu, uint16_t port, unsigned size);

[[nodiscard]] uint32_t read_port(Vcpu& vcpu, uint16_t port, unsigned size);
void write_port(Vcpu& vcpu, uint16_t port, unsigned size, uint32_t value);

// IN and OUT, then their string forms, which do a bounded number of elements and leave the rest to
// the next trap of the same instruction.
[[nodiscard]] Emulation emulate_port(Vcpu& vcpu, GuestFrame& frame, const Instruction& instruction);
[[nodiscard]] Emulation emulate_string_port(Vcpu& vcpu, GuestFrame& frame, const Instruction& instruction);

}  // namespace bulkhead
