// SPDX-License-Identifier: BSD-2-Clause
// Source: IA-PC HPET Specification, "Register Definitions"; ACPI Specification, "Power Management
// Timer"; Intel 8254 data sheet, "Mode Definitions".
#include "platform/x86/reference_clock.hpp"

#include "machine/core_space.hpp"
#include "platform/x86/acpi.hpp"
#include "platform/x86/instructions.hpp"

namespace bulkhead {

namespace {

constexpr uint64_t femtoseconds_per_second = 1'000'000'000'000'000;

constexpr uint32_t hpet_capabilities = 0x000;
constexpr uint32_t hpet_period = 0x004;         // femtoseconds, in the upper half of the capabilities
constexpr uint32_t hpet_configuration = 0x010;
constexpr uint32_t hpet_counter = 0x0F0;
constexpr uint32_t hpet_enable = 1;
constexpr uint32_t hpet_longest_period = 100'000'000;
constexpr uint64_t hpet_bytes = 1024;

constexpr uint64_t pm_timer_hz = 3'579'545;

constexpr uint64_t pit_hz = 1'193'182;
constexpr uint16_t pit_channel2 = 0x42;
constexpr uint16_t pit_command = 0x43;
constexpr uint16_t pit_gate = 0x61;
constexpr uint8_t pit_channel2_both_bytes_mode2 = 0xB4;
constexpr uint8_t pit_latch_channel2 = 0x80;

}  // namespace

bool ReferenceClock::start_hpet()
{
    if (acpi().hpet.raw() == 0)
        return false;
    window_ = machine::map_device(acpi().hpet, hpet_bytes);
    const auto period = x86::read_register<uint32_t>(window_, hpet_period);
    const auto capabilities = x86::read_register<uint32_t>(window_, hpet_capabilities);
    if (period == 0 || period > hpet_longest_period || capabilities == ~0u)
        return false;
    const auto configuration = x86::read_register<uint32_t>(window_, hpet_configuration);
    x86::write_register<uint32_t>(window_, hpet_configuration, configuration | hpet_enable);
    const auto first = x86::read_register<uint32_t>(window_, hpet_counter);
    for (unsigned i = 0; i < 1000; ++i)
        if (x86::read_register<uint32_t>(window_, hpet_counter) != first) {
            kind_ = Kind::hpet;
            mask_ = 0xFFFF'FFFF;
            femtoseconds_ = period;
            least_microseconds_ = 2000;
            name_ = "HPET";
            return true;
        }
    return false;
}

bool ReferenceClock::start_pm_timer()
{
    const AcpiRegister& timer = acpi().pm_timer;
    if (timer.address == 0 || timer.space != AcpiRegister::io || timer.address > 0xFFFC)
        return false;
    port_ = static_cast<uint16_t>(timer.address);
    const uint32_t first = x86::in32(port_);
    for (unsigned i = 0; i < 1000; ++i)
        if (x86::in32(port_) != first) {
            kind_ = Kind::pm_timer;
            mask_ = acpi().pm_timer_32bit ? 0xFFFF'FFFF : 0xFF'FFFF;
            femtoseconds_ = femtoseconds_per_second / pm_timer_hz;
            least_microseconds_ = 4000;
            name_ = "ACPI PM timer";
            return true;
        }
    return false;
}

void ReferenceClock::start_pit()
{
    constexpr uint8_t gate_on = 1;
    constexpr uint8_t speaker_on = 2;
    const auto gate = static_cast<uint8_t>((x86::in8(pit_gate) & ~speaker_on) | gate_on);
    x86::out8(pit_gate, gate);
    x86::out8(pit_command, pit_channel2_both_bytes_mode2);
    x86::out8(pit_channel2, 0);     // counts down from 65536, again and again
    x86::out8(pit_channel2, 0);
    kind_ = Kind::pit;
    mask_ = 0xFFFF;
    femtoseconds_ = femtoseconds_per_second / pit_hz;
    least_microseconds_ = 4000;
    name_ = "PIT";
}

void ReferenceClock::start()
{
    if (!start_hpet() && !start_pm_timer())
        start_pit();
}

uint64_t ReferenceClock::read() const
{
    switch (kind_) {
    case Kind::hpet: return x86::read_register<uint32_t>(window_, hpet_counter);
    case Kind::pm_timer: return x86::in32(port_);
    case Kind::pit: {
        x86::out8(pit_command, pit_latch_channel2);
        const uint8_t low = x86::in8(pit_channel2);
        const uint8_t high = x86::in8(pit_channel2);
        return 0xFFFF - (low | (uint64_t{high} << 8));
    }
    case Kind::none: break;
    }
    return 0;
}

}  // namespace bulkhead
