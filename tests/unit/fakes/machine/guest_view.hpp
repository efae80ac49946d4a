// SPDX-License-Identifier: BSD-2-Clause
// Fake: a test says whether the copy of a top-level table is behind.
#pragma once

#include "core/types.hpp"

#include <cstdint>

namespace bulkhead {

struct Partition;
struct Vcpu;

namespace machine {

struct GuestView {
    Mfn copy;
    Mfn of;
    uint32_t changes;
};

inline uint64_t views_chosen;
inline uint64_t views_renewed;
inline void choose_view(Vcpu&) { ++views_chosen; }
inline void load_view(Vcpu&) { ++views_chosen; }
inline void renew_views(Partition&) { ++views_renewed; }

inline bool view_behind;
[[nodiscard]] inline bool view_is_behind(const Vcpu&) { return view_behind; }

}  // namespace machine

}  // namespace bulkhead
