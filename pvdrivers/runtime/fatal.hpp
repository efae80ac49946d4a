// SPDX-License-Identifier: BSD-2-Clause
// The end of a program that cannot go on: a sentence, then the partition ends as crashed.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <string_view>

namespace bulkhead {

// Without a back trace, for start-up and for what is nobody's mistake in the program.
[[noreturn, gnu::format(printf, 1, 2)]] void fatal(const char* format, ...);

// Text without waiting for locks and without interrupts of any kind, for reports of a crash.
void print_report(const char* format, ...) __attribute__((format(printf, 1, 2)));
void write_report(std::string_view text);

// Says last words and ends the partition with that reason (SHUTDOWN_*).
[[noreturn]] void shut_down(unsigned reason);
[[noreturn]] void end_as_crashed();

}  // namespace bulkhead
