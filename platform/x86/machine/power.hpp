// SPDX-License-Identifier: BSD-2-Clause
// The end: for the monitor and for panics. Whatever runs is cut off.
#pragma once

namespace bulkhead::machine {

// Resets the box: ACPI's reset register, then what PCs understand.
[[noreturn]] void reboot();
// Whether power_off() can do more than halt.
[[nodiscard]] bool can_power_off();
// Switches the box off by ACPI; where that is not possible it halts all CPUs for good.
[[noreturn]] void power_off();

}  // namespace bulkhead::machine
