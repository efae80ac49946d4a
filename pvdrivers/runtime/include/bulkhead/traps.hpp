// SPDX-License-Identifier: BSD-2-Clause
// What happens when the program does something impossible: a report on the console (what, registers,
// back trace), then the partition ends as crashed, and the plan's on_crash says what follows.
#pragma once

#include <cstdint>

namespace bulkhead {

// The callers of the calling function, innermost first, as addresses; addr2line -fe NAME.debug
// turns them into lines.
void print_back_trace();

// A last word before the partition ends as crashed, such as the figures so far. It must not wait.
void on_crash(void (*function)());

// Ends the partition. The plan's on_poweroff, on_reboot or on_crash says what follows.
[[noreturn]] void power_off();
[[noreturn]] void reboot();
// Says why, with a back trace, and ends as crashed.
[[noreturn, gnu::format(printf, 1, 2)]] void crash(const char* format, ...);

}  // namespace bulkhead
