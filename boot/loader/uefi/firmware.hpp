// SPDX-License-Identifier: BSD-2-Clause
// The firmware's services as the loader needs them.
#pragma once

#include "boot/loader/gpt.hpp"
#include "boot/loader/load.hpp"
#include "boot/loader/pe.hpp"
#include "boot/loader/uefi/abi.hpp"

namespace bulkhead::loader::uefi {

// Before everything else. False: not even a message can be given.
[[nodiscard]] bool open_firmware(Handle image, SystemTable* system);
[[nodiscard]] const LoadedImage& own_image();
[[nodiscard]] Handle own_image_handle();
void say(const char* text);
[[nodiscard]] LoaderServices services();

// The disk with the partition that this program was started from. Null, or why there is none.
[[nodiscard]] const char* open_boot_disk(Disk& disk);

// Vendor, tables, command line.
void describe_firmware(boot::Handover& handover);
// Writes the memory map and takes the machine over. After null, no service of the firmware exists. Else
// nothing has changed, and the sentence says why.
[[nodiscard]] const char* leave_firmware(const CoreCopy& core, boot::Handover& handover);

}  // namespace bulkhead::loader::uefi
