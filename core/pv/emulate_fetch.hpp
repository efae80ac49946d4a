// SPDX-License-Identifier: BSD-2-Clause
// Reading the instruction that trapped, once; for core/pv/emulate*.cpp only.
#pragma once

#include "core/guest_frame.hpp"
#include "core/pv/instruction.hpp"
#include "machine/control.hpp"
#include "machine/memory.hpp"

#include <optional>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

inline bool runs_64bit_code(const GuestFrame& frame)
{
    return frame.cs == FLAT_RING3_CS64 || machine::is_64bit_code(frame.cs);
}

// The first eight bytes, unless they reach into another page, which need not be there.
[[gnu::always_inline]] inline std::optional<uint64_t> fetch_head(const GuestFrame& frame)
{
    uint64_t head;
    if ((frame.rip & page_mask) > page_size - sizeof(head)
        || !machine::read_guest_u64(head, GuestVirtual(frame.rip))) [[unlikely]]
        return std::nullopt;
    return head;
}

// As many bytes as there are, up to an instruction's limit. False if there is none.
[[nodiscard]] inline bool fetch(InstructionBytes& to, const GuestFrame& frame)
{
    to = {};
    uint8_t* bytes = to.bytes.data();
    const uint64_t left_in_page = page_size - (frame.rip & page_mask);
    if (left_in_page > max_instruction_bytes) [[likely]] {
        // Two words are quicker than fifteen bytes.
        to.available = max_instruction_bytes;
        const bool ok = machine::copy_from_guest(bytes, GuestVirtual(frame.rip), max_instruction_bytes + 1);
        bytes[max_instruction_bytes] = 0;
        return ok;
    }
    if (!machine::copy_from_guest(bytes, GuestVirtual(frame.rip), left_in_page))
        return false;
    to.available = static_cast<uint8_t>(left_in_page);
    const size_t rest = max_instruction_bytes - left_in_page;
    if (rest != 0 && machine::copy_from_guest(bytes + left_in_page, GuestVirtual(frame.rip + left_in_page), rest))
        to.available = max_instruction_bytes;
    return true;
}

}  // namespace bulkhead
