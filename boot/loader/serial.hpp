// SPDX-License-Identifier: BSD-2-Clause
// The first serial port, for what a loader has to say where no firmware says it. Never waits for long.
#pragma once

namespace bulkhead::loader {

void serial_start();
void serial_put(char byte);

}  // namespace bulkhead::loader
