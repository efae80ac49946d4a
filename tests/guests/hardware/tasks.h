/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that tasks.S and tasks.cpp share, beside those of layout.h. */
#pragma once

#define CALLED 0x40                 /* descriptors of tasks; the first one's is TASK */
#define FAULT 0x48
#define JUMPED 0x50
#define NO_SEGMENT 0xfff8           /* behind the table's end */
#define KEPT 0x5a17c0de             /* in registers */
#define MARK 0xb000                 /* in the page behind WINDOW: which page tables these are */
