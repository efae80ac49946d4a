// SPDX-License-Identifier: BSD-2-Clause
// GNTTABOP_copy: the data path of front ends and back ends. In a list, what a record names is held if
// the next one names it too, since a packet's pieces come from few frames; a reference that is used
// only once is copied directly.
#include "core/grant_copy_direct.hpp"
#include "core/grant_copy_side.hpp"
#include "core/grant_operations.hpp"
#include "core/pv/work_budget.hpp"
#include "core/record_batch.hpp"
#include "machine/guest_inline.hpp"

#include <cstddef>

namespace bulkhead {

namespace {

constexpr uint32_t copies_at_once = 16;
constexpr uint32_t cost_of_a_copy = 150;

class Copier {
public:
    explicit Copier(Partition& self) : self_(self), from_(self), to_(self) {}

    // Records up to `end` follow it.
    [[gnu::always_inline]] GrantStatus copy(const gnttab_copy_t* record, const gnttab_copy_t* end)
    {
        const bool is_held = record->flags == held_flags_ && from_.is_named(record->source) &&
                             to_.is_named(record->dest) && stays_within_pages(*record);
        if (!is_held) [[unlikely]]
            return copy_anew(*record, record + 1 == end ? nullptr : record + 1);
        copy_between(to_.bytes(), from_.bytes(), *record);
        return GNTST_okay;
    }

private:
    static constexpr uint32_t nothing_held = ~uint32_t{0};

    // The last one that was looked up for a side; null: there is none.
    struct Granter {
        domid_t domain = 0;
        Partition* partition = nullptr;
    };

    Partition* find_granter(Granter& last, domid_t domain) const
    {
        if (last.partition == nullptr || domain != last.domain)
            last = {domain, find_partition(domain == DOMID_SELF ? self_.id : DomainId(domain))};
        return last.partition;
    }

    [[nodiscard]] static bool names_same(const gnttab_copy_t::gnttab_copy_ptr& one,
                                         const gnttab_copy_t::gnttab_copy_ptr& other)
    {
        return one.u.gmfn == other.u.gmfn && one.domid == other.domid;
    }

    [[gnu::always_inline]] GrantStatus copy_anew(const gnttab_copy_t& record, const gnttab_copy_t* next)
    {
        held_flags_ = nothing_held;
        const bool same_kind = next != nullptr && next->flags == record.flags;
        const bool source_again = same_kind && names_same(record.source, next->source);
        const bool target_again = same_kind && names_same(record.dest, next->dest);
        GrantStatus status = not_direct;
        if (record.flags == (GNTCOPY_source_gref | GNTCOPY_dest_gref) && !source_again && !target_again)
            status = copy_both_once(record);
        else if (record.flags == GNTCOPY_source_gref && !source_again)
            status = copy_from_once(record);
        else if (record.flags == GNTCOPY_dest_gref && !target_again)
            status = copy_to_once(record);
        return status != not_direct ? status : copy_held(record);
    }

    [[gnu::always_inline]] GrantStatus copy_both_once(const gnttab_copy_t& record)
    {
        Partition* from = find_granter(source_granter_, record.source.domid);
        Partition* to = find_granter(target_granter_, record.dest.domid);
        if (from == nullptr || to == nullptr) [[unlikely]]
            return not_direct;
        return copy_between_references(self_, *from, *to, record);
    }

    [[gnu::always_inline]] GrantStatus copy_from_once(const gnttab_copy_t& record)
    {
        Partition* granter = find_granter(source_granter_, record.source.domid);
        if (granter == nullptr || to_.hold_own(record.dest) != GNTST_okay) [[unlikely]]
            return not_direct;
        return copy_directly<false>(self_, *granter, to_.bytes(), record);
    }

    [[gnu::always_inline]] GrantStatus copy_to_once(const gnttab_copy_t& record)
    {
        Partition* granter = find_granter(target_granter_, record.dest.domid);
        if (granter == nullptr || from_.hold_own(record.source) != GNTST_okay) [[unlikely]]
            return not_direct;
        return copy_directly<true>(self_, *granter, from_.bytes(), record);
    }

    template <bool write>
    GrantStatus hold(CopySide<write>& side, const gnttab_copy_t::gnttab_copy_ptr& named, bool by_reference)
    {
        Granter& last = write ? target_granter_ : source_granter_;
        return by_reference ? side.hold_reference(named, find_granter(last, named.domid)) : side.hold_own(named);
    }

    [[gnu::noinline]] GrantStatus copy_held(const gnttab_copy_t& record)
    {
        const GrantStatus source = hold(from_, record.source, (record.flags & GNTCOPY_source_gref) != 0);
        if (source != GNTST_okay)
            return source;
        const GrantStatus target = hold(to_, record.dest, (record.flags & GNTCOPY_dest_gref) != 0);
        if (target != GNTST_okay)
            return target;
        // Parts of pages are checked each time, the long way.
        held_flags_ = from_.is_part() || to_.is_part() ? nothing_held : record.flags;
        if (!stays_within_pages(record))
            return GNTST_bad_copy_arg;
        if (!from_.allows(record.source.offset, record.len) || !to_.allows(record.dest.offset, record.len))
            return GNTST_general_error;
        copy_between(to_.bytes(), from_.bytes(), record);
        return GNTST_okay;
    }

    Partition& self_;
    CopySide<false> from_;
    CopySide<true> to_;
    uint32_t held_flags_ = nothing_held; // both sides hold what a record with these flags named
    Granter source_granter_;
    Granter target_granter_;
};

// A list of one: the frame of the caller is held only if that is quickly done.
[[nodiscard]] GrantStatus copy_one(Partition& self, const gnttab_copy_t& record)
{
    const bool from_reference = record.flags == GNTCOPY_source_gref;
    if (!from_reference && record.flags != GNTCOPY_dest_gref) [[unlikely]]
        return not_direct;
    const auto& theirs = from_reference ? record.source : record.dest;
    const auto& own = from_reference ? record.dest : record.source;
    if (own.domid != DOMID_SELF) [[unlikely]]
        return not_direct;
    Partition* const granter = theirs.domid == DOMID_SELF ? &self : find_partition(DomainId(theirs.domid));
    if (granter == nullptr) [[unlikely]]
        return not_direct;
    const Mfn number = named_frame(self, own.u.gmfn);
    if (!from_reference) {
        if (!may_read(number, self.id)) [[unlikely]]
            return not_direct;
        return copy_directly<true>(self, *granter, machine::frame_pointer<uint8_t>(number), record);
    }
    FrameEntry* const target = take_writable_quickly(number, self.id);
    if (target == nullptr) [[unlikely]]
        return not_direct;
    const GrantStatus status =
        copy_directly<false>(self, *granter, machine::frame_pointer<uint8_t>(number), record);
    frame::put_writable(*target);
    return status;
}

[[gnu::noinline]] GrantStatus copy_one_slowly(Partition& self, const gnttab_copy_t& record)
{
    return Copier(self).copy(&record, &record + 1);
}

}  // namespace

// Only the quadword with the status is written back.
long copy_grant(Vcpu& vcpu, GuestVirtual place)
{
    gnttab_copy_t record;
    if (!machine::read_guest(record, place)) [[unlikely]]
        return negative(XEN_EFAULT);
    GrantStatus status = copy_one(*vcpu.partition, record);
    if (status == not_direct) [[unlikely]]
        status = copy_one_slowly(*vcpu.partition, record);
    const uint64_t end = record.len | uint64_t{record.flags} << 16 | uint64_t{static_cast<uint16_t>(status)} << 32;
    static_assert(offsetof(gnttab_copy_t, len) == 32 && offsetof(gnttab_copy_t, status) == 36);
    if (!machine::store_checked_guest_u64(place + offsetof(gnttab_copy_t, len), end)) [[unlikely]]
        return negative(XEN_EFAULT);
    return 0;
}

long copy_grants(Vcpu& vcpu, HypercallArguments& arguments)
{
    Copier copier(*vcpu.partition);
    RecordBatch<gnttab_copy_t, copies_at_once> batch;
    WorkBudget budget(WorkBudget::share_without_lock);
    while (arguments.value[2] != 0) {
        if (budget.is_spent()) [[unlikely]]
            return hypercall_continue;
        if (!batch.read(GuestVirtual(arguments.value[1]), static_cast<uint32_t>(arguments.value[2]))) [[unlikely]]
            return negative(XEN_EFAULT);
        uint32_t bytes = 0;
        for (gnttab_copy_t* record = batch.begin(); record != batch.end(); ++record) {
            bytes += record->len;
            record->status = copier.copy(record, batch.end());
        }
        budget.spend(static_cast<int32_t>(bytes / 8 + batch.count() * cost_of_a_copy));
        if (!batch.write_back()) [[unlikely]]
            return negative(XEN_EFAULT);
        advance_list<gnttab_copy_t>(arguments, batch.count());
    }
    return 0;
}

}  // namespace bulkhead
