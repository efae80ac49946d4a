// SPDX-License-Identifier: BSD-2-Clause
// General registers of a guest by the number that instructions give them.
#pragma once

#include "core/guest_frame.hpp"

#include <array>

namespace bulkhead {

inline constexpr std::array<uint64_t GuestFrame::*, 16> general_registers{
    &GuestFrame::rax, &GuestFrame::rcx, &GuestFrame::rdx, &GuestFrame::rbx, &GuestFrame::rsp, &GuestFrame::rbp,
    &GuestFrame::rsi, &GuestFrame::rdi, &GuestFrame::r8,  &GuestFrame::r9,  &GuestFrame::r10, &GuestFrame::r11,
    &GuestFrame::r12, &GuestFrame::r13, &GuestFrame::r14, &GuestFrame::r15};

[[nodiscard]] inline uint64_t& general_register(GuestFrame& frame, unsigned number)
{
    return frame.*general_registers[number & 15];
}

[[nodiscard]] inline uint64_t general_register(const GuestFrame& frame, unsigned number)
{
    return frame.*general_registers[number & 15];
}

}  // namespace bulkhead
