// SPDX-License-Identifier: BSD-2-Clause
// Where the store may stop for ever: called before each change of its persistent region. In the
// service it is nothing; host tests put a function in its place that ends the run there.
#pragma once

namespace bulkhead::store {

inline void stop_point() {}

}  // namespace bulkhead::store
