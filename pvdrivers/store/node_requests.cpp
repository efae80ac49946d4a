// SPDX-License-Identifier: BSD-2-Clause
// Requests about nodes.
#include "pvdrivers/store/requests.hpp"
#include "pvdrivers/store/transactions.hpp"
#include "pvdrivers/store/watches.hpp"

#include <cerrno>
#include <cstring>

namespace bulkhead::store {

namespace {

// ENOENT only for those who may learn that there is nothing: who has the right on the closest node above.
Error missing(Request& request, std::string_view path, uint32_t right)
{
    Reference above = 0;
    for (std::string_view at = path; above == 0 && at != "/" && !at.starts_with('@');) {
        at = Path::parent_of(at);
        above = peek(request.region, request.transaction, at);
    }
    const bool knows = above != 0 && (rights(request.region, request.region.record(above), request.subject) & right) != 0;
    return knows ? ENOENT : EACCES;
}

// The record of a path, if the client has the right on it.
Error get(Request& request, std::string_view path, uint32_t right, Reference& record)
{
    Region& region = request.region;
    if (const Error error = note_and_peek(region, request.client, request.transaction, path, record))
        return error;
    if (record == 0)
        return missing(request, path, right);
    return (rights(region, region.record(record), request.subject) & right) != 0 ? 0 : EACCES;
}

bool fits_quota(const Request& request, size_t permissions, size_t value_bytes)
{
    const store_quota& quota = request.client.quota;
    return permissions <= quota.permissions && permissions * sizeof(Permission) + value_bytes <= quota.node_bytes;
}

Error change(Request& request, std::string_view path, Reference record, const Permissions& permissions, std::string_view value)
{
    Region& region = request.region;
    if (request.transaction != 0)
        return write_in(region, request.client, request.transaction, path, permissions.span(), value);
    const Permissions former = permissions_of(region, region.record(record));
    if (const Error error = change_node(region, record, permissions.span(), value))
        return error;
    fire(region, path, record, &former);
    return 0;
}

// Makes a node and what is missing above it. The client may write the closest node that exists.
Error create(Request& request, std::string_view path, std::string_view value)
{
    Region& region = request.region;
    Reference parent = region.header().root;
    Components at(path, region.header().hash_seed);
    std::string_view above = "/";
    while (at.next()) {
        Reference here = peek(region, request.transaction, at.prefix());
        if (here == 0) {
            const Permissions permissions = inherited(region, region.record(parent), request.subject);
            const std::string_view content = at.is_last() ? value : std::string_view{};
            if (!fits_quota(request, permissions.count, content.size()))
                return ENOSPC;
            Error error = note(region, request.client, request.transaction, above);
            if (error == 0)
                error = request.transaction != 0
                            ? write_in(region, request.client, request.transaction, at.prefix(), permissions.span(), content)
                            : make_node(region, parent, at.prefix(), permissions.span(), content);
            if (error != 0)
                return error;
            here = peek(region, request.transaction, at.prefix());
        }
        parent = here;
        above = at.prefix();
    }
    if (request.transaction == 0)
        fire(region, path, parent);
    return 0;
}

// Calls visit(record) for each child that the transaction sees, until it returns false.
template <typename Visit>
void for_each_child(Request& request, std::string_view path, Visit visit)
{
    Region& region = request.region;
    const Reference transaction = request.transaction;
    const Reference node = find_exact(region, path);
    Path child_path;
    child_path.assign_checked(path);
    for (Reference child = node != 0 ? region.record(node).node.child : 0; child != 0;
         child = region.record(child).node.next) {
        const store_record& record = region.record(child);
        if (transaction != 0) {
            std::array<char, XENSTORE_ABS_PATH_MAX> name;
            name_of(region, record).read(name.data(), record.name_bytes);
            if (!child_path.push({name.data(), record.name_bytes}))
                return;
            const Reference seen = peek(region, transaction, child_path.text());
            const bool is_new = seen != 0 && region.record(seen).kind == STORE_ENTRY &&
                                is_new_child(region, region.record(seen), path);
            child_path.assign_checked(path);
            if (seen == 0 || is_new)
                continue;
        }
        if (!visit(name_of(region, record), record.name_bytes))
            return;
    }
    if (transaction == 0)
        return;
    for (Reference cell = region.record(transaction).transaction.first; cell != 0; cell = region.record(cell).entry.next) {
        const store_record& entry = region.record(cell);
        if (!is_new_child(region, entry, path))
            continue;
        const size_t before = path.size() == 1 ? 1 : path.size() + 1;
        TextPosition name = name_of(region, entry);
        name.skip(before);
        if (!visit(name, entry.name_bytes - before))
            return;
    }
}

// Of the list of children as the client sees it.
Generation generation_seen(Request& request, std::string_view path)
{
    const Reference node = find_exact(request.region, path);
    Generation generation = node != 0 ? generation_of(request.region.record(node)) : 0;
    if (request.transaction != 0)
        generation += request.region.record(request.transaction).transaction.changes;
    return generation;
}

Error assign_only(Request& request, Path& path, Path::Special special = Path::Special::refused)
{
    std::string_view text;
    return only_string(request.payload, text) ? path.assign(text, request.client.domain, special) : EINVAL;
}

}  // namespace

Error handle_directory(Request& request)
{
    Path path;
    if (const Error error = assign_only(request, path))
        return error;
    Reference record = 0;
    if (const Error error = get(request, path.text(), may_read, record))
        return error;
    bool fits = true;
    for_each_child(request, path.text(), [&](TextPosition name, size_t bytes) {
        char* to = request.reply.extend(bytes + 1);
        fits = to != nullptr;
        if (fits) {
            name.read(to, bytes);
            to[bytes] = '\0';
        }
        return fits;
    });
    return fits ? 0 : E2BIG;
}

// The generation, then children from an offset of the whole list on, as many as fit; the end of the
// list is an empty name.
Error handle_directory_part(Request& request)
{
    std::string_view payload = request.payload;
    std::string_view text;
    std::string_view offset_text;
    uint32_t offset = 0;
    if (!next_string(payload, text) || !next_string(payload, offset_text) || !parse_number(offset_text, offset))
        return EINVAL;
    Path path;
    if (const Error error = path.assign(text, request.client.domain))
        return error;
    Reference record = 0;
    if (const Error error = get(request, path.text(), may_read, record))
        return error;
    std::array<char, number_bytes> number;
    char* const end = write_number(number.data(), generation_seen(request, path.text()));
    if (!request.reply.add_string({number.data(), static_cast<size_t>(end - number.data())}))
        return E2BIG;

    size_t at = 0;
    bool complete = true;
    for_each_child(request, path.text(), [&](TextPosition name, size_t bytes) {
        const size_t start = at;
        at += bytes + 1;
        if (start < offset)
            return true;
        // One byte stays for the end of the list.
        complete = request.reply.room() > bytes + 1;
        if (complete) {
            char* to = request.reply.extend(bytes + 1);
            name.read(to, bytes);
            to[bytes] = '\0';
        }
        return complete;
    });
    return !complete || request.reply.add(std::string_view("", 1)) ? 0 : E2BIG;
}

Error handle_read(Request& request)
{
    Path path;
    if (const Error error = assign_only(request, path))
        return error;
    Reference cell = 0;
    if (const Error error = get(request, path.text(), may_read, cell))
        return error;
    const store_record& record = request.region.record(cell);
    char* to = request.reply.extend(record.value_bytes);
    if (to == nullptr)
        return E2BIG;
    value_of(request.region, record).read(to, record.value_bytes);
    return 0;
}

Error handle_write(Request& request)
{
    std::string_view value = request.payload;
    std::string_view text;
    if (!next_string(value, text))
        return EINVAL;
    Path path;
    if (const Error error = path.assign(text, request.client.domain))
        return error;
    Reference record = 0;
    Error error = get(request, path.text(), may_write, record);
    if (error == ENOENT) {
        error = create(request, path.text(), value);
    } else if (error == 0) {
        const Permissions permissions = permissions_of(request.region, request.region.record(record));
        error = fits_quota(request, 0, permissions.count * sizeof(Permission) + value.size())
                    ? change(request, path.text(), record, permissions, value)
                    : ENOSPC;
    }
    return error != 0 ? error : acknowledge(request);
}

Error handle_mkdir(Request& request)
{
    Path path;
    if (const Error error = assign_only(request, path))
        return error;
    Reference record = 0;
    Error error = get(request, path.text(), may_write, record);
    if (error == ENOENT)
        error = create(request, path.text(), {});
    return error != 0 ? error : acknowledge(request);
}

Error handle_rm(Request& request)
{
    Path path;
    if (const Error error = assign_only(request, path))
        return error;
    Reference record = 0;
    const Error error = get(request, path.text(), may_write, record);
    // Removing what is not there succeeds if it could have been there.
    if (error == ENOENT)
        return peek(request.region, request.transaction, path.parent()) != 0 ? acknowledge(request) : ENOENT;
    if (error != 0)
        return error;
    if (path.is_root())
        return EINVAL;
    if (request.transaction != 0) {
        if (const Error failure = note(request.region, request.client, request.transaction, path.parent()))
            return failure;
        if (const Error failure = remove_in(request.region, request.client, request.transaction, path.text()))
            return failure;
    } else {
        fire_removed(request.region, path.text(), record);
        remove_node(request.region, record);
    }
    return acknowledge(request);
}

Error handle_get_perms(Request& request)
{
    Path path;
    if (const Error error = assign_only(request, path, Path::Special::allowed))
        return error;
    Reference record = 0;
    if (const Error error = get(request, path.text(), may_read, record))
        return error;
    const Permissions permissions = permissions_of(request.region, request.region.record(record));
    for (const Permission permission : permissions.span()) {
        char text[permission_text_bytes];
        const size_t bytes = format_permission(permission, text);
        if (!request.reply.add({text, bytes}))
            return E2BIG;
    }
    return 0;
}

Error handle_set_perms(Request& request)
{
    std::string_view payload = request.payload;
    std::string_view text;
    Path path;
    if (!next_string(payload, text))
        return EINVAL;
    if (const Error error = path.assign(text, request.client.domain, Path::Special::allowed))
        return error;
    Permissions permissions;
    bool too_many = false;
    while (!payload.empty()) {
        Permission permission = 0;
        if (!next_string(payload, text) || !parse_permission(text, permission))
            return EINVAL;
        too_many = too_many || permissions.count == permissions.entries.size();
        if (!too_many)
            permissions.entries[permissions.count++] = permission;
    }
    if (permissions.count == 0)
        return EINVAL;
    Reference cell = 0;
    if (const Error error = get(request, path.text(), may_own, cell))
        return error;
    const store_record& record = request.region.record(cell);
    // Giving a node away would be a way around one's own quota, or into another's.
    if (!request.subject.privileged && permissions.owner() != permissions_of(request.region, record).owner())
        return EPERM;
    if (too_many || !fits_quota(request, permissions.count, record.value_bytes))
        return ENOSPC;
    value_of(request.region, record).read(scratch.value.data(), record.value_bytes);
    const Error error = change(request, path.text(), cell, permissions, {scratch.value.data(), record.value_bytes});
    return error != 0 ? error : acknowledge(request);
}

}  // namespace bulkhead::store
