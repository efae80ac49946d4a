// SPDX-License-Identifier: BSD-2-Clause
// Where the slots lie in a flash that the CPU sees below 4 GiB; the host tool writes it behind the mark
// of the ROM loader, which is the end of the same flash.
#pragma once

#include <array>
#include <cstdint>

namespace bulkhead::loader {

struct FlashLayout {
    std::array<char, 16> mark;              // "BULKHEAD-FLASH-:"
    uint32_t flash_bytes;                   // ends at 4 GiB
    uint32_t slot_bytes;                    // of each of the two, from the flash's beginning
    uint32_t state_offset;                  // two blocks of state_block_bytes
    uint32_t reserved;
};
static_assert(sizeof(FlashLayout) == 32);

inline constexpr uint32_t flash_block_bytes = 0x10000;      // what every SPI flash can erase
inline constexpr uint32_t flash_loader_bytes = 0x10000;
inline constexpr uint32_t flash_state_bytes = 0x10000;

}  // namespace bulkhead::loader
