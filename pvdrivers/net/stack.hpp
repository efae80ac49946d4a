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

}  // namespace bulkhead::net
