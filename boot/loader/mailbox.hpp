// SPDX-License-Identifier: BSD-2-Clause
// The note that the last run left, for loaders that find memory at its own addresses.
#pragma once

#include "core/slot_mailbox.hpp"

namespace bulkhead::loader {

// It is there no longer afterwards. Memory that holds no note is not written to: it may be somebody's.
[[nodiscard]] inline boot::Mailbox take_mailbox()
{
    auto* there = reinterpret_cast<boot::Mailbox*>(boot::mailbox_physical);
    const boot::Mailbox copy = *there;
    if (copy.is_sound())
        there->magic = 0;
    return copy;
}

}  // namespace bulkhead::loader
