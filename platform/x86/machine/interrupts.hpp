// SPDX-License-Identifier: BSD-2-Clause
// Waking other CPUs, and this CPU's timer.
#pragma once

#include "core/types.hpp"

namespace bulkhead::machine {

// Makes a CPU look at its Work bits soon: sends it an interrupt unless it is this one. The caller
// has set the bits (release); the interrupt's handler or the way back to the guest reads them.
void poke(CpuNumber cpu);

// Programs this CPU's one-shot timer; an earlier one is replaced. A deadline that has passed fires
// at once. `never` stops it. On expiry the CPU gets work_timer.
void set_timer(Nanoseconds deadline);

}  // namespace bulkhead::machine
