// SPDX-License-Identifier: BSD-2-Clause
// Transactions. Each keeps entries for the paths that it looked at or changed. Nobody else sees them
// until the end, and the end succeeds only if everything that was looked at is still as it was
// (generations tell); otherwise the client gets EAGAIN and begins anew.
#pragma once

#include "pvdrivers/store/tree.hpp"

namespace bulkhead::store {

// 0: there is none of this id.
[[nodiscard]] Reference find_transaction(Region& region, const store_client& client, uint32_t id);
// ENOSPC beyond the quota, ENOMEM.
[[nodiscard]] Error start_transaction(Region& region, store_client& client, uint32_t& id);
// EAGAIN after a conflict; ENOSPC, ENOMEM. The transaction stays, whatever the answer.
[[nodiscard]] Error apply_transaction(Region& region, Reference transaction);
void drop_transaction(Region& region, store_client& client, Reference transaction);

// The transaction's entry for a path, 0 if it has none.
[[nodiscard]] Reference find_entry(Region& region, Reference transaction, std::string_view path);
// The record of a path as the transaction sees it (a node or an entry), 0 if there is nothing.
[[nodiscard]] Reference peek(Region& region, Reference transaction, std::string_view path);
// Notes what the transaction saw at a path, for the check at its end. ENOSPC, ENOMEM.
[[nodiscard]] Error note(Region& region, store_client& client, Reference transaction, std::string_view path);
// Both at once.
[[nodiscard]] Error note_and_peek(Region& region, store_client& client, Reference transaction, std::string_view path,
                                  Reference& record);
[[nodiscard]] Error write_in(Region& region, store_client& client, Reference transaction, std::string_view path,
                             std::span<const Permission> permissions, std::string_view value);
[[nodiscard]] Error remove_in(Region& region, store_client& client, Reference transaction, std::string_view path);

// Whether an entry is a child of `parent` that exists in the transaction only.
[[nodiscard]] bool is_new_child(Region& region, const store_record& entry, std::string_view parent);

}  // namespace bulkhead::store
