// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/transactions.hpp"

#include "pvdrivers/store/accounts.hpp"
#include "pvdrivers/store/scratch.hpp"
#include "pvdrivers/store/watches.hpp"

#include <cerrno>

namespace bulkhead::store {

namespace {

std::string_view path_text(Region& region, const store_record& entry, std::span<char, XENSTORE_ABS_PATH_MAX> buffer)
{
    name_of(region, entry).read(buffer.data(), entry.name_bytes);
    return {buffer.data(), entry.name_bytes};
}

Reference find_hashed(Region& region, Reference transaction, std::string_view path, uint32_t hash)
{
    for (Reference cell = region.path_bucket(hash); cell != 0;) {
        const store_record& record = region.record(cell);
        if (record.kind == STORE_ENTRY && record.hash == hash && record.entry.transaction == transaction &&
            has_name(region, record, path))
            return cell;
        cell = record.hash_next;
    }
    return 0;
}

// Whether the transaction removed something above the path, so that it sees nothing there of others.
bool is_hidden(Region& region, Reference transaction, std::string_view path)
{
    if (region.record(transaction).transaction.changes == 0)
        return false;
    Components at(path, region.header().hash_seed);
    while (at.next() && !at.is_last()) {
        const Reference entry = find_hashed(region, transaction, at.prefix(), at.hash());
        if (entry != 0 && (region.record(entry).flags & STORE_ENTRY_REMOVED) != 0)
            return true;
    }
    return false;
}

// What the transaction sees at a path for which it has this entry, or none.
Reference peek_behind(Region& region, Reference transaction, Reference entry, std::string_view path)
{
    const uint8_t flags = entry != 0 ? region.record(entry).flags : uint8_t{0};
    if ((flags & STORE_ENTRY_WRITTEN) != 0)
        return entry;
    if ((flags & STORE_ENTRY_REMOVED) != 0 || (transaction != 0 && is_hidden(region, transaction, path)))
        return 0;
    return find_exact(region, path);
}

void append(Region& region, store_record& owner, Reference cell)
{
    store_transaction& transaction = owner.transaction;
    store_record& entry = region.record(cell);
    region.set(entry.entry.next, 0);
    region.set(entry.entry.previous, transaction.last);
    region.set(transaction.last != 0 ? region.record(transaction.last).entry.next : transaction.first, cell);
    region.set(transaction.last, cell);
}

// A change is carried out after those that came before it.
void move_to_end(Region& region, store_record& owner, Reference cell)
{
    store_transaction& transaction = owner.transaction;
    if (transaction.last == cell)
        return;
    const store_entry entry = region.record(cell).entry;
    region.set(entry.previous != 0 ? region.record(entry.previous).entry.next : transaction.first, entry.next);
    region.set(region.record(entry.next).entry.previous, entry.previous);
    append(region, owner, cell);
}

Error add_entry(Region& region, store_client& client, Reference transaction, std::string_view path, Reference& cell)
{
    store_record& owner = region.record(transaction);
    if (owner.transaction.count >= client.quota.transaction_nodes)
        return ENOSPC;
    if (const Error error = pay(region, &client, 0, record_cells(path.size())))
        return error;
    const uint32_t hash = hash_path(path, region.header().hash_seed);
    cell = make_record(region, STORE_ENTRY, hash, {{}, path, {}});
    if (cell == 0)
        return ENOMEM;
    store_record& record = region.record(cell);
    region.put(record.entry.transaction, transaction);
    if (!is_hidden(region, transaction, path)) {
        const Reference node = find_exact(region, path);
        const Generation base = node != 0 ? generation_of(region.record(node)) : 0;
        region.put(record.flags, uint8_t{STORE_ENTRY_CHECKED});
        region.put(record.entry.base_low, static_cast<uint32_t>(base));
        region.put(record.entry.base_high, static_cast<uint32_t>(base >> 32));
    }
    region.put(record.hash_next, region.path_bucket(hash));
    region.set(region.path_bucket(hash), cell);
    append(region, owner, cell);
    region.set(owner.transaction.count, owner.transaction.count + 1);
    return 0;
}

Error entry_for(Region& region, store_client& client, Reference transaction, std::string_view path, Reference& cell)
{
    cell = find_entry(region, transaction, path);
    return cell != 0 ? 0 : add_entry(region, client, transaction, path, cell);
}

Error change_entry(Region& region, store_client& client, store_record& entry, const Content& content)
{
    refund(region, &client, 0, record_cells(text_bytes(entry)));
    if (const Error error = pay(region, &client, 0, record_cells(content.bytes())))
        return error;
    return replace_text(region, entry, content);
}

void free_entry(Region& region, store_client& client, Reference cell)
{
    store_record& entry = region.record(cell);
    Reference* link = &region.path_bucket(entry.hash);
    while (*link != cell)
        link = &region.record(*link).hash_next;
    region.set(*link, entry.hash_next);
    refund(region, &client, 0, record_cells(text_bytes(entry)));
    region.set(entry.kind, uint16_t{0});
    region.give_back(cell);
}

// Whether nobody else changed what the entry is about.
bool is_unchanged(Region& region, const store_record& entry, std::string_view path)
{
    const Reference node = find_exact(region, path);
    const Generation base = uint64_t{entry.entry.base_high} << 32 | entry.entry.base_low;
    if ((entry.flags & STORE_ENTRY_CHECKED) != 0 && base != (node != 0 ? generation_of(region.record(node)) : 0))
        return false;
    if ((entry.flags & STORE_ENTRY_REMOVED) == 0 || node == 0)
        return true;
    // Nor anything below it since it was removed.
    const Generation removed = uint64_t{entry.entry.removed_high} << 32 | entry.entry.removed_low;
    for (Reference below = node; below != 0; below = next_below(region, node, below)) {
        if (generation_of(region.record(below)) > removed)
            return false;
    }
    return true;
}

Error apply(Region& region, const store_record& entry, std::string_view path)
{
    Reference node = find_exact(region, path);
    if ((entry.flags & STORE_ENTRY_REMOVED) != 0 && node != 0) {
        fire_removed(region, path, node);
        remove_node(region, node);
        node = 0;
    }
    if ((entry.flags & STORE_ENTRY_WRITTEN) == 0)
        return 0;
    const Permissions permissions = permissions_of(region, entry);
    value_of(region, entry).read(scratch.value.data(), entry.value_bytes);
    const std::string_view value(scratch.value.data(), entry.value_bytes);
    Permissions former = permissions;
    Error error = 0;
    if (node != 0) {
        former = permissions_of(region, region.record(node));
        error = change_node(region, node, permissions.span(), value);
    } else {
        const Reference parent = find_exact(region, Path::parent_of(path));
        if (parent == 0)
            return EAGAIN;
        error = make_node(region, parent, path, permissions.span(), value);
        node = error == 0 ? find_exact(region, path) : 0;
    }
    if (error == 0)
        fire(region, path, node, &former);
    return error;
}

}  // namespace

Scratch scratch;

Reference find_transaction(Region& region, const store_client& client, uint32_t id)
{
    for (Reference cell = client.transactions; cell != 0; cell = region.record(cell).transaction.next) {
        if (region.record(cell).transaction.id == id)
            return cell;
    }
    return 0;
}

Error start_transaction(Region& region, store_client& client, uint32_t& id)
{
    if (client.transaction_count >= client.quota.transactions)
        return ENOSPC;
    if (const Error error = pay(region, &client, 0, record_cells(0)))
        return error;
    const Reference cell = make_record(region, STORE_TRANSACTION, 0, {});
    if (cell == 0)
        return ENOMEM;
    id = client.next_transaction;
    do {
        ++id;
    } while (id == 0 || find_transaction(region, client, id) != 0);
    store_transaction& transaction = region.record(cell).transaction;
    region.put(transaction.client, static_cast<uint32_t>(&client - region.clients().data()));
    region.put(transaction.id, id);
    region.put(transaction.next, client.transactions);
    region.set(client.transactions, cell);
    region.set(client.transaction_count, client.transaction_count + 1);
    region.set(client.next_transaction, id);
    return 0;
}

Error apply_transaction(Region& region, Reference transaction)
{
    std::array<char, XENSTORE_ABS_PATH_MAX> path;
    const Reference first = region.record(transaction).transaction.first;
    for (Reference cell = first; cell != 0; cell = region.record(cell).entry.next) {
        const store_record& entry = region.record(cell);
        if (!is_unchanged(region, entry, path_text(region, entry, path)))
            return EAGAIN;
    }
    for (Reference cell = first; cell != 0; cell = region.record(cell).entry.next) {
        const store_record& entry = region.record(cell);
        if (const Error error = apply(region, entry, path_text(region, entry, path)))
            return error;
    }
    return 0;
}

void drop_transaction(Region& region, store_client& client, Reference cell)
{
    store_record& record = region.record(cell);
    for (Reference entry = record.transaction.first; entry != 0;) {
        const Reference next = region.record(entry).entry.next;
        free_entry(region, client, entry);
        entry = next;
    }
    Reference* link = &client.transactions;
    while (*link != cell)
        link = &region.record(*link).transaction.next;
    region.set(*link, record.transaction.next);
    region.set(client.transaction_count, client.transaction_count - 1);
    refund(region, &client, 0, record_cells(0));
    region.set(record.kind, uint16_t{0});
    region.give_back(cell);
}

Reference find_entry(Region& region, Reference transaction, std::string_view path)
{
    return find_hashed(region, transaction, path, hash_path(path, region.header().hash_seed));
}

Reference peek(Region& region, Reference transaction, std::string_view path)
{
    return peek_behind(region, transaction, transaction != 0 ? find_entry(region, transaction, path) : 0, path);
}

Error note(Region& region, store_client& client, Reference transaction, std::string_view path)
{
    Reference entry = 0;
    return transaction != 0 ? entry_for(region, client, transaction, path, entry) : 0;
}

Error note_and_peek(Region& region, store_client& client, Reference transaction, std::string_view path, Reference& record)
{
    Reference entry = 0;
    if (const Error error = transaction != 0 ? entry_for(region, client, transaction, path, entry) : 0)
        return error;
    record = peek_behind(region, transaction, entry, path);
    return 0;
}

Error write_in(Region& region, store_client& client, Reference transaction, std::string_view path,
               std::span<const Permission> permissions, std::string_view value)
{
    Reference cell = 0;
    if (const Error error = entry_for(region, client, transaction, path, cell))
        return error;
    store_record& owner = region.record(transaction);
    store_record& entry = region.record(cell);
    if (const Error error = change_entry(region, client, entry, {permissions, path, value}))
        return error;
    if ((entry.flags & STORE_ENTRY_WRITTEN) == 0) {
        region.set(entry.flags, static_cast<uint8_t>(entry.flags | STORE_ENTRY_WRITTEN));
        move_to_end(region, owner, cell);
    }
    region.set(owner.transaction.changes, owner.transaction.changes + 1);
    return 0;
}

Error remove_in(Region& region, store_client& client, Reference transaction, std::string_view path)
{
    Reference cell = 0;
    if (const Error error = entry_for(region, client, transaction, path, cell))
        return error;
    store_record& owner = region.record(transaction);
    for (Reference at = owner.transaction.first; at != 0; at = region.record(at).entry.next) {
        store_record& entry = region.record(at);
        std::array<char, XENSTORE_ABS_PATH_MAX> text;
        if ((entry.flags & STORE_ENTRY_WRITTEN) == 0 || !is_below(path_text(region, entry, text), path))
            continue;
        if (const Error error = change_entry(region, client, entry, {{}, path_text(region, entry, text), {}}))
            return error;
        region.set(entry.flags, static_cast<uint8_t>(entry.flags & ~STORE_ENTRY_WRITTEN));
    }
    store_record& entry = region.record(cell);
    const Generation now = region.generation();
    region.set(entry.flags, static_cast<uint8_t>(entry.flags | STORE_ENTRY_REMOVED));
    region.set(entry.entry.removed_low, static_cast<uint32_t>(now));
    region.set(entry.entry.removed_high, static_cast<uint32_t>(now >> 32));
    move_to_end(region, owner, cell);
    region.set(owner.transaction.changes, owner.transaction.changes + 1);
    return 0;
}

bool is_new_child(Region& region, const store_record& entry, std::string_view parent)
{
    if ((entry.flags & STORE_ENTRY_WRITTEN) == 0)
        return false;
    std::array<char, XENSTORE_ABS_PATH_MAX> text;
    const std::string_view path = path_text(region, entry, text);
    if (path == "/" || Path::parent_of(path) != parent)
        return false;
    // One that others see too is among the children of the node.
    return (entry.flags & STORE_ENTRY_REMOVED) != 0 || is_hidden(region, entry.entry.transaction, path) ||
           find_exact(region, path) == 0;
}

}  // namespace bulkhead::store
