// SPDX-License-Identifier: BSD-2-Clause
// All of bulkhead-image: files in, files out, and what is said about them.
#pragma once

#include <ostream>
#include <string_view>
#include <vector>

namespace bulkhead::tool {

// 0, 1 after a refusal, 2 for a command line that cannot be understood.
int run_image_tool(const std::vector<std::string_view>& arguments, std::ostream& out, std::ostream& err);

}  // namespace bulkhead::tool
