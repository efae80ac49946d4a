// SPDX-License-Identifier: BSD-2-Clause
// See tlb_requests.hpp.
#include "core/pv/tlb_requests.hpp"

#include "machine/memory.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/layout.hpp"

namespace bulkhead {

machine::CpuSet this_cpu_set() { return {uint64_t{1} << this_cpu().number.raw()}; }

machine::CpuSet cpus_running(const Partition& partition)
{
    return {partition.memory.running_on.load(std::memory_order_seq_cst)};
}

Result<machine::CpuSet> cpus_of_bitmap(const Partition& partition, GuestVirtual bitmap)
{
    static_assert(plan::max_vcpus <= 64);
    uint64_t wanted = 0;
    if (!machine::read_guest_u64(wanted, bitmap))
        return fail(XEN_EFAULT);
    machine::CpuSet cpus{0};
    for (const Vcpu& vcpu : partition.vcpus) {
        if ((wanted >> vcpu.number.raw() & 1) != 0)
            cpus.bits |= uint64_t{1} << vcpu.cpu.raw();
    }
    cpus.bits &= cpus_running(partition).bits;
    return cpus;
}

void flush_whole(machine::CpuSet cpus)
{
    if (cpus.bits == this_cpu_set().bits)
        machine::flush_local();
    else if (cpus.bits != 0)
        machine::flush_cpus(cpus);
}

void flush_page(machine::CpuSet cpus, GuestVirtual address)
{
    if (!layout::guest_range_ok(address.raw(), 1))
        return;
    if (cpus.bits == this_cpu_set().bits)
        machine::flush_page_local(address);
    else if (cpus.bits != 0)
        machine::flush_page_cpus(cpus, address);
}

}  // namespace bulkhead
