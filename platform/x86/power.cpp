// SPDX-License-Identifier: BSD-2-Clause
// Source: ACPI Specification, "Reset Register" and "Power Management 1 Control Registers"; Intel ICH
// data sheets, "Reset Control Register" (port 0xCF9).
#include "machine/power.hpp"

#include "platform/x86/acpi.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/panic.hpp"

namespace bulkhead::machine {

namespace {

constexpr uint16_t sleep_enable = 1u << 13;
constexpr uint16_t sleep_type_shift = 10;
constexpr uint16_t sleep_type_mask = 7u << sleep_type_shift;
constexpr uint16_t reset_control = 0xCF9;
constexpr uint16_t keyboard_controller = 0x64;
constexpr uint8_t keyboard_pulse_reset = 0xFE;
constexpr uint8_t keyboard_input_full = 0x02;

// About as long, whether or not the clock runs yet.
void wait_milliseconds(unsigned milliseconds)
{
    constexpr uint16_t delay_port = 0x80;      // a write takes about a microsecond
    for (unsigned i = 0; i < milliseconds * 1000; ++i)
        x86::out8(delay_port, 0);
}

bool is_port(const AcpiRegister& reg)
{
    return reg.address != 0 && reg.space == AcpiRegister::io && reg.address < 0x10000;
}

void reset_by_acpi()
{
    const AcpiRegister& reg = acpi().reset;
    if (is_port(reg))
        x86::out8(static_cast<uint16_t>(reg.address), acpi().reset_value);
}

void reset_by_chipset()
{
    constexpr uint8_t hard = 0x02;
    constexpr uint8_t now = 0x04;
    x86::out8(reset_control, hard);
    wait_milliseconds(1);
    x86::out8(reset_control, hard | now);
}

// A CPU in VMX operation holds INIT back, which is all that the keyboard controller raises on some boards.
void leave_vmx()
{
    constexpr uint64_t cr4_vmxe = 0x2000;
    if ((x86::read_cr4() & cr4_vmxe) != 0)
        asm volatile("vmxoff" : : : "cc", "memory");
}

void reset_by_keyboard_controller()
{
    leave_vmx();
    for (unsigned i = 0; i < 10000 && (x86::in8(keyboard_controller) & keyboard_input_full) != 0; ++i)
        x86::pause();
    x86::out8(keyboard_controller, keyboard_pulse_reset);
}

// Without a table of exceptions the first one ends in shutdown, which chipsets answer with a reset.
[[noreturn]] void reset_by_triple_fault()
{
    x86::load_idt({0, 0});
    asm volatile("int3");
    x86::halt_for_ever();
}

void set_sleep_type(const AcpiRegister& reg, uint8_t type)
{
    if (!is_port(reg))
        return;
    const auto port = static_cast<uint16_t>(reg.address);
    auto value = static_cast<uint16_t>(x86::in16(port) & ~(sleep_type_mask | sleep_enable));
    value = static_cast<uint16_t>(value | (type << sleep_type_shift) | sleep_enable);
    x86::out16(port, value);
}

}  // namespace

void reboot()
{
    asm volatile("cli; wbinvd" : : : "memory");     // the panic record must be in memory
    reset_by_acpi();
    wait_milliseconds(20);
    reset_by_chipset();
    wait_milliseconds(20);
    if (acpi().has_keyboard_controller)
        reset_by_keyboard_controller();
    wait_milliseconds(20);
    reset_by_triple_fault();
}

bool can_power_off() { return acpi().can_power_off && (is_port(acpi().pm1a_control) || is_port(acpi().sleep_control)); }

void power_off()
{
    asm volatile("cli; wbinvd" : : : "memory");
    if (can_power_off()) {
        if (acpi().hardware_reduced && is_port(acpi().sleep_control)) {
            constexpr uint8_t reduced_sleep_enable = 1u << 5;
            constexpr uint8_t reduced_type_shift = 2;
            x86::out8(static_cast<uint16_t>(acpi().sleep_control.address),
                      static_cast<uint8_t>((acpi().sleep_type_a << reduced_type_shift) | reduced_sleep_enable));
        } else {
            // Both halves, if there are two, before the chipset acts on the first one.
            set_sleep_type(acpi().pm1b_control, acpi().sleep_type_b);
            set_sleep_type(acpi().pm1a_control, acpi().sleep_type_a);
        }
        wait_milliseconds(100);
    }
    stop_other_cpus();
    x86::halt_for_ever();
}

}  // namespace bulkhead::machine
