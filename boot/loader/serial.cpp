// SPDX-License-Identifier: BSD-2-Clause
// Source: National Semiconductor PC16550D data sheet, "Registers".
#include "boot/loader/serial.hpp"

#include "platform/x86/instructions.hpp"

namespace bulkhead::loader {

namespace {

constexpr uint16_t com1 = 0x3f8;
constexpr uint16_t interrupt_enable = com1 + 1;
constexpr uint16_t fifo_control = com1 + 2;
constexpr uint16_t line_control = com1 + 3;
constexpr uint16_t modem_control = com1 + 4;
constexpr uint16_t line_status = com1 + 5;
constexpr uint8_t transmitter_empty = 0x20;
constexpr unsigned patience = 20'000;

void put(uint8_t byte)
{
    for (unsigned i = 0; i < patience && (x86::in8(line_status) & transmitter_empty) == 0; ++i)
        x86::pause();
    x86::out8(com1, byte);
}

}  // namespace

void serial_start()
{
    x86::out8(interrupt_enable, 0);
    x86::out8(line_control, 0x83);      // divisor latch
    x86::out8(com1, 1);                 // 115200
    x86::out8(interrupt_enable, 0);
    x86::out8(line_control, 0x03);      // 8N1
    x86::out8(fifo_control, 0x07);
    x86::out8(modem_control, 0x03);
}

void serial_put(char byte)
{
    if (byte == '\n')
        put('\r');
    put(static_cast<uint8_t>(byte));
}

}  // namespace bulkhead::loader
