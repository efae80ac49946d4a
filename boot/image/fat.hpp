// SPDX-License-Identifier: BSD-2-Clause
// A FAT16 volume with one file, \EFI\BOOT\BOOTX64.EFI: all that the firmware needs to start us from a
// disk. The same every time: no dates, no random serial number.
#pragma once

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

// `hidden_sectors`: what lies before the volume on its disk.
[[nodiscard]] Outcome<Bytes> make_fat(View boot_file, uint32_t sectors, uint32_t hidden_sectors);

}  // namespace bulkhead::tool
