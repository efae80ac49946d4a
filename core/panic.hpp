// SPDX-License-Identifier: BSD-2-Clause
// A broken invariant of the core. A guest can never reach it.
#pragma once

#include "core/plan.hpp"

namespace bulkhead {

// Prints the sentence (printf format), registers, a symbolised back trace and the end of the log on
// the UART, keeps them for after a warm reset, stops the other CPUs, then does what the plan says.
[[noreturn, gnu::format(printf, 1, 2)]] void panic(const char* format, ...);

// From here on a panic's back trace has names, and ends as the plan says. Start-up, once.
void set_panic_plan(const plan::Header& plan);
// Logs the text of the panic that ended the last run, if a warm reset kept it, and forgets it.
void print_previous_panic();

}  // namespace bulkhead

// Stays on in release builds; never for guest data.
#define ASSERT(condition)                                                              \
    do {                                                                               \
        if (!(condition)) [[unlikely]]                                                 \
            ::bulkhead::panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition); \
    } while (false)
