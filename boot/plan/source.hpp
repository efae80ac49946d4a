// SPDX-License-Identifier: BSD-2-Clause
// From a plan's file to its tree: dtc does the syntax and reports its own errors.
#pragma once

#include <string>

#include "boot/plan/outcome.hpp"
#include "boot/plan/tree.hpp"

namespace bulkhead::tool {

// Fails with what dtc said, ready to be printed.
[[nodiscard]] Outcome<Node> load_source(const std::string& path);

}  // namespace bulkhead::tool
