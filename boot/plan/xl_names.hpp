// SPDX-License-Identifier: BSD-2-Clause
// Properties that people carry over from an xl file and that cannot take effect here, with the reason.
#pragma once

#include <span>

#include "boot/plan/fields.hpp"

namespace bulkhead::tool {

[[nodiscard]] std::span<const Foreign> xl_names();

}  // namespace bulkhead::tool
