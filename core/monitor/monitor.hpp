// SPDX-License-Identifier: BSD-2-Clause
// The monitor: the core's command line on the serial console. It works when every partition is
// dead. Everything runs on CPU 0 in console_work(): a key costs little, and a command makes its
// output a few lines at a time, when the UART has taken what was there. Nothing here waits.
#pragma once

#include "core/console/text_out.hpp"

#include <cstdint>

namespace bulkhead {

// The terminal was turned to the monitor: says so and shows the prompt.
void monitor_open(TextOut& out);
// A key. Puts at most 1 KiB into `out`.
void monitor_key(uint8_t byte, TextOut& out);
// The next lines of the command that runs; false: there is nothing to show now. May
// have looked at things without result, and then leaves `out` empty.
[[nodiscard]] bool monitor_fill(TextOut& out);
// The command that runs has nothing to show yet and wants to be asked again soon.
[[nodiscard]] bool monitor_waits();
// Something else was printed below the prompt: shows it again.
void monitor_redraw(TextOut& out);
// The terminal is turned away: a command that runs is given up.
void monitor_close();

}  // namespace bulkhead
