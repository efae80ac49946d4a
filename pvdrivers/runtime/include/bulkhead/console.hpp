// SPDX-License-Identifier: BSD-2-Clause
// The partition's console: its ring, and the console hypercall until the ring is there. The standard
// output of the C library (printf, puts) ends here as well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace bulkhead {

// Formats without floating point and much smaller than printf: at most 511 characters, the rest is
// cut. From every vCPU; lines of several vCPUs do not mix within one call.
[[gnu::format(printf, 1, 2)]] void print(const char* format, ...);

// Writes all of it. Waits for the back end while the ring is full, yielding the CPU.
void write_console(std::string_view text);

// What has been typed, up to the size of the buffer; 0 at once if nothing has.
[[nodiscard]] size_t read_console(std::span<char> into);

// Called when something can be read. One function; runs on vCPU 0, within a wait (events.hpp).
void on_console_input(void (*function)(void* context), void* context);

}  // namespace bulkhead
