// SPDX-License-Identifier: BSD-2-Clause
// Against Meltdown: the top-level tables that PV guests run on are copies of their own, in which all but
// a few pages of the core is absent. Only where the CPU needs it; elsewhere nothing of this is used.
#pragma once

#include "core/types.hpp"

#include <atomic>
#include <cstdint>
#include <span>

namespace bulkhead {

struct Partition;
struct Vcpu;

namespace machine {

// One copy: of which table, and as of which of the partition's changes to top-level tables.
struct GuestView {
    Mfn copy;
    Mfn of;                 // raw 0: of none
    uint32_t changes;
};

// Makes the part that all copies share, and the copies of all PV vCPUs. Start-up only, when all CPUs
// and descriptor windows have been made.
void make_guest_views(std::span<Partition> partitions);

// The running vCPU's tables are others than before, or its mode is: what it goes on with.
extern constinit bool guests_have_views;
[[gnu::always_inline]] inline void choose_view(Vcpu& vcpu)
{
    // By a function that saves all registers: hot paths around this need not (guest_view.S).
    if (guests_have_views) [[unlikely]] {
        asm volatile("call view_choose" : : "D"(&vcpu) : "memory", "cc");
    }
}

// The same in a switch of vCPUs, which is an ordinary function.
void load_any_view(Vcpu& vcpu);
inline void load_view(Vcpu& vcpu)
{
    if (guests_have_views) [[unlikely]]
        load_any_view(vcpu);
}

// An entry of one of the partition's top-level tables has changed: every CPU that runs the partition
// renews its copy before the next instruction that its guest executes after entering the core.
void renew_views(Partition& partition);

// Whether a page fault of the running vCPU may come from a copy that is behind its table: another CPU
// has changed it. Renews it then.
[[nodiscard]] bool copy_is_behind(const Vcpu& vcpu);
[[nodiscard, gnu::always_inline]] inline bool view_is_behind(const Vcpu& vcpu)
{
    return guests_have_views && copy_is_behind(vcpu);
}

}  // namespace machine

}  // namespace bulkhead
