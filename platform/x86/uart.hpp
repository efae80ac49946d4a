// SPDX-License-Identifier: BSD-2-Clause
// Finding and setting up the serial port; moving bytes is in machine/uart.hpp.
#pragma once

#include "core/types.hpp"

#include <cstdint>

namespace bulkhead {

// Takes the first serial port of the PC's four that answers, at 115200 8N1. Before any memory or
// interrupt is set up.
void uart_start();
// A serial card: its registers in I/O space or in a mapped device window. Ignored if there is an
// onboard port already.
void uart_use_ports(uint16_t base);
void uart_use_window(volatile void* registers);
[[nodiscard]] bool uart_present();
// The ISA interrupt line of the port, or -1: poll.
[[nodiscard]] int uart_isa_line();
// From here on input interrupts. Called once the line is routed.
void uart_enable_interrupts();
// There is a port, but no interrupt of it.
[[nodiscard]] bool uart_is_polled();
void uart_set_polled();
// How soon it should be looked at again then.
[[nodiscard]] uint64_t uart_poll_ns();
// Its interrupt came.
void uart_interrupt();
// "COM1 (ports 0x3f8..)" and the like.
[[nodiscard]] const char* uart_description();

// Writes a text, waiting for room but not for ever. For start-up and panics.
void uart_write(const char* text);

}  // namespace bulkhead
