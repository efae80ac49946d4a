// SPDX-License-Identifier: BSD-2-Clause
// Exceptions before the CPU has its own block and descriptor tables: a sentence on the UART, then
// the CPU halts.
#pragma once

namespace bulkhead {

void early_traps_install();

}  // namespace bulkhead
