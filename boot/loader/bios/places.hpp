// SPDX-License-Identifier: BSD-2-Clause
// Where the BIOS loader's pieces lie in low memory. Used by assembly and the linker script's asserts too.
#pragma once

// clang-format off
#define BIOS_BOOT_SECTOR    0x7c00
#define BIOS_SECOND_STAGE   0x8000      // code, data, up to BIOS_BOUNCE
#define BIOS_BOUNCE         0x20000     // 32 KiB that INT 13h reads into
#define BIOS_BOUNCE_BYTES   0x8000
#define BIOS_PAGE_TABLES    0x30000     // six pages
#define BIOS_STACK_END      0x60000
#define BIOS_STAGE_SECTOR   34          // on the disk, behind the partition table
// clang-format on
