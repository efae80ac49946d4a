// SPDX-License-Identifier: BSD-2-Clause
// MOV to and from control and debug registers, CLTS and XSETBV of a guest's kernel.
#pragma once

#include "core/guest_frame.hpp"
#include "core/pv/emulate.hpp"
#include "core/pv/instruction.hpp"
#include "core/vcpu.hpp"

namespace bulkhead {

// Any of read_control, write_control, read_debug and write_debug.
[[nodiscard]] Emulation emulate_move(Vcpu& vcpu, GuestFrame& frame, const Instruction& instruction);
[[nodiscard]] Emulation emulate_clts(Vcpu& vcpu, GuestFrame& frame, unsigned length);
[[nodiscard]] Emulation emulate_xsetbv(Vcpu& vcpu, GuestFrame& frame, unsigned length);

}  // namespace bulkhead
