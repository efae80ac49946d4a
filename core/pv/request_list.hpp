// SPDX-License-Identifier: BSD-2-Clause
// The list of requests that mmu_update and mmuext_op take, and how they go on after a share of work:
// the arguments are moved on, and the count says that the number of those done is to be added to.
// Source: xen/include/public/xen.h, HYPERVISOR_mmu_update and HYPERVISOR_mmuext_op.
#pragma once

#include "core/hypercall.hpp"
#include "core/partition.hpp"
#include "core/pv/foreign_domain.hpp"
#include "core/pv/page_table.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace bulkhead {

template <class Request, unsigned batch_size>
class RequestList {
public:
    explicit RequestList(const HypercallArguments& arguments)
        : next_(arguments.value[0]), done_at_(arguments.value[2]), left_(static_cast<uint32_t>(arguments.value[1]))
    {
        if ((left_ & continued) == 0)
            return;
        left_ &= ~continued;
        if (done_at_ != 0)
            (void)machine::read_guest(done_, GuestVirtual(done_at_));
    }

    [[nodiscard]] bool is_empty() const { return left_ == 0; }
    // The next request, which is read once; null if the guest's list cannot be read.
    [[nodiscard]] const Request* next()
    {
        if (at_ == in_batch_ && !read_batch())
            return nullptr;
        return &batch_[at_];
    }
    void done_with_it()
    {
        ++at_;
        --left_;
        ++done_;
        next_ += sizeof(Request);
    }

    long finish(long result)
    {
        if (done_at_ != 0)
            (void)machine::write_guest(GuestVirtual(done_at_), done_);
        return result;
    }
    long go_on_later(HypercallArguments& arguments)
    {
        arguments.value[0] = next_;
        arguments.value[1] = left_ | continued;
        return finish(hypercall_continue);
    }

private:
    static constexpr uint32_t continued = uint32_t{1} << 31;

    // Several at once; one by one where a page ends that the list never meant to reach.
    [[nodiscard]] bool read_batch()
    {
        at_ = 0;
        in_batch_ = std::min(left_, batch_size);
        if (machine::copy_from_guest(batch_.data(), GuestVirtual(next_), in_batch_ * sizeof(Request))) [[likely]]
            return true;
        in_batch_ = 1;
        if (machine::copy_from_guest(batch_.data(), GuestVirtual(next_), sizeof(Request)))
            return true;
        in_batch_ = 0;
        return false;
    }

    uint64_t next_;
    uint64_t done_at_;
    uint32_t left_;
    uint32_t done_ = 0;
    uint32_t at_ = 0;
    uint32_t in_batch_ = 0;
    std::array<Request, batch_size> batch_;
};

// Carries out one after the other by `apply(request, budget)`, which returns frame::ok, XEN_ERESTART where
// it has not come to its end, or what the hypercall ends with. Takes the lock of the caller's memory.
template <class List, class Apply>
[[gnu::always_inline]] inline long carry_out(Partition& partition, HypercallArguments& arguments, Apply apply)
{
    List list(arguments);
    WorkBudget budget;
    const LockGuard guard(partition.memory.lock);
    for (;;) {
        if (budget.is_spent() || !finish_walk(partition, budget))
            return list.go_on_later(arguments);
        if (list.is_empty())
            return list.finish(0);
        const auto* request = list.next();
        if (request == nullptr)
            return list.finish(negative(XEN_EFAULT));
        const Errno error = apply(*request, budget);
        if (error != frame::ok) [[unlikely]]
            return error == XEN_ERESTART ? list.go_on_later(arguments) : list.finish(negative(error));
        list.done_with_it();
    }
}

}  // namespace bulkhead
