// SPDX-License-Identifier: BSD-2-Clause
// One turn of a wait loop: answers TLB shoot-downs that other CPUs wait for, then pauses.
#pragma once

namespace bulkhead::machine {

void relax();

}  // namespace bulkhead::machine
