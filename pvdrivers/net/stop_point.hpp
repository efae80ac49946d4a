// SPDX-License-Identifier: BSD-2-Clause
// Where a back end may stop for ever: called before each change of a ring or of the persistent region.
// In the service it is nothing; host tests put a function in its place that ends the run there.
#pragma once

namespace bulkhead::net {

inline void stop_point() {}

}  // namespace bulkhead::net
