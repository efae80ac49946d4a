// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_update_va_mapping and its form for another domain.
// Source: xen/include/public/xen.h, "HYPERVISOR_update_va_mapping(va, val, flags)".
#include "core/hypercall.hpp"
#include "core/pv/foreign_domain.hpp"
#include "core/pv/l1_entries.hpp"
#include "core/pv/page_table.hpp"
#include "core/pv/tlb_requests.hpp"

namespace bulkhead {

namespace {

Errno change_mapping(Vcpu& vcpu, GuestVirtual address, uint64_t value)
{
    Partition& partition = *vcpu.partition;
    WorkBudget budget;
    const LockGuard guard(partition.memory.lock);
    if (!finish_walk(partition, budget)) [[unlikely]]
        return XEN_ERESTART;
    uint64_t* entry = l1_entry_at(vcpu, address.raw());
    if (entry == nullptr) [[unlikely]]
        return XEN_EINVAL;
    return write_l1_entry<L1Write::exchange>(partition, entry, value);
}

// The upper bits of the flags say which CPUs: this one, all, or the address of a bitmap of vCPUs.
Result<machine::CpuSet> cpus_meant(const Partition& partition, uint64_t flags)
{
    const uint64_t which = flags & ~UVMF_FLUSHTYPE_MASK;
    if (which == UVMF_LOCAL)
        return this_cpu_set();
    if (which == UVMF_ALL)
        return cpus_running(partition);
    return cpus_of_bitmap(partition, GuestVirtual(which));
}

Result<> flush_after(const Partition& partition, GuestVirtual address, uint64_t flags)
{
    const uint64_t type = flags & UVMF_FLUSHTYPE_MASK;
    if (type != UVMF_TLB_FLUSH && type != UVMF_INVLPG)
        return {};
    const machine::CpuSet cpus = TRY(cpus_meant(partition, flags));
    if (type == UVMF_TLB_FLUSH)
        flush_whole(cpus);
    else
        flush_page(cpus, address);
    return {};
}

}  // namespace

long do_update_va_mapping(Vcpu& vcpu, HypercallArguments& arguments)
{
    const GuestVirtual address(arguments.value[0]);
    const Errno error = change_mapping(vcpu, address, arguments.value[1]);
    if (error != frame::ok) [[unlikely]]
        return error == XEN_ERESTART ? hypercall_continue : negative(error);
    // The forms that stock kernels use all the time.
    if (arguments.value[2] == (UVMF_INVLPG | UVMF_LOCAL)) {
        machine::flush_page_local(address);
        return 0;
    }
    if (arguments.value[2] == UVMF_NONE)
        return 0;
    return to_return_value(flush_after(*vcpu.partition, address, arguments.value[2]));
}

long do_update_va_mapping_otherdomain(Vcpu& vcpu, HypercallArguments& arguments)
{
    const auto domain = static_cast<uint16_t>(arguments.value[3]);
    if (const Errno error = check_foreign_domain(*vcpu.partition, domain); error != frame::ok)
        return negative(error);
    return do_update_va_mapping(vcpu, arguments);
}

}  // namespace bulkhead
