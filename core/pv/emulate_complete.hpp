// SPDX-License-Identifier: BSD-2-Clause
// The end of an emulated instruction; for core/pv/emulate*.cpp and io_ports.cpp only.
#pragma once

#include "core/pv/bounce.hpp"
#include "core/pv/debug_registers.hpp"
#include "core/pv/emulate.hpp"

#include <cstdint>

namespace bulkhead {

namespace rflags {
inline constexpr uint64_t cf = 1u << 0;
inline constexpr uint64_t pf = 1u << 2;
inline constexpr uint64_t af = 1u << 4;
inline constexpr uint64_t zf = 1u << 6;
inline constexpr uint64_t sf = 1u << 7;
inline constexpr uint64_t tf = 1u << 8;
inline constexpr uint64_t df = 1u << 10;
inline constexpr uint64_t of = 1u << 11;
inline constexpr uint64_t rf = 1u << 16;
}  // namespace rflags

// The debug trap that follows an instruction: single step, or an I/O breakpoint.
[[gnu::cold, gnu::noinline]] inline void raise_debug_trap(Vcpu& vcpu, GuestFrame& frame, uint64_t status)
{
    constexpr uint8_t debug = 1;
    constexpr uint64_t single_step = 1u << 14;
    if ((frame.rflags & rflags::tf) != 0)
        status |= single_step;
    merge_debug_status(vcpu, status);
    inject_exception(vcpu, frame, debug);
}

// The guest goes on behind the instruction. debug_status: bits of DR6 that it has caused.
[[gnu::always_inline]] inline Emulation complete(Vcpu& vcpu, GuestFrame& frame, unsigned length,
                                                 uint64_t debug_status = 0)
{
    frame.rip += length;
    frame.rflags &= ~rflags::rf;
    if ((frame.rflags & rflags::tf) != 0 || debug_status != 0) [[unlikely]]
        raise_debug_trap(vcpu, frame, debug_status);
    return Emulation::done;
}

}  // namespace bulkhead
