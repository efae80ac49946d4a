// SPDX-License-Identifier: BSD-2-Clause
// A plan as a tree of nodes and properties, each with the place in the source that wrote it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "boot/plan/bytes.hpp"
#include "boot/plan/outcome.hpp"
#include "boot/plan/report.hpp"

namespace bulkhead::tool {

struct Property {
    std::string name;
    Location at;
    Bytes value;
};

struct Node {
    std::string name;
    Location at;
    std::vector<Property> properties;  // duplicates included, in the order of the source
    std::vector<Node> children;

    [[nodiscard]] const Property* property(std::string_view wanted) const;
    [[nodiscard]] const Node* child(std::string_view wanted) const;
};

// The tree that a flattened device tree holds, without places. Hostile bytes are refused.
[[nodiscard]] Outcome<Node> parse_tree(View dtb);

}  // namespace bulkhead::tool
