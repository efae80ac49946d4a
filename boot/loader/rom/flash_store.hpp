// SPDX-License-Identifier: BSD-2-Clause
// Slots and state in the flash that this loader is in, as the CPU sees it below 4 GiB.
#pragma once

#include "boot/loader/flash_layout.hpp"
#include "boot/loader/select_slot.hpp"

namespace bulkhead::loader::rom {

// Null, or why the loader's layout cannot be that of this flash.
[[nodiscard]] const char* open_flash(SlotStore& store);

}  // namespace bulkhead::loader::rom
