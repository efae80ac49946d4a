// SPDX-License-Identifier: BSD-2-Clause
// Segment selectors of the core's page of the GDT. Guests see the flat ring-3 ones, whose values the
// PV ABI states. Source: xen/include/public/arch-x86/xen-x86_64.h, FLAT_RING3_CS64 and its kin;
// xen.h, FIRST_RESERVED_GDT_ENTRY.
#pragma once

// clang-format off
#define SELECTOR_CORE_CODE  0xe008
#define SELECTOR_CORE_DATA  0xe010
#define SELECTOR_GUEST_CS32 0xe023
#define SELECTOR_GUEST_DATA 0xe02b
#define SELECTOR_GUEST_CS64 0xe033
#define SELECTOR_TASK       0xe040      // two entries
#define SELECTOR_LDT        0xe050      // two entries
// clang-format on

#define SELECTOR_FIRST_BYTE 0xe000      // offset of the core's page in every GDT
