// SPDX-License-Identifier: BSD-2-Clause
// A guest's debug registers, for the hypercalls and for MOV to and from DR. Breakpoints never reach
// the core's addresses; those on I/O are emulated, since every port access of a guest traps.
#pragma once

#include "core/result.hpp"
#include "core/vcpu.hpp"

#include <cstdint>

namespace bulkhead {

// DR0 to DR7; 4 and 5 are 6 and 7 unless the guest's CR4.DE is set (XEN_ENODEV). XEN_EINVAL: no such
// register. The vCPU is the current one.
[[nodiscard]] Result<uint64_t> read_debug_register(const Vcpu& vcpu, uint64_t number);
// Also XEN_EPERM: the value is not allowed.
Result<> write_debug_register(Vcpu& vcpu, uint64_t number, uint64_t value);

// Adds what the CPU reported (DR6) to what the guest sees: bits that were set stay.
void merge_debug_status(Vcpu& vcpu, uint64_t status);

// Whether the guest watches one of these ports; the bits of DR6 to report then, else 0.
[[nodiscard]] uint64_t io_breakpoint_status(const Vcpu& vcpu, uint16_t port, unsigned size);

}  // namespace bulkhead
