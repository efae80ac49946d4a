// SPDX-License-Identifier: BSD-2-Clause
// The nodes that the plan wants: a sequence of path NUL permissions NUL value NUL. Permissions are
// written as in xs, separated by commas ("n0,r1"); a relative path is below the client's own; an
// empty one is the client's own node.
#pragma once

#include "pvdrivers/store/path.hpp"
#include "pvdrivers/store/permissions.hpp"

namespace bulkhead::store {

struct PlannedNode {
    Path path;
    Permissions permissions;
    std::string_view value;
};

// Takes the first node off the list. False at the end or before one that is malformed; the list is
// empty only at the end.
[[nodiscard]] bool next_planned_node(std::string_view& list, uint32_t domain, PlannedNode& node);

// Makes a planned node, or gives an existing one the planned contents. Within an operation.
[[nodiscard]] Error make_planned_node(Region& region, const PlannedNode& node);

}  // namespace bulkhead::store
