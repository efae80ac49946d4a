// SPDX-License-Identifier: BSD-2-Clause
// Segment bases of the current vCPU, which live in the CPU while it runs. "Other" GS base is the one
// that the guest's next change of mode makes active: the user's while its kernel runs.
#pragma once

#include "core/vcpu.hpp"

#include <cstdint>

namespace bulkhead {

[[nodiscard]] uint64_t read_fs_base(const Vcpu& vcpu);
[[nodiscard]] uint64_t read_gs_base(const Vcpu& vcpu);
[[nodiscard]] uint64_t read_gs_base_other(const Vcpu& vcpu);
// False for an address that is not canonical.
[[nodiscard]] bool write_fs_base(Vcpu& vcpu, uint64_t base);
[[nodiscard]] bool write_gs_base(Vcpu& vcpu, uint64_t base);
[[nodiscard]] bool write_gs_base_other(Vcpu& vcpu, uint64_t base);

}  // namespace bulkhead
