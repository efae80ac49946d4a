// SPDX-License-Identifier: BSD-2-Clause
// The tool from its command line to its files.
#pragma once

#include <ostream>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

// Returns the exit status: 0, 1 for a plan or file that is refused, 2 for a wrong command line.
int run_tool(const std::vector<std::string_view>& arguments, std::ostream& out, std::ostream& err);

}  // namespace bulkhead::tool
