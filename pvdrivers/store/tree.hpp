// SPDX-License-Identifier: BSD-2-Clause
// The tree of nodes: finding, making, changing and removing them, with the accounts of their owners.
// No rights are asked here and no events are sent.
#pragma once

#include "pvdrivers/store/path.hpp"
#include "pvdrivers/store/permissions.hpp"
#include "pvdrivers/store/text.hpp"

namespace bulkhead::store {

// How far a path exists.
struct Found {
    Reference node;        // of the last component that exists
    bool whole;            // that is the path's own
    size_t length;         // characters of the path that exist
};

[[nodiscard]] Found find_node(Region& region, std::string_view path);
// The node, or 0.
[[nodiscard]] inline Reference find_exact(Region& region, std::string_view path)
{
    const Found found = find_node(region, path);
    return found.whole ? found.node : 0;
}

// Makes "/", "@" and the two special nodes in a new region.
[[nodiscard]] Error make_first_nodes(Region& region);

// A child that does not exist yet. `path` is the child's own. ENOSPC beyond a quota, ENOMEM.
[[nodiscard]] Error make_node(Region& region, Reference parent, std::string_view path, std::span<const Permission> permissions,
                              std::string_view value);
// Changes value and permissions; pays or returns the difference.
[[nodiscard]] Error change_node(Region& region, Reference node, std::span<const Permission> permissions, std::string_view value);

// Takes a node with all below it out of the tree. take_apart() returns its cells.
void remove_node(Region& region, Reference node);
// Gives back one removed node, as an operation of its own. False: there is none.
bool take_apart(Region& region);

// The whole path of a node; false if it is longer than a path can be (it never is in a sound region).
[[nodiscard]] bool path_of(Region& region, Reference node, Path& path);

// The next node after `node` in the subtree of `top`, parents first; 0 at the end.
[[nodiscard]] Reference next_below(Region& region, Reference top, Reference node);

[[nodiscard]] inline Generation generation_of(const store_record& node)
{
    return uint64_t{node.node.generation_high} << 32 | node.node.generation_low;
}

// The permissions that a new node gets: its parent's, owned by who made it.
[[nodiscard]] Permissions inherited(Region& region, const store_record& parent, const Subject& maker);

}  // namespace bulkhead::store
