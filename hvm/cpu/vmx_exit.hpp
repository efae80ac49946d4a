// SPDX-License-Identifier: BSD-2-Clause
// From VT-x's exit numbers to the reasons that the rest of hvm/cpu/ knows.
#pragma once

#include "hvm/cpu/hardware_vcpu.hpp"
#include "hvm/cpu/vmx_fields.hpp"

#include <cstdint>

namespace bulkhead::vmx {

// The exit in the current VMCS. ExitReason::unknown too for those that vmx.cpp deals with itself:
// control registers (but CR8).
[[nodiscard]] Exit decode_exit(uint32_t reason);

// Access to a control register. Source: Intel SDM vol 3, "Exit Qualification for Control-Register Accesses".
struct ControlAccess {
    unsigned number;
    enum class Kind : uint8_t { write, read, clts, lmsw } kind;
    unsigned general_register;
};
[[nodiscard]] constexpr ControlAccess decode_control_access(uint64_t qualification)
{
    return {static_cast<unsigned>(qualification & 15),
            static_cast<ControlAccess::Kind>(qualification >> 4 & 3),
            static_cast<unsigned>(qualification >> 8 & 15)};
}

// ENTRY_EVENT for what is to be put in. `protected_mode`: in real mode no exception has an error code.
[[nodiscard]] uint32_t encode_event(const Injection& next, bool protected_mode);
// What an exit interrupted, to be put in again. Not INT instructions: those run again by themselves.
[[nodiscard]] Injection decode_interrupted(uint32_t event, uint32_t error_code);

}  // namespace bulkhead::vmx
