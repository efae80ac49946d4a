// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/uart.hpp in unit tests: keeps what was sent, has room for
// as much as the test says, and receives what the test types.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace bulkhead::fake {

inline constexpr size_t no_limit = ~size_t{0};

inline std::string uart_sent;
inline std::string uart_typed;           // not received yet
inline size_t uart_room = no_limit;      // bytes until it is full
inline bool uart_wants_transmit;

inline void reset_uart()
{
    uart_sent.clear();
    uart_typed.clear();
    uart_room = no_limit;
    uart_wants_transmit = false;
}

}  // namespace bulkhead::fake

namespace bulkhead::machine {

[[nodiscard]] inline bool uart_put(char byte)
{
    if (fake::uart_room == 0)
        return false;
    if (fake::uart_room != fake::no_limit)
        --fake::uart_room;
    fake::uart_sent += byte;
    return true;
}

[[nodiscard]] inline int uart_get()
{
    if (fake::uart_typed.empty())
        return -1;
    const auto byte = static_cast<unsigned char>(fake::uart_typed[0]);
    fake::uart_typed.erase(0, 1);
    return byte;
}

inline void uart_want_transmit(bool wanted) { fake::uart_wants_transmit = wanted; }

}  // namespace bulkhead::machine
