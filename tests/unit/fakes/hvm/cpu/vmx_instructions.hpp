// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of hvm/cpu/vmx_instructions.hpp in unit tests: the current VMCS is a map, a field that
// was never written reads as zero, and what invalidates is counted.
#pragma once

#include "hvm/cpu/vmx_fields.hpp"

#include <cstdint>
#include <map>

namespace bulkhead::fake {

inline std::map<vmx::Field, uint64_t> vmcs;

}  // namespace bulkhead::fake

namespace bulkhead::vmx {

[[nodiscard]] inline uint64_t read(Field field)
{
    const auto found = fake::vmcs.find(field);
    return found == fake::vmcs.end() ? 0 : found->second;
}

inline bool write(Field field, uint64_t value)
{
    fake::vmcs[field] = value;
    return true;
}

}  // namespace bulkhead::vmx
