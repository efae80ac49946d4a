// SPDX-License-Identifier: BSD-2-Clause
// Grants: sharing pages with other partitions, and using theirs. From every vCPU.
#pragma once

#include <bulkhead/events.hpp>
#include <bulkhead/memory.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

extern "C" {
#include <xen/xen.h>
#include <xen/grant_table.h>
}

namespace bulkhead {

enum class GrantRef : uint32_t {};

// --- Giving -------------------------------------------------------------------

// Lets `to` map or copy the page, or only read it. XEN_ENOSPC: the grant table is full.
[[nodiscard]] Result<GrantRef> grant(Domain to, const void* page, Access access);
// Takes it back. XEN_EBUSY: the other side still uses it; try again later.
Result<> revoke(GrantRef ref);

// --- Using --------------------------------------------------------------------

// Pages of another partition mapped here in a row. They are unmapped when the object ends.
class GrantMapping {
public:
    GrantMapping() = default;
    GrantMapping(std::byte* address, size_t pages, uint32_t* handles)
        : address_(address), pages_(pages), handles_(handles) {}
    GrantMapping(GrantMapping&& other) noexcept { swap(other); }
    GrantMapping& operator=(GrantMapping&& other) noexcept
    {
        swap(other);
        return *this;
    }
    ~GrantMapping() { unmap(); }

    [[nodiscard]] std::byte* data() const { return address_; }
    [[nodiscard]] size_t size() const { return pages_ * page_bytes; }
    [[nodiscard]] std::span<std::byte> bytes() const { return {data(), size()}; }
    template <class T>
    [[nodiscard]] T* as() const { return static_cast<T*>(static_cast<void*>(address_)); }
    explicit operator bool() const { return address_ != nullptr; }
    void unmap();

private:
    void swap(GrantMapping& other)
    {
        std::swap(address_, other.address_);
        std::swap(pages_, other.pages_);
        std::swap(handles_, other.handles_);
    }
    std::byte* address_ = nullptr;
    size_t pages_ = 0;
    uint32_t* handles_ = nullptr;
};

// XEN_EINVAL and others: what the grant's status says (GNTST_*), as the nearest errno; XEN_ENOMEM: the
// mapping window (64 MiB) or the memory for its page tables is used up; XEN_ENOSYS: the program runs in
// a hardware partition, which cannot map. All of them or none.
[[nodiscard]] Result<GrantMapping> map_grants(Domain from, std::span<const GrantRef> refs, Access access);
[[nodiscard]] inline Result<GrantMapping> map_grant(Domain from, GrantRef ref, Access access)
{
    return map_grants(from, {&ref, 1}, access);
}

// One frame of another partition; needs no heap.
class GrantPage {
public:
    GrantPage() = default;
    GrantPage(std::byte* address, uint32_t handle) : address_(address), handle_(handle) {}
    GrantPage(GrantPage&& other) noexcept { swap(other); }
    GrantPage& operator=(GrantPage&& other) noexcept
    {
        swap(other);
        return *this;
    }
    ~GrantPage() { unmap(); }

    [[nodiscard]] std::byte* data() const { return address_; }
    template <class T>
    [[nodiscard]] T* as() const { return static_cast<T*>(static_cast<void*>(address_)); }
    explicit operator bool() const { return address_ != nullptr; }
    void unmap();

private:
    void swap(GrantPage& other)
    {
        std::swap(address_, other.address_);
        std::swap(handle_, other.handle_);
    }
    std::byte* address_ = nullptr;
    uint32_t handle_ = 0;
};

// The errors of map_grants().
[[nodiscard]] Result<GrantPage> map_grant_page(Domain from, GrantRef ref, Access access);

// Copies between grants and own frames in one hypercall, in order. Each record has its own
// status afterwards. Fails only if the records themselves cannot be read.
Result<> copy_grants(std::span<gnttab_copy_t> copies);
// One side of such a record.
using CopySide = gnttab_copy::gnttab_copy_ptr;
[[nodiscard]] CopySide foreign_side(Domain domain, GrantRef ref, uint16_t offset);
[[nodiscard]] CopySide own_side(const void* address);    // does not cross a page together with its length

}  // namespace bulkhead
