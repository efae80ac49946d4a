// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/guest_inline.hpp in unit tests.
#pragma once

#include "machine/memory.hpp"

namespace bulkhead::machine {

[[nodiscard]] inline bool load_guest_u32(uint32_t& to, GuestVirtual from) { return read_guest(to, from); }
[[nodiscard]] inline bool store_checked_guest_u64(GuestVirtual to, uint64_t value)
{
    return write_guest_u64(to, value);
}

}  // namespace bulkhead::machine
