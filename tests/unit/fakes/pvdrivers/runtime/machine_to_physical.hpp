// SPDX-License-Identifier: BSD-2-Clause
// Machine frames are pages in another order: the test's own table.
#pragma once

#include "pvdrivers/runtime/layout.hpp"

#include <map>

namespace bulkhead {

inline std::map<uint64_t, uint64_t> fake_machine_to_physical;
[[nodiscard]] inline Pfn pfn_of(Mfn mfn) { return Pfn(fake_machine_to_physical.at(raw(mfn))); }

}  // namespace bulkhead
