// SPDX-License-Identifier: BSD-2-Clause
// Where the host tool writes down where it put the compiled plan. Without it the image has none.
#include "core/plan.hpp"

namespace bulkhead {

extern const plan::Anchor plan_anchor;
[[gnu::section(".plan_anchor"), gnu::used]] constinit const plan::Anchor plan_anchor{
    {'B', 'U', 'L', 'K', 'H', 'E', 'A', 'D', '-', 'P', 'L', 'A', 'N', '-', 'A', 'T'}, 0, 0};

}  // namespace bulkhead
