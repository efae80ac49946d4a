// SPDX-License-Identifier: BSD-2-Clause
// Where the ROM loader's pieces lie. Used by assembly and the linker script's asserts too.
#pragma once

// clang-format off
#define ROM_LOADER_BYTES    0x10000         // the end of the flash, up to 4 GiB
#define ROM_RUN_AT          0x10000         // the loader runs in memory
#define ROM_PAGE_TABLES     0x40000         // six pages
#define ROM_STACK_END       0x80000
// clang-format on
