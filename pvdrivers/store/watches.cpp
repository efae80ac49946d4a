// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/watches.hpp"

#include "pvdrivers/store/accounts.hpp"

#include <algorithm>
#include <cerrno>

namespace bulkhead::store {

namespace {

uint32_t index_of(Region& region, const store_client& client)
{
    return static_cast<uint32_t>(&client - region.clients().data());
}

// How the watch's client calls the path.
std::string_view as_watched(const store_client& client, const store_record& watch, std::string_view path)
{
    if ((watch.flags & STORE_WATCH_RELATIVE) == 0)
        return path;
    char own[domain_path_bytes];
    return path.substr(domain_path(client.domain, own) + 1);
}

void merge(Region& region, store_client& client, store_record& watch)
{
    region.put(client.events_merged, client.events_merged + 1);
    if ((watch.flags & STORE_WATCH_MERGED) != 0)
        return;
    region.set(watch.flags, static_cast<uint8_t>(watch.flags | STORE_WATCH_MERGED));
    region.set(client.merged, client.merged + 1);
}

bool waits_already(Region& region, const store_client& client, Reference watch, uint32_t hash, std::string_view path)
{
    const size_t bytes = sizeof(xsd_sockmsg) + path.size() + region.record(watch).value_bytes + 2;
    for (Reference at = client.messages; at != 0;) {
        const store_record& message = region.record(at);
        const bool begun = at == client.messages && client.message_sent != 0;
        if (message.message.watch == watch && message.hash == hash && !begun && message.value_bytes == bytes &&
            TextPosition(region, message.text, sizeof(xsd_sockmsg)).matches(path))
            return true;
        at = message.message.next;
    }
    return false;
}

void write_event(Region& region, Reference message, const store_record& watch, std::string_view path)
{
    const uint32_t token_bytes = watch.value_bytes;
    const xsd_sockmsg head = {.type = XS_WATCH_EVENT,
                              .req_id = 0,
                              .tx_id = 0,
                              .len = static_cast<uint32_t>(path.size() + token_bytes + 2)};
    TextPosition to(region, region.record(message).text, 0);
    to.write(&head, sizeof(head));
    to.write(path.data(), path.size());
    to.write("", 1);
    TextPosition from = value_of(region, watch);
    for (size_t left = token_bytes; left != 0;) {
        std::array<char, 64> piece;
        const size_t now = std::min(left, piece.size());
        from.read(piece.data(), now);
        to.write(piece.data(), now);
        left -= now;
    }
    to.write("", 1);
}

// False when there is no room for it.
bool append_event(Region& region, store_client& client, Reference watch_cell, uint32_t hash, std::string_view path)
{
    const store_record& watch = region.record(watch_cell);
    const size_t bytes = sizeof(xsd_sockmsg) + path.size() + watch.value_bytes + 2;
    if (client.message_count >= client.quota.messages)
        return false;
    // One may always wait, or a client whose quota is used up would never hear anything again.
    if (client.message_count == 0)
        charge(region, &client, 0, record_cells(bytes));
    else if (pay(region, &client, 0, record_cells(bytes)) != 0)
        return false;
    const Reference message = make_blank_record(region, STORE_MESSAGE, hash, 0, 0, bytes);
    if (message == 0) {
        refund(region, &client, 0, record_cells(bytes));
        return false;
    }
    write_event(region, message, watch, path);
    region.put(region.record(message).message.client, index_of(region, client));
    region.put(region.record(message).message.watch, watch_cell);
    region.set(client.last_message != 0 ? region.record(client.last_message).message.next : client.messages, message);
    region.set(client.last_message, message);
    region.set(client.message_count, client.message_count + 1);
    region.put(client.events, client.events + 1);
    return true;
}

// `path` is absolute.
void queue_event(Region& region, Reference watch_cell, uint32_t hash, std::string_view path)
{
    store_record& watch = region.record(watch_cell);
    store_client& client = region.client(watch.watch.client);
    const std::string_view shown = as_watched(client, watch, path);
    // The protocol has no room for it.
    if (shown.size() + watch.value_bytes + 2 > XENSTORE_PAYLOAD_MAX)
        return;
    if (waits_already(region, client, watch_cell, hash, shown))
        return;
    if (!append_event(region, client, watch_cell, hash, shown))
        merge(region, client, watch);
}

// Whom a change may be told.
struct Audience {
    Permissions node;
    Permissions parent;
    const Permissions* former;

    bool includes(const store_client& client) const
    {
        if (client.state != STORE_CLIENT_RUNNING)
            return false;
        const Subject subject = subject_of(client);
        return ((rights(node, subject) | rights(parent, subject) |
                 (former != nullptr ? rights(*former, subject) : 0)) & may_read) != 0;
    }
};

struct Change {
    std::string_view path;
    uint32_t hash;
    Audience audience;
};

// The watches on one path, which is the change's own or above it by `levels`.
void fire_at(Region& region, const Change& change, std::string_view watched, uint32_t hash, uint32_t levels)
{
    for (Reference cell = region.path_bucket(hash); cell != 0;) {
        const store_record& record = region.record(cell);
        const bool deep_enough = (record.flags & STORE_WATCH_DEPTH) == 0 || levels <= record.watch.depth;
        if (record.kind == STORE_WATCH && record.hash == hash && deep_enough && has_name(region, record, watched) &&
            change.audience.includes(region.client(record.watch.client)))
            queue_event(region, cell, change.hash, change.path);
        cell = record.hash_next;
    }
}

bool is_watched(Region& region, uint32_t hash)
{
    for (Reference cell = region.path_bucket(hash); cell != 0;) {
        const store_record& record = region.record(cell);
        if (record.kind == STORE_WATCH && record.hash == hash)
            return true;
        cell = record.hash_next;
    }
    return false;
}

Audience audience_of(Region& region, Reference node, const Permissions* former)
{
    const store_record& record = region.record(node);
    Audience audience = {permissions_of(region, record), {}, former};
    if (record.node.parent != 0)
        audience.parent = permissions_of(region, region.record(record.node.parent));
    return audience;
}

}  // namespace

void fire(Region& region, std::string_view path, Reference node, const Permissions* former)
{
    if (region.header().watch_count == 0)
        return;
    const uint32_t seed = region.header().hash_seed;
    auto levels = path == "/" ? 0U : static_cast<uint32_t>(std::count(path.begin(), path.end(), '/'));
    const Change change = {path, region.record(node).hash, audience_of(region, node, former)};
    fire_at(region, change, "/", seed, levels);
    Components at(path, seed);
    while (at.next())
        fire_at(region, change, at.prefix(), at.hash(), --levels);
}

void fire_removed(Region& region, std::string_view path, Reference node)
{
    if (region.header().watch_count == 0)
        return;
    fire(region, path, node);
    // Of what goes with it only those are told who watch exactly that.
    for (Reference below = next_below(region, node, node); below != 0; below = next_below(region, node, below)) {
        const uint32_t hash = region.record(below).hash;
        Path whole;
        if (!is_watched(region, hash) || !path_of(region, below, whole))
            continue;
        fire_at(region, {whole.text(), hash, audience_of(region, below, nullptr)}, whole.text(), hash, 0);
    }
}

void fire_special(Region& region, std::string_view name)
{
    const Reference node = find_exact(region, name);
    if (node == 0)
        return;
    const uint32_t hash = region.record(node).hash;
    fire_at(region, {name, hash, {permissions_of(region, region.record(node)), {}, nullptr}}, name, hash, 0);
}

Error add_watch(Region& region, store_client& client, const Path& path, std::string_view token, uint32_t depth)
{
    const uint32_t hash = hash_path(path.text(), region.header().hash_seed);
    for (Reference cell = region.path_bucket(hash); cell != 0;) {
        const store_record& other = region.record(cell);
        if (other.kind == STORE_WATCH && other.hash == hash && &region.client(other.watch.client) == &client &&
            has_name(region, other, path.text()) && other.value_bytes == token.size() &&
            value_of(region, other).matches(token))
            return EEXIST;
        cell = other.hash_next;
    }
    const Content content = {{}, path.text(), token};
    if (client.watch_count >= client.quota.watches || pay(region, &client, 0, record_cells(content.bytes())) != 0)
        return E2BIG;
    const Reference cell = make_record(region, STORE_WATCH, hash, content);
    if (cell == 0)
        return ENOMEM;
    store_record& watch = region.record(cell);
    region.put(watch.flags, static_cast<uint8_t>((path.was_relative() ? STORE_WATCH_RELATIVE : 0) |
                                                 (depth != any_depth ? STORE_WATCH_DEPTH : 0)));
    region.put(watch.watch.client, index_of(region, client));
    region.put(watch.watch.next, client.watches);
    region.put(watch.watch.depth, depth);
    region.put(watch.hash_next, region.path_bucket(hash));
    region.set(region.path_bucket(hash), cell);
    region.set(client.watches, cell);
    region.set(client.watch_count, client.watch_count + 1);
    region.set(region.header().watch_count, region.header().watch_count + 1);
    // Whoever watches learns at once how things are, and need not ask whether it came too late.
    queue_event(region, cell, hash, path.text());
    return 0;
}

void drop_watch(Region& region, store_client& client, Reference cell)
{
    store_record& watch = region.record(cell);
    Reference* link = &region.path_bucket(watch.hash);
    while (*link != cell)
        link = &region.record(*link).hash_next;
    region.set(*link, watch.hash_next);
    link = &client.watches;
    while (*link != cell)
        link = &region.record(*link).watch.next;
    region.set(*link, watch.watch.next);
    region.set(client.watch_count, client.watch_count - 1);
    region.set(region.header().watch_count, region.header().watch_count - 1);
    if ((watch.flags & STORE_WATCH_MERGED) != 0)
        region.set(client.merged, client.merged - 1);
    refund(region, &client, 0, record_cells(text_bytes(watch)));
    // Events that wait stay, but must not be taken for those of a later watch in the same cell.
    for (Reference at = client.messages; at != 0; at = region.record(at).message.next) {
        if (region.record(at).message.watch == cell)
            region.set(region.record(at).message.watch, 0);
    }
    region.set(watch.kind, uint16_t{0});
    region.give_back(cell);
}

Error remove_watch(Region& region, store_client& client, std::string_view path, std::string_view token)
{
    for (Reference cell = client.watches; cell != 0; cell = region.record(cell).watch.next) {
        const store_record& watch = region.record(cell);
        if (has_name(region, watch, path) && watch.value_bytes == token.size() && value_of(region, watch).matches(token)) {
            drop_watch(region, client, cell);
            return 0;
        }
    }
    return ENOENT;
}

void drop_message(Region& region, store_client& client)
{
    const Reference cell = client.messages;
    store_record& message = region.record(cell);
    region.set(client.messages, message.message.next);
    if (client.messages == 0)
        region.set(client.last_message, 0);
    region.set(client.message_count, client.message_count - 1);
    region.set(client.message_sent, 0);
    refund(region, &client, 0, record_cells(text_bytes(message)));
    region.set(message.kind, uint16_t{0});
    region.give_back(cell);
}

bool can_queue_merged(const store_client& client)
{
    return client.merged != 0 && client.message_count < client.quota.messages;
}

void queue_merged(Region& region, store_client& client)
{
    for (Reference cell = client.watches; cell != 0 && can_queue_merged(client); cell = region.record(cell).watch.next) {
        store_record& watch = region.record(cell);
        if ((watch.flags & STORE_WATCH_MERGED) == 0)
            continue;
        Path path;
        std::array<char, XENSTORE_ABS_PATH_MAX> text;
        name_of(region, watch).read(text.data(), watch.name_bytes);
        region.set(watch.flags, static_cast<uint8_t>(watch.flags & ~STORE_WATCH_MERGED));
        region.set(client.merged, client.merged - 1);
        queue_event(region, cell, watch.hash, {text.data(), watch.name_bytes});
    }
}

}  // namespace bulkhead::store
