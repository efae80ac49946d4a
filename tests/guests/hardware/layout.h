/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that the assembly and the C++ of these guests share. */
#pragma once

#define CODE64 0x08
#define DATA32 0x10
#define CODE32 0x18
#define CODE16 0x20
#define DATA16 0x28
#define LIMITED 0x30                /* ends after 4 KiB */
#define TASK 0x38

#define CR0_PE 0x1
#define CR0_PG 0x80000000
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define EFER 0xC0000080
#define EFER_LME 0x100

/* Below 64 KiB, for 16-bit code: */
#define LOW_STACK 0x7ff0
#define LOW_CODE 0x8000             /* where the 16-bit code is copied to */
#define COUNTS 0xa000               /* of each vector, 32 bits */
#define LAST_ERROR 0xa400           /* of the last exception */
#define LAST_IP 0xa404
#define LAST_CR2 0xa408
#define LAST_DR6 0xa40c
#define RESUME 0xa410               /* where a fault goes on */
#define IS_INTEL 0xa414
#define RECORDS 0xb000              /* what was seen, one record a mode */

#define WINDOW 0x50000000           /* a page that only page tables show; the next is not present */

#define VECTOR_SOFT 0x20
#define VECTOR_LEAVE 0x21           /* out of virtual-8086 mode */
#define VECTOR_SELF 0x60
#define VECTOR_TIMER 0x70
