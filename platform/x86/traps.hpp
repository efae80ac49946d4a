// SPDX-License-Identifier: BSD-2-Clause
// What the entry code of exceptions in ring 0 needs from the rest of the platform.
#pragma once

#include "core/guest_frame.hpp"

namespace bulkhead {

// panic() with the registers of a frame instead of the caller's (platform/x86/panic.cpp).
[[noreturn, gnu::format(printf, 2, 3)]] void panic_at(const GuestFrame& frame, const char* format, ...);

// An NMI from a guest or from the core, on its own stack: stops this CPU if another one panicked;
// any other is counted.
void handle_nmi(const GuestFrame& frame);

}  // namespace bulkhead
