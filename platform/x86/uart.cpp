// SPDX-License-Identifier: BSD-2-Clause
// 16550 and what is compatible with it. Source: National Semiconductor PC16550D data sheet,
// "Registers". A missing port swallows output and never delays anybody for long.
#include "platform/x86/uart.hpp"

#include "machine/uart.hpp"
#include "platform/x86/instructions.hpp"

#include <array>

namespace bulkhead {

namespace {

enum Register : uint16_t {
    reg_data = 0,           // divisor, low byte, while the latch is open
    reg_interrupt_enable = 1,
    reg_interrupt_id = 2,   // read
    reg_fifo_control = 2,   // write
    reg_line_control = 3,
    reg_modem_control = 4,
    reg_line_status = 5,
    reg_scratch = 7,
};

constexpr uint8_t ier_received = 0x01;
constexpr uint8_t ier_transmitter_empty = 0x02;
constexpr uint8_t fcr_enable_and_clear = 0x07;
constexpr uint8_t lcr_8n1 = 0x03;
constexpr uint8_t lcr_divisor_latch = 0x80;
constexpr uint8_t mcr_dtr_rts_out2 = 0x0B;    // OUT2 lets the interrupt through on a PC
constexpr uint8_t lsr_data_ready = 0x01;
constexpr uint8_t lsr_transmitter_empty = 0x20;
constexpr uint8_t iir_fifo_working = 0xC0;
constexpr uint8_t divisor_115200 = 1;
constexpr unsigned fifo_bytes = 16;

// About 87 us a byte at 115200; a read of a port takes a microsecond or so on hardware.
constexpr unsigned patience = 20'000;

struct PcPort {
    uint16_t base;
    int8_t isa_line;
    const char* description;
};
constexpr std::array<PcPort, 4> pc_ports{{
    {0x3F8, 4, "COM1 (ports from 0x3f8)"},
    {0x2F8, 3, "COM2 (ports from 0x2f8)"},
    {0x3E8, 4, "COM3 (ports from 0x3e8)"},
    {0x2E8, 3, "COM4 (ports from 0x2e8)"},
}};

struct Uart {
    volatile void* window;       // null: ports
    uint16_t base;
    bool present;
    bool polled;
    bool wants_transmit;
    int8_t isa_line;
    uint8_t interrupt_enable;
    bool has_fifo;
    unsigned room;               // bytes that may be written before looking again
    const char* description;
};
constinit Uart uart{nullptr, 0, false, false, false, -1, 0, false, 0, "none"};

uint8_t get(Register reg)
{
    if (uart.window != nullptr)
        return x86::read_register<uint8_t>(uart.window, reg);
    return x86::in8(static_cast<uint16_t>(uart.base + reg));
}

void set(Register reg, uint8_t value)
{
    if (uart.window != nullptr)
        x86::write_register<uint8_t>(uart.window, reg, value);
    else
        x86::out8(static_cast<uint16_t>(uart.base + reg), value);
}

// Nothing there reads as all ones; something else than a UART does not keep the scratch register.
bool answers()
{
    set(reg_scratch, 0x5A);
    if (get(reg_scratch) != 0x5A)
        return false;
    set(reg_scratch, 0xA5);
    return get(reg_scratch) == 0xA5;
}

void set_up()
{
    set(reg_interrupt_enable, 0);
    set(reg_line_control, lcr_divisor_latch | lcr_8n1);
    set(reg_data, divisor_115200);
    set(reg_interrupt_enable, 0);
    set(reg_line_control, lcr_8n1);
    set(reg_fifo_control, fcr_enable_and_clear);
    set(reg_modem_control, mcr_dtr_rts_out2);
    uart.has_fifo = (get(reg_interrupt_id) & iir_fifo_working) == iir_fifo_working;
    uart.present = true;
    uart.room = 0;
}

}  // namespace

void uart_start()
{
    for (const PcPort& port : pc_ports) {
        uart.base = port.base;
        if (!answers())
            continue;
        uart.isa_line = port.isa_line;
        uart.description = port.description;
        set_up();
        return;
    }
}

void uart_use_ports(uint16_t base)
{
    if (uart.present)
        return;
    uart.base = base;
    uart.description = "serial card (ports)";
    if (answers())
        set_up();
}

void uart_use_window(volatile void* registers)
{
    if (uart.present)
        return;
    uart.window = registers;
    uart.description = "serial card (memory-mapped)";
    if (answers())
        set_up();
}

bool uart_present() { return uart.present; }
int uart_isa_line() { return uart.isa_line; }
const char* uart_description() { return uart.description; }

void uart_enable_interrupts()
{
    uart.interrupt_enable |= ier_received;
    set(reg_interrupt_enable, uart.interrupt_enable);
}

bool uart_is_polled() { return uart.polled; }
uint64_t uart_poll_ns() { return uart.wants_transmit ? 1'000'000 : 5'000'000; }
void uart_set_polled() { uart.polled = uart.present; }

// Reading the cause takes back a transmitter interrupt; received bytes keep theirs until they are
// fetched, so that the line falls only when there is nothing left to do.
void uart_interrupt()
{
    static_cast<void>(get(reg_interrupt_id));
}

void uart_write(const char* text)
{
    for (; *text != '\0'; ++text) {
        if (*text == '\n')
            for (unsigned i = 0; i < patience && !machine::uart_put('\r'); ++i)
                x86::pause();
        for (unsigned i = 0; i < patience && !machine::uart_put(*text); ++i)
            x86::pause();
    }
}

namespace machine {

bool uart_put(char byte)
{
    if (!uart.present)
        return true;
    if (uart.room == 0) {
        if ((get(reg_line_status) & lsr_transmitter_empty) == 0)
            return false;
        uart.room = uart.has_fifo ? fifo_bytes : 1;
    }
    --uart.room;
    set(reg_data, static_cast<uint8_t>(byte));
    return true;
}

int uart_get()
{
    if (!uart.present || (get(reg_line_status) & lsr_data_ready) == 0)
        return -1;
    return get(reg_data);
}

void uart_want_transmit(bool wanted)
{
    uart.wants_transmit = wanted;
    if (!uart.present || (uart.interrupt_enable & ier_received) == 0)
        return;
    const auto enable = static_cast<uint8_t>(wanted ? uart.interrupt_enable | ier_transmitter_empty
                                                    : uart.interrupt_enable & ~ier_transmitter_empty);
    if (enable == uart.interrupt_enable)
        return;
    uart.interrupt_enable = enable;
    set(reg_interrupt_enable, enable);
}

}  // namespace machine

}  // namespace bulkhead
