// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/tree.hpp"

#include "pvdrivers/store/accounts.hpp"

#include <cerrno>

namespace bulkhead::store {

namespace {

Reference find_child(Region& region, Reference parent, std::string_view name, uint32_t hash)
{
    for (Reference node = region.node_bucket(hash); node != 0;) {
        const store_record& record = region.record(node);
        if (record.hash == hash && record.node.parent == parent && has_name(region, record, name))
            return node;
        node = record.hash_next;
    }
    return 0;
}

uint32_t owner_of(Region& region, const store_record& node)
{
    return permissions_of(region, node).owner();
}

void mark_changed(Region& region, store_record& node, Generation generation)
{
    region.set(node.node.generation_low, static_cast<uint32_t>(generation));
    region.set(node.node.generation_high, static_cast<uint32_t>(generation >> 32));
}

// Of a record that was just taken: its own fields need no log.
void link(Region& region, Reference parent, Reference child)
{
    store_record& above = region.record(parent);
    store_record& node = region.record(child);
    region.put(node.node.parent, parent);
    if (above.node.child == 0) {
        region.put(node.node.previous, child);
        region.set(above.node.child, child);
        return;
    }
    store_record& oldest = region.record(above.node.child);
    const Reference youngest = oldest.node.previous;
    region.put(node.node.previous, youngest);
    region.set(region.record(youngest).node.next, child);
    region.set(oldest.node.previous, child);
}

void unlink(Region& region, Reference child)
{
    store_record& node = region.record(child);
    store_record& above = region.record(node.node.parent);
    const Reference next = node.node.next;
    if (above.node.child == child) {
        region.set(above.node.child, next);
        if (next != 0)
            region.set(region.record(next).node.previous, node.node.previous);
        return;
    }
    region.set(region.record(node.node.previous).node.next, next);
    store_record& after = region.record(next != 0 ? next : above.node.child);
    region.set(after.node.previous, node.node.previous);
}

void hash_in(Region& region, Reference node)
{
    store_record& record = region.record(node);
    Reference& bucket = region.node_bucket(record.hash);
    region.put(record.hash_next, bucket);
    region.set(bucket, node);
}

void hash_out(Region& region, Reference node)
{
    store_record& record = region.record(node);
    Reference* link = &region.node_bucket(record.hash);
    while (*link != node)
        link = &region.record(*link).hash_next;
    region.set(*link, record.hash_next);
}

std::string_view last_component(std::string_view path)
{
    return path.substr(path.rfind('/') + 1);
}

Error make_bare(Region& region, Reference& node, Reference parent, uint32_t hash, const Content& content)
{
    node = make_record(region, STORE_NODE, hash, content);
    if (node == 0)
        return ENOMEM;
    if (parent != 0) {
        hash_in(region, node);
        link(region, parent, node);
        mark_changed(region, region.record(parent), region.next_generation());
    }
    const Generation generation = region.next_generation();
    store_record& record = region.record(node);
    region.put(record.node.generation_low, static_cast<uint32_t>(generation));
    region.put(record.node.generation_high, static_cast<uint32_t>(generation >> 32));
    return pay(region, client_of(region, domain_of(content.permissions[0])), 1, record_cells(content.bytes()));
}

}  // namespace

Found find_node(Region& region, std::string_view path)
{
    const bool special = path.starts_with('@');
    Reference node = special ? region.header().special : region.header().root;
    size_t length = special ? 0 : 1;
    Components at(path, region.header().hash_seed);
    while (at.next()) {
        const Reference child = find_child(region, node, at.name(), at.hash());
        if (child == 0)
            return {node, false, length};
        node = child;
        length = at.prefix().size();
    }
    return {node, length == path.size(), length};
}

Error make_first_nodes(Region& region)
{
    store_region& h = region.header();
    const std::array<Permission, 1> nobody = {make_permission(plan_domain, 0)};
    for (Reference* top : {&h.root, &h.special}) {
        Reference node = 0;
        if (const Error error = make_bare(region, node, 0, h.hash_seed, {nobody, {}, {}}))
            return error;
        region.set(*top, node);
    }
    for (const std::string_view name : {"@introduceDomain", "@releaseDomain"}) {
        if (const Error error = make_node(region, h.special, name, nobody, {}))
            return error;
    }
    return 0;
}

Error make_node(Region& region, Reference parent, std::string_view path, std::span<const Permission> permissions,
                std::string_view value)
{
    Reference node = 0;
    return make_bare(region, node, parent, hash_path(path, region.header().hash_seed),
                     {permissions, last_component(path), value});
}

Error change_node(Region& region, Reference node, std::span<const Permission> permissions, std::string_view value)
{
    store_record& record = region.record(node);
    std::array<char, XENSTORE_ABS_PATH_MAX> name;
    name_of(region, record).read(name.data(), record.name_bytes);
    const Content content = {permissions, {name.data(), record.name_bytes}, value};
    refund(region, client_of(region, owner_of(region, record)), 1, record_cells(text_bytes(record)));
    if (const Error error = pay(region, client_of(region, domain_of(permissions[0])), 1, record_cells(content.bytes())))
        return error;
    mark_changed(region, record, region.next_generation());
    return replace_text(region, record, content);
}

void remove_node(Region& region, Reference node)
{
    store_record& record = region.record(node);
    mark_changed(region, region.record(record.node.parent), region.next_generation());
    // Nodes below stay in the buckets, but nobody gets to them without their parent.
    hash_out(region, node);
    unlink(region, node);
    region.set(record.node.parent, 0);
    region.set(record.node.next, region.header().garbage);
    region.set(region.header().garbage, node);
}

bool take_apart(Region& region)
{
    const Reference top = region.header().garbage;
    if (top == 0)
        return false;
    region.begin();
    Reference node = top;
    while (region.record(node).node.child != 0)
        node = region.record(node).node.child;
    store_record& record = region.record(node);
    if (node == top) {
        region.set(region.header().garbage, record.node.next);
    } else {
        hash_out(region, node);
        unlink(region, node);
    }
    refund(region, client_of(region, owner_of(region, record)), 1, record_cells(text_bytes(record)));
    region.set(record.kind, uint16_t{0});
    region.give_back(node);
    region.commit();
    return true;
}

bool path_of(Region& region, Reference node, Path& path)
{
    // From the end to the front of a buffer.
    std::array<char, XENSTORE_ABS_PATH_MAX> text;
    size_t start = text.size();
    const store_region& h = region.header();
    while (node != h.root && node != h.special && node != 0) {
        const store_record& record = region.record(node);
        const bool slash = record.node.parent != h.special;
        if (size_t{record.name_bytes} + slash > start)
            return false;
        start -= record.name_bytes;
        name_of(region, record).read(&text[start], record.name_bytes);
        if (slash)
            text[--start] = '/';
        node = record.node.parent;
    }
    if (start == text.size())
        text[--start] = '/';
    path.assign_checked({&text[start], text.size() - start});
    return node != 0;
}

Reference next_below(Region& region, Reference top, Reference node)
{
    if (region.record(node).node.child != 0)
        return region.record(node).node.child;
    while (node != top) {
        if (region.record(node).node.next != 0)
            return region.record(node).node.next;
        node = region.record(node).node.parent;
    }
    return 0;
}

Permissions inherited(Region& region, const store_record& parent, const Subject& maker)
{
    Permissions permissions = permissions_of(region, parent);
    if (!maker.privileged)
        permissions.entries[0] = make_permission(maker.domain, rights_of(permissions.entries[0]));
    return permissions;
}

}  // namespace bulkhead::store
