// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_mmu_update. Source: xen/include/public/xen.h, "HYPERVISOR_mmu_update(reqs, count, ...)".
#include "core/pv/l1_entries.hpp"
#include "core/pv/page_table.hpp"
#include "core/pv/request_list.hpp"
#include "machine/frame_tables.hpp"

namespace bulkhead {

namespace {

// A page-table update of a page that is none: an ordinary store.
Result<> write_plainly(const Partition& partition, HostPhysical address, uint64_t value)
{
    const Mfn number = frame_of(address);
    TRY_VOID(get_writable_frame(number, partition.id));
    TableEntry(*machine::physical_pointer<uint64_t>(address)).store(value, std::memory_order_relaxed);
    put_writable_frame(number);
    return {};
}

Result<> set_machine_to_phys(const Partition& partition, Mfn number, uint64_t pfn)
{
    TRY_VOID(get_frame(number, partition.id));
    TableEntry(machine::machine_to_phys()[number.raw()]).store(pfn, std::memory_order_relaxed);
    put_frame(number);
    return {};
}

Result<> update_table_entry(Vcpu& vcpu, HostPhysical address, uint64_t command, uint64_t value, WorkBudget& budget)
{
    const Result<EntryPlace> place = find_table_entry(*vcpu.partition, address);
    if (!place.has_value()) [[unlikely]]
        return write_plainly(*vcpu.partition, address, value);
    const bool keep = command == MMU_PT_UPDATE_PRESERVE_AD;
    return update_entry(vcpu, *place, {.value = value, .keep_accessed_dirty = keep}, budget);
}

Result<> apply_slowly(Vcpu& vcpu, HostPhysical address, uint64_t command, uint64_t value, WorkBudget& budget)
{
    switch (command) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_PRESERVE_AD:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return update_table_entry(vcpu, address, command, value, budget);
    case MMU_MACHPHYS_UPDATE:
        return set_machine_to_phys(*vcpu.partition, frame_of(address), value);
    default:
        return fail(XEN_ENOSYS);
    }
}

bool is_valid_l1(const Partition& partition, Mfn table)
{
    constexpr uint64_t looked_at = frame::given | frame::validated | frame::type_mask;
    constexpr uint64_t valid_l1 = frame::given | frame::validated | frame::type_bits(FrameType::l1);
    const FrameEntry* entry = frame::find(table, partition.id);
    return entry != nullptr && (entry->state.load(std::memory_order_relaxed) & looked_at) == valid_l1;
}

Errno apply_update(Vcpu& vcpu, const mmu_update_t& request, WorkBudget& budget)
{
    constexpr int32_t cost_of_update = 150;
    constexpr uint64_t command_bits = 7;
    const HostPhysical address(request.ptr & ~command_bits);
    const uint64_t command = request.ptr & command_bits;
    budget.spend(cost_of_update);
    if (command == MMU_NORMAL_PT_UPDATE && is_valid_l1(*vcpu.partition, frame_of(address))) [[likely]]
        return write_l1_entry<L1Write::exchange>(*vcpu.partition, machine::physical_pointer<uint64_t>(address),
                                                 request.val);
    const Result<> result = apply_slowly(vcpu, address, command, request.val, budget);
    return result.has_value() ? frame::ok : result.error();
}

// The low half names who owns the mapped frames, the high half, plus one, who owns the tables.
Errno check_domains(const Partition& caller, uint32_t domains)
{
    const uint32_t tables = domains >> 16;
    if (tables != 0 && tables - 1 != caller.id.raw())
        return find_partition(DomainId(static_cast<uint16_t>(tables - 1))) == nullptr ? XEN_ESRCH : XEN_EPERM;
    return check_foreign_domain(caller, domains & 0xffff);
}

}  // namespace

long do_mmu_update(Vcpu& vcpu, HypercallArguments& arguments)
{
    Partition& partition = *vcpu.partition;
    const auto domains = static_cast<uint32_t>(arguments.value[3]);
    if (const Errno error = check_domains(partition, domains); error != frame::ok)
        return negative(error);
    return carry_out<RequestList<mmu_update_t, 32>>(
        partition, arguments,
        [&](const mmu_update_t& request, WorkBudget& budget) { return apply_update(vcpu, request, budget); });
}

}  // namespace bulkhead
