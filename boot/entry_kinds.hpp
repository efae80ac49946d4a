// SPDX-License-Identifier: BSD-2-Clause
// How the image was entered: from start.S to boot_main(). Used by assembly too.
#pragma once

#define BOOT_ENTRY_UNKNOWN    0
#define BOOT_ENTRY_PVH        1
#define BOOT_ENTRY_MULTIBOOT2 2
#define BOOT_ENTRY_LOADER     3

// In EAX when one of our own loaders enters at the ELF's entry point, EBX: its struct Handover.
#define BOOT_LOADER_MAGIC     0x4b4c4842      /* "BHLK" */
