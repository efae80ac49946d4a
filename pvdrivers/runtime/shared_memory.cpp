// SPDX-License-Identifier: BSD-2-Clause
// A region is grants of the core's, one for each page with numbers in a row, and a port of the core's
// that passes a notification on to the other members.
#include <bulkhead/shared_memory.hpp>
#include <bulkhead/slice.hpp>

#include <vector>

namespace bulkhead {

Result<SharedMemory> SharedMemory::open(const char* name, EventHandler on_bell)
{
    const SliceNode node = slice().child("shared-memory").child(name);
    const uint64_t size = node.number("size", 0);
    if (!node || size == 0)
        return failure(XEN_ENOENT);
    const auto first = static_cast<uint32_t>(node.number("grant", 0));
    const auto owner = Domain(static_cast<uint16_t>(node.number("domain-id", 0)));
    std::vector<GrantRef> refs;
    for (uint64_t at = 0; at < size; at += page_bytes)
        refs.push_back(GrantRef(first + static_cast<uint32_t>(at / page_bytes)));

    SharedMemory region;
    region.size_ = size;
    region.writable_ = node.has("writable");
    auto mapping = map_grants(owner, refs, region.writable_ ? Access::writable : Access::read_only);
    if (!mapping)
        return failure(mapping.error());
    region.mapping_ = std::move(*mapping);
    const auto bell = bind_interdomain(owner, static_cast<uint32_t>(node.number("port", 0)), on_bell);
    if (!bell)
        return failure(bell.error());
    region.bell_ = *bell;
    return region;
}

void SharedMemory::ring() const { (void)notify(bell_); }

}  // namespace bulkhead
