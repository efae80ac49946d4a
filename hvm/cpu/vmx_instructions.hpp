// SPDX-License-Identifier: BSD-2-Clause
// The instructions of VMX. Tests put functions in place of this header. All but vmxon() and clear() work
// on the VMCS that is current on this CPU.
// Source: Intel SDM vol 3, "VMX Instruction Reference".
#pragma once

#include "hvm/cpu/vmx_fields.hpp"

#include <cstdint>

namespace bulkhead::vmx {

// False: the CPU refuses it.
[[nodiscard]] inline bool vmxon(uint64_t region)
{
    bool ok;
    asm volatile("vmxon %1" : "=@cca"(ok) : "m"(region) : "memory");
    return ok;
}

[[nodiscard]] inline bool clear(uint64_t vmcs)
{
    bool ok;
    asm volatile("vmclear %1" : "=@cca"(ok) : "m"(vmcs) : "memory");
    return ok;
}

[[nodiscard]] inline bool make_current(uint64_t vmcs)
{
    bool ok;
    asm volatile("vmptrld %1" : "=@cca"(ok) : "m"(vmcs) : "memory");
    return ok;
}

[[nodiscard]] inline uint64_t read(Field field)
{
    uint64_t value = 0;
    asm volatile("vmread %1, %0" : "+r"(value) : "r"(uint64_t{static_cast<uint32_t>(field)}) : "cc");
    return value;
}

// False: there is no such field on this CPU.
inline bool write(Field field, uint64_t value)
{
    bool ok;
    asm volatile("vmwrite %1, %2" : "=@cca"(ok) : "r"(value), "r"(uint64_t{static_cast<uint32_t>(field)}) : "memory");
    return ok;
}

struct InvalidateDescriptor {
    uint64_t low, high;
};

inline void invept(uint64_t kind, uint64_t ept_pointer)
{
    const InvalidateDescriptor descriptor{ept_pointer, 0};
    asm volatile("invept %0, %1" : : "m"(descriptor), "r"(kind) : "cc", "memory");
}

inline void invvpid(uint64_t kind, uint16_t vpid)
{
    const InvalidateDescriptor descriptor{vpid, 0};
    asm volatile("invvpid %0, %1" : : "m"(descriptor), "r"(kind) : "cc", "memory");
}

// An NMI of the box made a guest leave, and the CPU does not bring it again. IRET ends it.
inline void take_nmi() { asm volatile("int $2" : : : "memory"); }

}  // namespace bulkhead::vmx
