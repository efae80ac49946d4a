// SPDX-License-Identifier: BSD-2-Clause
// Which model-specific registers a PV guest's kernel has, and what they hold. Everything else is
// refused with #GP, counted, and named in the log once.
#pragma once

#include "core/vcpu.hpp"

#include <cstdint>
#include <optional>

namespace bulkhead {

// Facts of this box that are passed on; read once at start.
struct HostMsrs {
    uint64_t microcode_revision;
    uint64_t arch_capabilities;     // IA32_ARCH_CAPABILITIES, 0 if the CPU has none
};
void init_msr_policy(const HostMsrs& host);

// The vCPU is the current one, in kernel mode. Nothing, or false: #GP.
[[nodiscard]] std::optional<uint64_t> read_guest_msr(Vcpu& vcpu, uint32_t msr);
[[nodiscard]] bool write_guest_msr(Vcpu& vcpu, uint32_t msr, uint64_t value);

}  // namespace bulkhead
