// SPDX-License-Identifier: BSD-2-Clause
// lwIP in a program: its start and its timers. Everything of lwIP (netifs, connections, this) belongs to
// the vCPU that calls start_network(); its callbacks run within waits there, as handlers do.
#pragma once

#include <bulkhead/time.hpp>

namespace bulkhead::net {

// Once a program, before any other call of lwIP.
void start_network();

// After calls of lwIP from outside of its callbacks, such as frames that have been given to it: runs
// what is due, and sets the timer anew. lwIP's own timers tick every 100 ms, so this only makes
// shorter delays exact.
void poll_network();

// No timer of lwIP runs before this time; it is not the program's duty to look.
[[nodiscard]] Time next_network_timer();

// For a program that must choose the time itself, such as a control loop: from now on lwIP's timers run
// in poll_network() only.
void poll_network_by_hand();

}  // namespace bulkhead::net
