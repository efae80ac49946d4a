/* SPDX-License-Identifier: BSD-2-Clause */
/* Where things are below 1 MiB in the hardware fuzzing guest, for assembly and C++. The kernel is above. */
#pragma once

#include "hardware/layout.h"

#define CODE64_USER 0x43
#define CODE32_USER 0x4b
#define DATA_USER 0x53
#define TASK64 0x58
#define TASK32 0x68
#define CODE16_FLAT 0x78
#define DESCRIPTORS_END 0x80

#define EXCEPTION_STACK 0x6ff0
#define BLOCK 0x7000                /* how an operation begins: struct Block */
#define DESCRIPTORS 0x7800          /* GDT; LTR writes to it */
#define TRAMPOLINE 0x8000           /* never written to by a guest with paging; begins with the real-mode start */
#define GATES64 0xa000
#define GATES32 0xb000
#define TASKS 0xb800
#define PROTECTED_END 0xc000
#define RANDOM_STACK 0xf000
#define RANDOM_CODE 0x20000
#define RANDOM_CODE_BYTES 0x400
#define ARENA 0x30000
#define ARENA_BYTES 0x10000
#define STUB_BYTES 16

/* Offsets in struct Block. */
#define BLOCK_EFER 0
#define BLOCK_CR3 4
#define BLOCK_CR4 8
#define BLOCK_CR0 12
#define BLOCK_TASK 16
#define BLOCK_GATES 20              /* 6 bytes */
#define BLOCK_REAL 28
#define BLOCK_DS 32
#define BLOCK_SS 36
#define BLOCK_ESP 40
#define BLOCK_FLAGS 44

#define STARTED 0x100               /* what came was a start-up IPI */
