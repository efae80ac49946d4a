// SPDX-License-Identifier: BSD-2-Clause
// Reads back what `dtc -O dts -T -T` prints: the tree once more, with a comment behind each node and
// property that says where it was written. dtc followed the includes, so it knows best.
#pragma once

#include <string>
#include <string_view>

#include "boot/plan/tree.hpp"

namespace bulkhead::tool {

// Gives every node and property of `tree`, which was compiled from the same source, its place.
// What is not annotated gets the place of the node around it, and the root gets `file`.
void place(Node& tree, std::string_view annotated, const std::string& file);

// The first place in "a.dts:6:21-8:93, b.dtsi:11:26-11:44"; line 0 if there is none.
[[nodiscard]] Location parse_place(std::string_view comment);

}  // namespace bulkhead::tool
