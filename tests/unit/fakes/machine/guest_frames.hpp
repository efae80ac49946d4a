// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/guest_frames.hpp in unit tests: the same frames, by copies.
#pragma once

#include "core/guest_frame.hpp"
#include "machine/memory.hpp"

#include <cstdint>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead::machine {

inline constexpr uint64_t exception_frame_bytes = 7 * sizeof(uint64_t);

[[nodiscard]] inline bool store_frame(uint64_t at, const GuestFrame& frame, uint64_t cs, uint64_t rflags)
{
    const uint64_t words[] = {frame.rcx, frame.r11, frame.rip, cs, rflags, frame.rsp, frame.ss};
    return copy_to_guest(GuestVirtual(at), words, sizeof(words));
}

[[nodiscard]] inline bool store_frame(uint64_t at, const GuestFrame& frame, uint64_t cs, uint64_t rflags,
                                      uint64_t error_code)
{
    const uint64_t words[] = {frame.rcx, frame.r11, error_code, frame.rip, cs, rflags, frame.rsp, frame.ss};
    return copy_to_guest(GuestVirtual(at), words, sizeof(words));
}

struct IretContext {
    uint64_t flags, cs, rflags, ss;
};

[[nodiscard]] inline bool load_frame(IretContext& context, GuestFrame& frame)
{
    iret_context from;
    if (!copy_from_guest(&from, GuestVirtual(frame.rsp), sizeof(from)))
        return false;
    frame.rax = from.rax;
    frame.r11 = from.r11;
    frame.rcx = from.rcx;
    frame.rip = from.rip;
    frame.rsp = from.rsp;
    context = {from.flags, from.cs, from.rflags, from.ss};
    return true;
}

}  // namespace bulkhead::machine
