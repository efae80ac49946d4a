// SPDX-License-Identifier: BSD-2-Clause
// The serial port of the console: bytes only. One CPU at a time uses it: the boot CPU until the
// start of the others, CPU 0 afterwards, a panicking CPU in the end.
#pragma once

namespace bulkhead::machine {

// Puts one byte into the transmitter. False: no room now. Without a UART everything is taken.
[[nodiscard]] bool uart_put(char byte);
// The next received byte, 0 to 255; -1: none.
[[nodiscard]] int uart_get();
// Whether the UART interrupts when its transmitter has room; it always does for input. Its
// interrupt gives CPU 0 work_console.
void uart_want_transmit(bool wanted);

}  // namespace bulkhead::machine
