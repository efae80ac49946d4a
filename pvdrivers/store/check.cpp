// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/check.hpp"

#include "pvdrivers/store/accounts.hpp"
#include "pvdrivers/store/tree.hpp"

#include <cstring>

namespace bulkhead::store {

namespace {

// One bit a cell: seen as part of a record or free, and found in its bucket.
using Bits = std::array<uint32_t, max_region_bytes / STORE_CELL_BYTES / 32>;
Bits seen_cells;
Bits bucketed_cells;

bool test_and_set(Bits& bits, Reference cell)
{
    uint32_t& word = bits[cell / 32];
    const uint32_t bit = 1U << (cell % 32);
    const bool was = (word & bit) != 0;
    word |= bit;
    return was;
}

class Check {
public:
    explicit Check(Region& region) : region_(region), header_(region.header()) {}

    const char* run()
    {
        seen_cells.fill(0);
        bucketed_cells.fill(0);
        const bool sound = check_free() && check_tree(header_.root) && check_tree(header_.special) &&
                           check_garbage() && check_clients() && check_node_buckets() && check_path_buckets() &&
                           check_totals();
        return sound ? nullptr : problem_;
    }

private:
    bool require(bool condition, const char* problem)
    {
        if (!condition)
            problem_ = problem;
        return condition;
    }

    // A cell that nothing else uses.
    bool claim(Reference cell)
    {
        if (!require(region_.is_cell(cell), "a reference names no cell") ||
            !require(!test_and_set(seen_cells, cell), "a cell is in two places"))
            return false;
        ++cells_seen_;
        return true;
    }

    // A record of this kind with all of its text.
    bool claim_record(Reference cell, store_kind kind)
    {
        if (!claim(cell))
            return false;
        const store_record& record = region_.record(cell);
        if (!require(record.kind == kind, "a record is of another kind than its place") ||
            !require(record.permissions <= STORE_MAX_PERMISSIONS, "a node has too many permissions"))
            return false;
        Reference text = record.text;
        for (uint32_t left = record_cells(text_bytes(record)) - 1; left != 0; --left) {
            if (!claim(text))
                return false;
            text = region_.text(text).next;
        }
        return require(text == 0, "a text is longer than its record says");
    }

    bool check_free()
    {
        Reference last = 0;
        Reference cell = header_.free_head;
        if (!require(header_.free_count != 0, "the list of free cells is empty"))
            return false;
        for (uint32_t left = header_.free_count; left != 0; --left) {
            if (!claim(cell))
                return false;
            last = cell;
            cell = region_.text(cell).next;
        }
        return require(cell == 0 && last == header_.free_tail, "the list of free cells does not end where it should");
    }

    // The frame of one node; its children are the caller's.
    bool check_node(Reference cell, Reference parent, Reference top)
    {
        if (!claim_record(cell, STORE_NODE))
            return false;
        const store_record& node = region_.record(cell);
        if (!require(node.permissions != 0, "a node has no owner") ||
            !require(node.name_bytes <= XENSTORE_ABS_PATH_MAX, "a node's name is too long") ||
            !require(generation_of(node) <= region_.generation(), "a node is newer than the newest change"))
            return false;
        account(permissions_of(region_, node).owner(), 1, node);
        if (cell == top)
            return true;
        ++nodes_in_buckets_;
        std::array<char, XENSTORE_ABS_PATH_MAX> name;
        name_of(region_, node).read(name.data(), node.name_bytes);
        uint32_t hash = region_.record(parent).hash;
        if (top != header_.special)
            hash = extend_hash(hash, '/');
        for (const char c : std::string_view(name.data(), node.name_bytes))
            hash = extend_hash(hash, c);
        return require(node.node.parent == parent, "a node names another parent") &&
               require(node.name_bytes != 0, "a node has no name") && require(node.hash == hash, "a node's hash is wrong");
    }

    // A node with all below it.
    bool check_below(Reference top)
    {
        if (!check_node(top, 0, top))
            return false;
        Reference node = top;
        for (;;) {
            Reference next = region_.record(node).node.child;
            Reference parent = node;
            Reference before = 0;
            // Parents were checked on the way down, so going up ends.
            while (next == 0 && node != top) {
                const store_record& record = region_.record(node);
                next = record.node.next;
                parent = record.node.parent;
                before = node;
                if (next == 0) {
                    const Reference oldest = region_.record(parent).node.child;
                    if (!require(region_.record(oldest).node.previous == node, "a list of children has a wrong end"))
                        return false;
                    node = parent;
                }
            }
            if (next == 0)
                return true;
            if (!check_node(next, parent, top) ||
                !require(before == 0 || region_.record(next).node.previous == before, "a list of children is torn"))
                return false;
            node = next;
        }
    }

    bool check_tree(Reference top)
    {
        return check_below(top) &&
               require(region_.record(top).node.parent == 0 && region_.record(top).hash == header_.hash_seed,
                       "a root is none");
    }

    bool check_garbage()
    {
        for (Reference top = header_.garbage; top != 0; top = region_.record(top).node.next) {
            if (!check_below(top))
                return false;
        }
        return true;
    }

    bool check_path(const store_record& record, Path& path)
    {
        std::array<char, XENSTORE_ABS_PATH_MAX> text;
        if (!require(record.name_bytes <= text.size(), "a path is too long"))
            return false;
        name_of(region_, record).read(text.data(), record.name_bytes);
        const std::string_view whole(text.data(), record.name_bytes);
        return require((whole.starts_with('/') || whole.starts_with('@')) &&
                           path.assign(whole, 0, Path::Special::allowed) == 0,
                       "a path is none") &&
               require(record.hash == hash_path(whole, header_.hash_seed), "a path's hash is wrong");
    }

    bool check_watches(uint32_t index)
    {
        const store_client& client = region_.client(index);
        uint32_t count = 0;
        uint32_t merged = 0;
        for (Reference cell = client.watches; cell != 0; cell = region_.record(cell).watch.next, ++count) {
            Path path;
            if (!claim_record(cell, STORE_WATCH) || !check_path(region_.record(cell), path))
                return false;
            const store_record& watch = region_.record(cell);
            char own[domain_path_bytes];
            const bool relative = (watch.flags & STORE_WATCH_RELATIVE) != 0;
            if (!require(watch.watch.client == index && watch.permissions == 0, "a watch is another client's") ||
                !require(!relative || (is_below(path.text(), {own, domain_path(client.domain, own)}) &&
                                       path.text().size() > domain_path(client.domain, own)),
                         "a relative watch is not below its client"))
                return false;
            merged += (watch.flags & STORE_WATCH_MERGED) != 0;
            account(client.domain, 0, watch);
        }
        watches_ += count;
        paths_in_buckets_ += count;
        return require(count == client.watch_count && merged == client.merged, "a client's count of watches is wrong");
    }

    bool check_messages(uint32_t index)
    {
        const store_client& client = region_.client(index);
        uint32_t count = 0;
        Reference last = 0;
        for (Reference cell = client.messages; cell != 0; cell = region_.record(cell).message.next, ++count) {
            if (!claim_record(cell, STORE_MESSAGE))
                return false;
            const store_record& record = region_.record(cell);
            xsd_sockmsg head;
            if (!require(record.name_bytes == 0 && record.permissions == 0 && record.value_bytes > sizeof(head) &&
                             record.value_bytes <= STORE_BUFFER_BYTES && record.message.client == index,
                         "an event is none"))
                return false;
            TextPosition(region_, record.text, 0).read(&head, sizeof(head));
            const Reference watch = record.message.watch;
            if (!require(head.type == XS_WATCH_EVENT && head.len + sizeof(head) == record.value_bytes,
                         "an event's header is wrong") ||
                !require(watch == 0 || (region_.is_cell(watch) && region_.record(watch).kind == STORE_WATCH &&
                                        region_.record(watch).watch.client == index),
                         "an event is of no watch"))
                return false;
            account(client.domain, 0, record);
            last = cell;
        }
        return require(count == client.message_count && last == client.last_message, "a client's count of events is wrong") &&
               require(client.message_sent == 0 ||
                           (count != 0 && client.message_sent < region_.record(client.messages).value_bytes),
                       "more of an event is sent than there is");
    }

    bool check_entries(Reference owner, const store_client& client)
    {
        const store_transaction& transaction = region_.record(owner).transaction;
        uint32_t count = 0;
        Reference before = 0;
        for (Reference cell = transaction.first; cell != 0; cell = region_.record(cell).entry.next, ++count) {
            Path path;
            if (!claim_record(cell, STORE_ENTRY) || !check_path(region_.record(cell), path))
                return false;
            const store_record& entry = region_.record(cell);
            if (!require(entry.entry.transaction == owner && entry.entry.previous == before,
                         "an entry is another transaction's") ||
                !require((entry.flags & STORE_ENTRY_WRITTEN) == 0 || entry.permissions != 0, "an entry has no owner"))
                return false;
            account(client.domain, 0, entry);
            before = cell;
        }
        paths_in_buckets_ += count;
        return require(count == transaction.count && before == transaction.last, "a transaction's count is wrong");
    }

    bool check_transactions(uint32_t index)
    {
        const store_client& client = region_.client(index);
        uint32_t count = 0;
        for (Reference cell = client.transactions; cell != 0; cell = region_.record(cell).transaction.next, ++count) {
            if (!claim_record(cell, STORE_TRANSACTION) || !check_entries(cell, client))
                return false;
            const store_record& record = region_.record(cell);
            if (!require(record.transaction.client == index && record.transaction.id != 0 && text_bytes(record) == 0,
                         "a transaction is none"))
                return false;
            account(client.domain, 0, record);
        }
        return require(count == client.transaction_count, "a client's count of transactions is wrong");
    }

    bool check_buffers(uint32_t index)
    {
        const store_client& client = region_.client(index);
        const uint32_t first = region_.client(0).request;
        if (!require(first >= header_.clients + header_.client_count * sizeof(store_client) &&
                         client.request == first + index * 2 * STORE_BUFFER_BYTES &&
                         client.reply == client.request + STORE_BUFFER_BYTES &&
                         client.reply + STORE_BUFFER_BYTES <= header_.cells,
                     "a client's buffers are not where they belong") ||
            !require(client.reply_bytes <= STORE_BUFFER_BYTES &&
                         (client.reply_bytes == 0 ? client.reply_sent == 0 : client.reply_sent < client.reply_bytes),
                     "an answer is longer than it can be"))
            return false;
        if (client.request_bytes < sizeof(xsd_sockmsg))
            return true;
        xsd_sockmsg head;
        std::memcpy(&head, region_.bytes_at(client.request), sizeof(head));
        return require(head.len <= XENSTORE_PAYLOAD_MAX && client.request_bytes < sizeof(head) + head.len,
                       "a request is longer than it can be");
    }

    bool check_clients()
    {
        for (uint32_t i = 0; i < header_.client_count; ++i) {
            const store_client& client = region_.client(i);
            if (!require(client.state <= STORE_CLIENT_CLOSED && client.domain != 0 &&
                             client.name[STORE_NAME_BYTES - 1] == '\0',
                         "a client is none") ||
                !check_buffers(i) || !check_watches(i) || !check_messages(i) || !check_transactions(i))
                return false;
        }
        return true;
    }

    bool check_bucket(Reference cell, uint32_t mask, uint32_t index, bool nodes, uint32_t& left)
    {
        for (; cell != 0; cell = region_.record(cell).hash_next, --left) {
            if (!require(left != 0 && region_.is_cell(cell) && !test_and_set(bucketed_cells, cell), "a bucket has too much in it"))
                return false;
            const store_record& record = region_.record(cell);
            const bool right_kind = nodes ? record.kind == STORE_NODE : record.kind == STORE_WATCH || record.kind == STORE_ENTRY;
            const bool is_used = (seen_cells[cell / 32] & 1U << (cell % 32)) != 0;
            if (!require(right_kind && is_used && (record.hash & mask) == index, "a bucket has something strange in it"))
                return false;
        }
        return true;
    }

    // Together they hold as many as were found, each once: so none is missing.
    bool check_node_buckets()
    {
        uint32_t left = nodes_in_buckets_;
        for (uint32_t i = 0; i < header_.node_bucket_count; ++i) {
            if (!check_bucket(region_.node_bucket(i), header_.node_bucket_count - 1, i, true, left))
                return false;
        }
        return require(left == 0, "a node is in no bucket");
    }

    bool check_path_buckets()
    {
        uint32_t left = paths_in_buckets_;
        for (uint32_t i = 0; i < header_.path_bucket_count; ++i) {
            if (!check_bucket(region_.path_bucket(i), header_.path_bucket_count - 1, i, false, left))
                return false;
        }
        return require(left == 0, "a watch or an entry is in no bucket");
    }

    bool check_totals()
    {
        if (!require(cells_seen_ == header_.cell_count - 1, "cells are lost") ||
            !require(watches_ == header_.watch_count, "the count of watches is wrong") ||
            !require(plan_nodes_ == header_.plan_nodes && plan_cells_ == header_.plan_cells,
                     "the account of the plan's nodes is wrong"))
            return false;
        for (uint32_t i = 0; i < header_.client_count; ++i) {
            if (!require(nodes_[i] == region_.client(i).nodes && cells_[i] == region_.client(i).cells,
                         "a client's account is wrong"))
                return false;
        }
        return true;
    }

    void account(uint32_t domain, uint32_t nodes, const store_record& record)
    {
        const uint32_t cells = record_cells(text_bytes(record));
        if (const store_client* client = client_of(region_, domain)) {
            const auto index = static_cast<size_t>(client - &region_.client(0));
            nodes_[index] += nodes;
            cells_[index] += cells;
        } else {
            plan_nodes_ += nodes;
            plan_cells_ += cells;
        }
    }

    Region& region_;
    const store_region& header_;
    const char* problem_ = nullptr;
    uint32_t cells_seen_ = 0;
    uint32_t nodes_in_buckets_ = 0;
    uint32_t paths_in_buckets_ = 0;
    uint32_t watches_ = 0;
    uint32_t plan_nodes_ = 0;
    uint32_t plan_cells_ = 0;
    std::array<uint32_t, STORE_MAX_CLIENTS> nodes_{};
    std::array<uint32_t, STORE_MAX_CLIENTS> cells_{};
};

}  // namespace

const char* check(Region& region)
{
    return Check(region).run();
}

}  // namespace bulkhead::store
