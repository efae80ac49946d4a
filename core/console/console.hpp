// SPDX-License-Identifier: BSD-2-Clause
// The serial console as the rest of the core sees it. Text goes into the logs of its sources (the
// core, each partition) on any CPU; CPU 0 alone moves it from there to the UART, so nobody waits.
//
// Until start_console_interrupts() every log() is written out by polling, so that the start-up can
// be seen up to the point where it fails.
#pragma once

#include "core/plan.hpp"
#include "core/types.hpp"

#include <string_view>

namespace bulkhead {

// The plan is known: takes the escape key from it. log() works before and after.
void init_console(const plan::Header& header);
// The partitions exist: makes a log for each, and the rings of trace points. Start-up, after
// init_console(), all CPUs counted.
void init_partition_consoles();
// From here on output is driven by the UART's interrupt. Start-up, CPU 0, interrupts work.
void start_console_interrupts();

// Takes input and writes output, as much as fits now. CPU 0 on work_console, no lock held.
void console_work();
// When CPU 0 should get work_console even if the UART is silent; `never` most of the time. The
// scheduler of CPU 0 takes it into account when it programs the timer.
[[nodiscard]] Nanoseconds next_console_deadline();

// For panic(): this CPU owns the UART from here on and writes by polling, each newline as CR LF.
// Takes no lock; other CPUs have been stopped or do not matter any more.
void begin_panic_output();
void panic_write(std::string_view text);
// The last lines of the core's log, by panic_write().
void panic_write_log_end(uint32_t lines);

}  // namespace bulkhead
