// SPDX-License-Identifier: BSD-2-Clause
// Using other partitions' grants: mappings in the window, copies in batches.
// Source: xen/include/public/grant_table.h, GNTTABOP_map_grant_ref, _unmap_grant_ref and _copy.
#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/runtime/grants.hpp"
#include "pvdrivers/runtime/hardware_guest.hpp"
#include "pvdrivers/runtime/window.hpp"

#include <bulkhead/grants.hpp>

#include <algorithm>
#include <new>

namespace bulkhead {

namespace {

constexpr size_t batch = 16;

// Unmaps the first pages of a mapping.
void unmap_pages(const std::byte* address, const uint32_t* handles, size_t pages)
{
    gnttab_unmap_grant_ref_t operations[batch];
    for (size_t done = 0; done < pages; done += batch) {
        const size_t count = std::min(batch, pages - done);
        for (size_t i = 0; i < count; ++i)
            operations[i] = {as_argument(address) + (done + i) * page_bytes, 0, handles[done + i], 0};
        hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_unmap_grant_ref, as_argument(operations), count);
    }
}

// Maps refs from `done` on, a batch; how many of them are mapped.
size_t map_batch(Domain from, std::span<const GrantRef> refs, Access access, uint64_t address, uint32_t* handles,
                 Errno& error)
{
    gnttab_map_grant_ref_t operations[batch] = {};
    for (size_t i = 0; i < refs.size(); ++i) {
        operations[i].host_addr = address + i * page_bytes;
        operations[i].flags = GNTMAP_host_map | (access == Access::read_only ? GNTMAP_readonly : 0u);
        operations[i].ref = static_cast<uint32_t>(refs[i]);
        operations[i].dom = static_cast<domid_t>(from);
        operations[i].status = GNTST_general_error;
    }
    hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_map_grant_ref, as_argument(operations), refs.size());
    size_t mapped = 0;
    for (size_t i = 0; i < refs.size(); ++i) {
        if (operations[i].status != GNTST_okay) {
            error = errno_of_status(operations[i].status);
            break;
        }
        handles[i] = operations[i].handle;
        ++mapped;
    }
    // Those behind one that failed.
    for (size_t i = mapped + 1; i < refs.size(); ++i)
        if (operations[i].status == GNTST_okay)
            unmap_pages(reinterpret_cast<std::byte*>(operations[i].host_addr), &operations[i].handle, 1);
    return mapped;
}

}  // namespace

Result<GrantMapping> map_grants(Domain from, std::span<const GrantRef> refs, Access access)
{
    if (hardware_guest != nullptr)
        return failure(XEN_ENOSYS);
    const uint64_t address = take_window(refs.size());
    auto* handles = address == 0 ? nullptr : new (std::nothrow) uint32_t[refs.size()];
    if (handles == nullptr) {
        if (address != 0)
            give_window_back(address, refs.size());
        return failure(XEN_ENOMEM);
    }
    auto* at = reinterpret_cast<std::byte*>(address);
    Errno error = XEN_EINVAL;
    for (size_t done = 0; done < refs.size(); done += batch) {
        const size_t count = std::min(batch, refs.size() - done);
        const size_t mapped = map_batch(from, refs.subspan(done, count), access, address + done * page_bytes,
                                        handles + done, error);
        if (mapped == count)
            continue;
        unmap_pages(at, handles, done + mapped);
        give_window_back(address, refs.size());
        delete[] handles;
        return failure(error);
    }
    return GrantMapping(at, refs.size(), handles);
}

void GrantMapping::unmap()
{
    if (address_ == nullptr)
        return;
    unmap_pages(address_, handles_, pages_);
    give_window_back(as_argument(address_), pages_);
    delete[] handles_;
    address_ = nullptr;
    handles_ = nullptr;
    pages_ = 0;
}

Result<GrantPage> map_grant_page(Domain from, GrantRef ref, Access access)
{
    if (hardware_guest != nullptr)
        return failure(XEN_ENOSYS);
    const uint64_t address = take_window(1);
    if (address == 0)
        return failure(XEN_ENOMEM);
    uint32_t handle = 0;
    Errno error = XEN_EINVAL;
    if (map_batch(from, {&ref, 1}, access, address, &handle, error) == 1)
        return GrantPage(reinterpret_cast<std::byte*>(address), handle);
    give_window_back(address, 1);
    return failure(error);
}

void GrantPage::unmap()
{
    if (address_ == nullptr)
        return;
    unmap_pages(address_, &handle_, 1);
    give_window_back(as_argument(address_), 1);
    address_ = nullptr;
}

Result<> copy_grants(std::span<gnttab_copy_t> copies)
{
    const long result = hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_copy, as_argument(copies.data()), copies.size());
    if (result < 0)
        return failure(static_cast<Errno>(-result));
    return {};
}

CopySide foreign_side(Domain domain, GrantRef ref, uint16_t offset)
{
    CopySide side = {};
    side.u.ref = static_cast<grant_ref_t>(ref);
    side.domid = static_cast<domid_t>(domain);
    side.offset = offset;
    return side;
}

CopySide own_side(const void* address)
{
    CopySide side = {};
    side.u.gmfn = machine_frame(address);
    side.domid = DOMID_SELF;
    side.offset = static_cast<uint16_t>(as_argument(address) % page_bytes);
    return side;
}

}  // namespace bulkhead
