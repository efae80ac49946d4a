// SPDX-License-Identifier: BSD-2-Clause
// One image for a USB stick, a SATA disk or eMMC that starts both ways: by our boot sector and second
// stage (BIOS), and by the UEFI loader in its EFI system partition. Both start one of two slots.
#pragma once

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

struct DiskParts {
    View boot_sector;           // code of the MBR, at most 440 bytes
    View second_stage;          // in the sectors between the partition table and the first partition
    View efi_file;
    View slot_a;
    View slot_b;                // may be empty
    uint64_t slot_bytes;        // room of each; 0: what fits, with some to grow
};
[[nodiscard]] Outcome<Bytes> make_disk(const DiskParts& parts);

// Where the second stage lies, known to the boot sector too.
inline constexpr uint32_t second_stage_sector = 34;

}  // namespace bulkhead::tool
