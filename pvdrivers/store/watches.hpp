// SPDX-License-Identifier: BSD-2-Clause
// Watches, and the events that wait to be sent. Nobody who changes a node ever waits for a client
// that does not read its events: the same event is queued once, and when a client's queue is full,
// all that a watch still has to tell becomes one event for the watch's own path.
// Source: xen/docs/misc/xenstore.txt, "Watches".
#pragma once

#include "pvdrivers/store/tree.hpp"

namespace bulkhead::store {

// Levels below its path of which a watch still tells; all without one.
inline constexpr uint32_t any_depth = UINT32_MAX;

// EEXIST, E2BIG beyond the quota, ENOMEM. Its first event is queued.
[[nodiscard]] Error add_watch(Region& region, store_client& client, const Path& path, std::string_view token, uint32_t depth);
// ENOENT.
[[nodiscard]] Error remove_watch(Region& region, store_client& client, std::string_view path, std::string_view token);
void drop_watch(Region& region, store_client& client, Reference watch);

// A node was made or changed: tells everybody who watches it or above, and may read it or its
// parent, or might have read it before (`former`, null if its permissions are the same).
void fire(Region& region, std::string_view path, Reference node, const Permissions* former = nullptr);
// A node will be removed with all below it.
void fire_removed(Region& region, std::string_view path, Reference node);
// Of a special name.
void fire_special(Region& region, std::string_view name);

// Queues what merged events left to tell, as far as there is room.
void queue_merged(Region& region, store_client& client);
[[nodiscard]] bool can_queue_merged(const store_client& client);

// Takes the first of a client's messages off its queue.
void drop_message(Region& region, store_client& client);

}  // namespace bulkhead::store
