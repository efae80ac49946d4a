// SPDX-License-Identifier: BSD-2-Clause
// The model-specific registers of hardware partitions: deny by default, as for PV.
#pragma once

#include "core/vcpu.hpp"

#include <cstdint>

namespace bulkhead {

// Writing a guest-physical address to it fills that page with hypercalls.
inline constexpr uint32_t hypercall_page_msr = 0x40000000;

// False: #GP.
[[nodiscard]] bool read_hardware_msr(Vcpu& vcpu, uint32_t msr, uint64_t& value);
[[nodiscard]] bool write_hardware_msr(Vcpu& vcpu, uint32_t msr, uint64_t value);

}  // namespace bulkhead
