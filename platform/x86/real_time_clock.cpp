// SPDX-License-Identifier: BSD-2-Clause
// Source: Motorola MC146818A data sheet, "Address map".
#include "platform/x86/real_time_clock.hpp"

#include "platform/x86/clock_math.hpp"
#include "platform/x86/instructions.hpp"

namespace bulkhead {

namespace {

constexpr uint16_t index_port = 0x70;
constexpr uint16_t data_port = 0x71;
constexpr uint8_t status_a = 0x0A;
constexpr uint8_t status_b = 0x0B;
constexpr uint8_t status_c = 0x0C;
constexpr uint8_t update_in_progress = 0x80;
constexpr uint8_t b_binary = 0x04;
constexpr uint8_t b_24_hours = 0x02;
constexpr uint8_t b_interrupt_at_update = 0x10;
constexpr uint8_t b_interrupts = 0x70;
// An update takes 2 ms; a port a microsecond or so.
constexpr unsigned patience = 4000;

uint8_t read(uint8_t reg)
{
    x86::out8(index_port, reg);
    return x86::in8(data_port);
}

void write(uint8_t reg, uint8_t value)
{
    x86::out8(index_port, reg);
    x86::out8(data_port, value);
}

clock_math::ClockChip read_registers()
{
    const uint8_t b = read(status_b);
    return {read(0), read(2), read(4), read(7), read(8), read(9), (b & b_binary) != 0, (b & b_24_hours) != 0};
}

}  // namespace

uint64_t read_real_time_clock()
{
    for (unsigned i = 0; i < patience && (read(status_a) & update_in_progress) != 0; ++i)
        x86::pause();
    // The same twice: no update fell between.
    clock_math::ClockChip chip = read_registers();
    for (unsigned i = 0; i < 3; ++i) {
        const clock_math::ClockChip again = read_registers();
        if (again == chip)
            break;
        chip = again;
    }
    return clock_math::seconds_since_1970(chip).value_or(0);
}

void start_second_interrupts()
{
    (void)read(status_c);       // what firmware left would hold the line
    write(status_b, static_cast<uint8_t>((read(status_b) & ~b_interrupts) | b_interrupt_at_update));
}

void stop_second_interrupts()
{
    write(status_b, static_cast<uint8_t>(read(status_b) & ~b_interrupts));
    (void)read(status_c);
}

}  // namespace bulkhead
