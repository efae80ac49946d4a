// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/permissions.hpp"

#include "pvdrivers/store/number.hpp"

#include <cstring>

namespace bulkhead::store {

Permissions permissions_of(Region& region, const store_record& record)
{
    Permissions permissions;
    permissions.count = record.permissions;
    // STORE_MAX_PERMISSIONS entries fit the first cell of text.
    if (permissions.count != 0)
        std::memcpy(permissions.entries.data(), region.text(record.text).bytes,
                    permissions.count * sizeof(Permission));
    return permissions;
}

Subject subject_of(const store_client& client)
{
    return {.domain = client.domain, .target = client.target, .privileged = (client.flags & STORE_CLIENT_PRIVILEGED) != 0};
}

uint32_t rights(const Permissions& permissions, const Subject& subject)
{
    if (permissions.count == 0)
        return 0;
    if (subject.privileged || permissions.owner() == subject.domain || permissions.owner() == subject.target)
        return may_read | may_write | may_own;
    for (uint32_t i = 1; i < permissions.count; ++i) {
        const Permission entry = permissions.entries[i];
        if (domain_of(entry) == subject.domain || domain_of(entry) == subject.target)
            return rights_of(entry);
    }
    return rights_of(permissions.entries[0]);
}

bool parse_permission(std::string_view text, Permission& permission)
{
    if (text.size() < 2)
        return false;
    uint32_t rights = 0;
    switch (text[0]) {
    case 'n': break;
    case 'r': rights = may_read; break;
    case 'w': rights = may_write; break;
    case 'b': rights = may_read | may_write; break;
    default: return false;
    }
    uint32_t domain = 0;
    if (!parse_number(text.substr(1), domain) || domain > UINT16_MAX)
        return false;
    permission = make_permission(domain, rights);
    return true;
}

size_t format_permission(Permission permission, char* out)
{
    out[0] = "nrwb"[rights_of(permission)];
    char* end = write_number(out + 1, domain_of(permission));
    *end++ = '\0';
    return static_cast<size_t>(end - out);
}

}  // namespace bulkhead::store
