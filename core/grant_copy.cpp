// SPDX-License-Identifier: BSD-2-Clause
// GNTTABOP_copy: the data path of front ends and back ends. What was resolved for one record is kept
// for the next, since a packet's pieces come from few frames.
#include "core/grant_operations.hpp"
#include "core/grant_pin.hpp"
#include "core/pv/work_budget.hpp"
#include "core/record_batch.hpp"
#include "machine/copy.hpp"

namespace bulkhead {

namespace {

using Side = gnttab_copy_t::gnttab_copy_ptr;

constexpr uint32_t copies_at_once = 16;
constexpr int32_t cost_of_a_copy = 150;

// One side of a copy: the frame that a record named last, held until another one is named.
class CopySide {
public:
    CopySide(Partition& self, bool write) : self_(self), write_(write) {}
    ~CopySide() { release(); }
    CopySide(const CopySide&) = delete;
    CopySide& operator=(const CopySide&) = delete;

    [[nodiscard, gnu::always_inline]] GrantStatus resolve(const Side& side, bool by_reference)
    {
        const uint64_t name = by_reference ? side.u.ref : side.u.gmfn;
        if (bytes_ != nullptr && name == name_ && side.domid == domain_ && by_reference == by_reference_) [[likely]]
            return GNTST_okay;
        return resolve_anew(side.domid, name, by_reference);
    }
    [[nodiscard]] uint8_t* bytes() const { return bytes_; }

private:
    GrantStatus resolve_anew(domid_t domain, uint64_t name, bool by_reference)
    {
        release();
        const GrantStatus status = by_reference ? hold_reference(domain, static_cast<uint32_t>(name))
                                                : hold_own(domain, Mfn(name));
        if (status != GNTST_okay) [[unlikely]]
            return status;
        name_ = name;
        domain_ = domain;
        by_reference_ = by_reference;
        bytes_ = machine::frame_pointer<uint8_t>(frame_);
        return GNTST_okay;
    }

    // By frame number: the caller's own frames only, and only under this name.
    GrantStatus hold_own(domid_t domain, Mfn frame)
    {
        if (domain != DOMID_SELF)
            return GNTST_permission_denied;
        frame_ = frame;
        return hold_frame(frame, self_, write_);
    }

    GrantStatus hold_reference(domid_t domain, uint32_t ref)
    {
        if (granter_ == nullptr || domain != granter_domain_) {
            granter_ = domain == DOMID_SELF ? &self_ : find_partition(DomainId(domain));
            granter_domain_ = domain;
        }
        if (granter_ == nullptr) [[unlikely]]
            return GNTST_bad_domain;
        const PinnedGrant pinned = pin_grant(*granter_, self_, ref, write_, GrantPurpose::copy);
        if (pinned.status != GNTST_okay) [[unlikely]]
            return pinned.status;
        frame_ = pinned.frame;
        const GrantStatus status = hold_frame(frame_, *granter_, write_);
        if (status != GNTST_okay) [[unlikely]]
            unpin_grant(*granter_, self_, ref, write_);
        return status;
    }

    void release()
    {
        if (bytes_ == nullptr)
            return;
        drop_frame(frame_, write_);
        if (by_reference_)
            unpin_grant(*granter_, self_, static_cast<uint32_t>(name_), write_);
        bytes_ = nullptr;
    }

    Partition& self_;
    Partition* granter_ = nullptr;       // of the last reference
    uint8_t* bytes_ = nullptr;           // null: nothing is held
    uint64_t name_ = 0;                  // reference or frame number
    Mfn frame_;
    domid_t domain_ = 0;
    domid_t granter_domain_ = 0;
    bool by_reference_ = false;
    const bool write_;
};

[[gnu::always_inline]] inline GrantStatus copy_record(CopySide& from, CopySide& to, const gnttab_copy_t& record)
{
    if (const GrantStatus status = from.resolve(record.source, (record.flags & GNTCOPY_source_gref) != 0);
        status != GNTST_okay) [[unlikely]]
        return status;
    if (const GrantStatus status = to.resolve(record.dest, (record.flags & GNTCOPY_dest_gref) != 0);
        status != GNTST_okay) [[unlikely]]
        return status;
    const uint32_t from_end = uint32_t{record.source.offset} + record.len;
    const uint32_t to_end = uint32_t{record.dest.offset} + record.len;
    if (from_end > page_size || to_end > page_size) [[unlikely]]
        return GNTST_bad_copy_arg;
    machine::copy_bytes(to.bytes() + record.dest.offset, from.bytes() + record.source.offset, record.len);
    return GNTST_okay;
}

}  // namespace

long copy_grants(Vcpu& vcpu, HypercallArguments& arguments)
{
    CopySide from(*vcpu.partition, false);
    CopySide to(*vcpu.partition, true);
    RecordBatch<gnttab_copy_t, copies_at_once> batch;
    WorkBudget budget;
    while (arguments.value[2] != 0) {
        if (budget.is_spent())
            return hypercall_continue;
        if (!batch.read(GuestVirtual(arguments.value[1]), static_cast<uint32_t>(arguments.value[2])))
            return negative(XEN_EFAULT);
        uint32_t done = 0;
        while (done < batch.count() && !budget.is_spent()) {
            gnttab_copy_t& record = batch[done++];
            budget.spend(cost_of_a_copy + record.len / 8);
            record.status = copy_record(from, to, record);
        }
        if (!batch.write_back(done))
            return negative(XEN_EFAULT);
        advance_list<gnttab_copy_t>(arguments, done);
    }
    return 0;
}

}  // namespace bulkhead
