// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/node_list.hpp"

#include "pvdrivers/store/requests.hpp"
#include "pvdrivers/store/tree.hpp"
#include "pvdrivers/store/watches.hpp"

namespace bulkhead::store {

namespace {

bool parse_permissions(std::string_view text, Permissions& permissions)
{
    permissions.count = 0;
    while (!text.empty()) {
        const size_t end = std::min(text.find(','), text.size());
        if (permissions.count == permissions.entries.size() ||
            !parse_permission(text.substr(0, end), permissions.entries[permissions.count]))
            return false;
        ++permissions.count;
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return permissions.count != 0;
}

}  // namespace

bool next_planned_node(std::string_view& list, uint32_t domain, PlannedNode& node)
{
    std::string_view rest = list;
    std::string_view path;
    std::string_view permissions;
    if (!next_string(rest, path) || !next_string(rest, permissions) || !next_string(rest, node.value) ||
        !parse_permissions(permissions, node.permissions) || node.value.size() > XENSTORE_PAYLOAD_MAX)
        return false;
    char own[domain_path_bytes];
    const std::string_view whole = path.empty() ? std::string_view(own, domain_path(domain, own)) : path;
    if (node.path.assign(whole, domain, Path::Special::allowed) != 0)
        return false;
    list = rest;
    return true;
}

Error make_planned_node(Region& region, const PlannedNode& node)
{
    const std::string_view path = node.path.text();
    if (const Reference there = find_exact(region, path)) {
        if (const Error error = change_node(region, there, node.permissions.span(), node.value))
            return error;
        if (!node.path.is_special())
            fire(region, path, there);
        return 0;
    }
    if (node.path.is_special())
        return EINVAL;
    const Subject plan = {.domain = plan_domain, .target = plan_domain, .privileged = true};
    Reference parent = region.header().root;
    Components at(path, region.header().hash_seed);
    while (at.next()) {
        Reference here = find_exact(region, at.prefix());
        if (here == 0) {
            const Permissions above = inherited(region, region.record(parent), plan);
            const Error error = at.is_last() ? make_node(region, parent, path, node.permissions.span(), node.value)
                                             : make_node(region, parent, at.prefix(), above.span(), {});
            if (error != 0)
                return error;
            here = find_exact(region, at.prefix());
        }
        parent = here;
    }
    fire(region, path, parent);
    return 0;
}

}  // namespace bulkhead::store
