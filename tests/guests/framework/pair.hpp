// SPDX-License-Identifier: BSD-2-Clause
// Claims about two partitions: the same guest runs in both, with `role=first peer=N` or `role=second
// peer=N` on its command line, N being the other's domain id. They meet in a page that the first one
// grants, and go on in steps.
#pragma once

#include "framework/memory.hpp"
#include "framework/traps.hpp"

extern "C" {
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/sched.h>
}

struct MeetingPage {
    volatile uint32_t step[2];
    volatile uint64_t word[32];          // for the claim
};

struct Pair {
    bool first;
    uint16_t peer;
    MeetingPage* page;
};
extern Pair pair;

// Once, after install_traps(). Ends the test as failed if the other does not come in a minute.
void meet();
// Both get there before either goes on.
void step(uint32_t number);

// Version 1; references from first_reference on are the claim's.
inline constexpr unsigned first_reference = 32;
extern grant_entry_v1_t* grant_table;
unsigned grant_to(uint16_t domain, unsigned reference, const void* page, unsigned flags = GTF_permit_access);
[[nodiscard]] bool end_grant(unsigned reference);
[[nodiscard]] gnttab_map_grant_ref_t map_grant(uint16_t domain, unsigned reference, void* at, unsigned flags);
[[nodiscard]] long unmap_grant(void* at, uint32_t handle);
