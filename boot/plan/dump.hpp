// SPDX-License-Identifier: BSD-2-Clause
// A compiled plan, read back out of an image: what the core will see.
#pragma once

#include <string>

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"

namespace bulkhead::tool {

// One "name = value" a line; the plan is checked first, payloads against their checksums too.
[[nodiscard]] Outcome<std::string> dump_image(View image);

}  // namespace bulkhead::tool
