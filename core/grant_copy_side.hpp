// SPDX-License-Identifier: BSD-2-Clause
// One side of a list of copies: the frame that its last record named, held until another one is
// named. The entry of a reference is pinned for as long, and a frame that is written holds its type.
// Only core/grant_copy.cpp includes this.
#pragma once

#include "core/frame_references.hpp"
#include "core/grant_copy_direct.hpp"
#include "core/grant_pin.hpp"

namespace bulkhead {

template <bool write>
class CopySide {
public:
    using Named = gnttab_copy_t::gnttab_copy_ptr;

    explicit CopySide(const Partition& self) : self_(self) {}
    ~CopySide() { release(); }
    CopySide(const CopySide&) = delete;
    CopySide& operator=(const CopySide&) = delete;

    // Meaningful if something is held, by the same kind of name.
    [[nodiscard, gnu::always_inline]] bool is_named(const Named& named) const
    {
        return named.u.gmfn == name_ && named.domid == domain_;
    }
    [[nodiscard]] uint8_t* bytes() const { return bytes_; }
    // Less than the page was granted.
    [[nodiscard]] bool is_part() const { return first_ != 0 || length_ != page_size; }
    [[nodiscard]] bool allows(uint32_t offset, uint32_t length) const
    {
        return offset >= first_ && offset + length <= uint32_t{first_} + length_;
    }

    // By frame number: the caller's own frames only, and only under this name.
    [[nodiscard]] GrantStatus hold_own(const Named& named)
    {
        if (bytes_ != nullptr && granter_ == nullptr && is_named(named)) [[likely]]
            return GNTST_okay;
        release();
        if (named.domid != DOMID_SELF)
            return GNTST_permission_denied;
        return hold(named_frame(self_, named.u.gmfn), self_, named);
    }

    // `granter` is the domain that it names; null: there is none.
    [[nodiscard]] GrantStatus hold_reference(const Named& named, Partition* granter)
    {
        if (bytes_ != nullptr && granter_ != nullptr && is_named(named))
            return GNTST_okay;
        release();
        if (granter == nullptr)
            return GNTST_bad_domain;
        const PinnedGrant pinned = pin_grant(*granter, self_, named.u.ref, write, GrantPurpose::copy);
        if (pinned.status != GNTST_okay)
            return pinned.status;
        const GrantStatus status = hold(pinned.frame, *granter, named);
        if (status != GNTST_okay) {
            unpin_grant(*granter, self_, named.u.ref, write);
            return status;
        }
        granter_ = granter;
        first_ = pinned.first_byte;
        length_ = pinned.bytes;
        return GNTST_okay;
    }

private:
    // Takes what reading or writing needs; may wait for a flush of TLBs, so no lock is held.
    GrantStatus hold(Mfn number, const Partition& owner, const Named& named)
    {
        if constexpr (write) {
            const GrantStatus status = hold_frame(number, owner, true);
            if (status != GNTST_okay)
                return status;
        } else if (!may_read(number, owner.id)) {
            return GNTST_bad_page;
        }
        frame_ = number;
        bytes_ = machine::frame_pointer<uint8_t>(number);
        name_ = named.u.gmfn;
        domain_ = named.domid;
        first_ = 0;
        length_ = page_size;
        return GNTST_okay;
    }

    // In this order: the granter may use the frame otherwise as soon as its entry is free.
    void release()
    {
        if (bytes_ == nullptr)
            return;
        bytes_ = nullptr;
        if constexpr (write)
            drop_frame(frame_, true);
        if (granter_ != nullptr)
            unpin_grant(*granter_, self_, static_cast<uint32_t>(name_), write);
        granter_ = nullptr;
    }

    const Partition& self_;
    uint8_t* bytes_ = nullptr;           // null: nothing is held
    uint64_t name_ = 0;                  // frame number, or reference as the record's union has it
    domid_t domain_ = 0;
    Partition* granter_ = nullptr;       // of a reference that is held
    Mfn frame_;
    uint16_t first_ = 0;                 // the part of the page that was granted
    uint16_t length_ = page_size;
};

}  // namespace bulkhead
