// SPDX-License-Identifier: BSD-2-Clause
// Who may read and write a node. The first entry names the owner, who may do everything, and what
// those may who have no entry of their own.
// Source: xen/docs/misc/xenstore.txt, GET_PERMS and SET_PERMS.
#pragma once

#include "pvdrivers/store/region.hpp"

#include <string_view>

namespace bulkhead::store {

inline constexpr uint32_t may_read = 1;   // XS_PERM_READ
inline constexpr uint32_t may_write = 2;  // XS_PERM_WRITE
inline constexpr uint32_t may_own = 4;    // only the owner and the privileged

inline constexpr uint32_t plan_domain = 0;  // owner of what the plan makes

// One entry: the domain in the upper half, may_read and may_write in the lower.
using Permission = uint32_t;
[[nodiscard]] constexpr Permission make_permission(uint32_t domain, uint32_t rights)
{
    return domain << 16 | rights;
}
[[nodiscard]] constexpr uint32_t domain_of(Permission permission) { return permission >> 16; }
[[nodiscard]] constexpr uint32_t rights_of(Permission permission) { return permission & (may_read | may_write); }

// Of one record.
struct Permissions {
    std::array<Permission, STORE_MAX_PERMISSIONS> entries{};
    uint32_t count = 0;

    [[nodiscard]] std::span<const Permission> span() const { return {entries.data(), count}; }
    [[nodiscard]] uint32_t owner() const { return domain_of(entries[0]); }
};

[[nodiscard]] Permissions permissions_of(Region& region, const store_record& record);

// For whom a right is asked.
struct Subject {
    uint32_t domain;
    uint32_t target;  // a second domain as which it counts, or its own
    bool privileged;
};

[[nodiscard]] Subject subject_of(const store_client& client);
[[nodiscard]] uint32_t rights(const Permissions& permissions, const Subject& subject);
[[nodiscard]] inline uint32_t rights(Region& region, const store_record& record, const Subject& subject)
{
    return rights(permissions_of(region, record), subject);
}

// "n0", "r1", "w1", "b1": false if it is not of that form.
[[nodiscard]] bool parse_permission(std::string_view text, Permission& permission);
inline constexpr size_t permission_text_bytes = 8;
// Writes it with its final NUL; returns the bytes.
size_t format_permission(Permission permission, char* out);

}  // namespace bulkhead::store
