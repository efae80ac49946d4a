// SPDX-License-Identifier: BSD-2-Clause
// The core's own lines on the console and in its log.
#pragma once

namespace bulkhead {

// One line (printf format, no newline needed). Any CPU, interrupts off; cuts off at 240 bytes.
[[gnu::format(printf, 1, 2)]] void log(const char* format, ...);

}  // namespace bulkhead
