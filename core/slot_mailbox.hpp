// SPDX-License-Identifier: BSD-2-Clause
// A note from a run to the next one, in memory that a warm reset does not clear: whether the slot that
// ran reported itself healthy, and which slot the operator wants. Written by the core, read by the
// selector, which clears it. It is believed only if its checksum is right.
#pragma once

#include "core/crc32.hpp"

#include <cstddef>
#include <cstdint>

namespace bulkhead::boot {

// Beside the panic record (platform/x86/panic_record.hpp).
inline constexpr uint64_t mailbox_physical = 0x1F'B000;
inline constexpr uint64_t mailbox_bytes = 0x1000;
inline constexpr uint64_t mailbox_magic = 0x31584f424c494d42;    // "BMILBOX1"
inline constexpr uint32_t no_request = 2;

// unknown: the run ended before it was judged.
enum class Health : uint32_t { unknown = 0, healthy = 1, unhealthy = 2 };

struct Mailbox {
    uint64_t magic;
    uint32_t crc32;             // of what follows
    uint32_t slot;              // that ran
    uint64_t version;
    Health health;
    uint32_t request;           // the slot that is to start from now on, or no_request

    [[nodiscard]] uint32_t checksum() const
    {
        constexpr size_t covered = 12;
        return bulkhead::crc32({reinterpret_cast<const uint8_t*>(this) + covered, sizeof(*this) - covered});
    }
    [[nodiscard]] bool is_sound() const { return magic == mailbox_magic && crc32 == checksum(); }
    void seal()
    {
        magic = mailbox_magic;
        crc32 = checksum();
    }
};
static_assert(sizeof(Mailbox) == 32 && offsetof(Mailbox, slot) == 12);

}  // namespace bulkhead::boot
