// SPDX-License-Identifier: BSD-2-Clause
// A partition's own table: its frames, sizes, version, and exchanging two of its entries.
#include "core/domain_argument.hpp"
#include "core/grant_operations.hpp"
#include "core/grant_pin.hpp"
#include "core/pv/work_budget.hpp"
#include "core/record_batch.hpp"

#include <array>

namespace bulkhead {

namespace {

constexpr uint32_t abi_version = 1;
constexpr uint32_t frames_at_once = 64;
constexpr uint32_t swaps_at_once = 16;
constexpr int32_t cost_of_a_swap = 80;

// The same judgement as check_self(), for operations that answer in their record.
GrantStatus self_status(const Partition& self, domid_t domain)
{
    const Result<> result = check_self(self, domain);
    if (result.has_value())
        return GNTST_okay;
    return result.error() == XEN_ESRCH ? GNTST_bad_domain : GNTST_permission_denied;
}

void grow_table(GrantTable& table, uint32_t frames)
{
    const LockGuard guard(table.lock);
    if (frames <= table.frames)
        return;
    table.frames = frames;
    table.valid_refs = frames * grant_entries_per_frame;
}

bool write_frames(const GrantTable& table, GuestVirtual to, uint32_t count)
{
    std::array<uint64_t, frames_at_once> list;
    for (uint32_t at = 0; at < count;) {
        uint32_t chunk = 0;
        for (; chunk < list.size() && at + chunk < count; ++chunk)
            list[chunk] = (table.first_frame + (at + chunk)).raw();
        if (!machine::copy_to_guest(to + at * sizeof(uint64_t), list.data(), chunk * sizeof(uint64_t)))
            return false;
        at += chunk;
    }
    return true;
}

GrantStatus setup(Partition& self, const gnttab_setup_table_t& record)
{
    if (const GrantStatus status = self_status(self, record.dom); status != GNTST_okay)
        return status;
    GrantTable& table = self.grants;
    if (record.nr_frames > table.max_frames)
        return GNTST_general_error;
    grow_table(table, record.nr_frames);
    const GuestVirtual list(reinterpret_cast<uint64_t>(record.frame_list.p));
    return write_frames(table, list, record.nr_frames) ? GNTST_okay : GNTST_bad_virt_addr;
}

// Reads the only record, lets `operation` answer in it, and writes it back.
template <class Record, class Operation>
long run(const HypercallArguments& arguments, Operation operation)
{
    if (arguments.value[2] != 1)
        return negative(XEN_EINVAL);
    const GuestVirtual argument(arguments.value[1]);
    Record record;
    if (!machine::read_guest(record, argument))
        return negative(XEN_EFAULT);
    record.status = operation(record);
    return machine::write_guest(argument, record) ? 0 : negative(XEN_EFAULT);
}

GrantStatus swap(GrantTable& table, uint32_t a, uint32_t b)
{
    const LockGuard guard(table.lock);
    if (a >= table.valid_refs || b >= table.valid_refs)
        return GNTST_bad_gntref;
    if (a == b)
        return GNTST_okay;
    const uint64_t first = machine::nospec_index(a, table.valid_refs);
    const uint64_t second = machine::nospec_index(b, table.valid_refs);
    if (table.uses[first].pins() != 0 || table.uses[second].pins() != 0)
        return GNTST_eagain;
    const uint64_t kept = table.entries[first].load(std::memory_order_relaxed);
    table.entries[first].store(table.entries[second].load(std::memory_order_relaxed), std::memory_order_relaxed);
    table.entries[second].store(kept, std::memory_order_release);
    return GNTST_okay;
}

}  // namespace

long setup_grant_table(Vcpu& vcpu, HypercallArguments& arguments)
{
    Partition& self = *vcpu.partition;
    return run<gnttab_setup_table_t>(arguments, [&](const auto& record) { return setup(self, record); });
}

long query_grant_size(Vcpu& vcpu, HypercallArguments& arguments)
{
    Partition& self = *vcpu.partition;
    return run<gnttab_query_size_t>(arguments, [&](auto& record) {
        const GrantStatus status = self_status(self, record.dom);
        if (status == GNTST_okay) {
            record.nr_frames = self.grants.frames;
            record.max_nr_frames = self.grants.max_frames;
        }
        return status;
    });
}

// There are no status frames before version 2.
long get_grant_status_frames(Vcpu& vcpu, HypercallArguments& arguments)
{
    Partition& self = *vcpu.partition;
    return run<gnttab_get_status_frames_t>(arguments, [&](const auto& record) -> GrantStatus {
        const GrantStatus status = self_status(self, record.dom);
        return status == GNTST_okay ? GNTST_general_error : status;
    });
}

long get_grant_version(Vcpu& vcpu, HypercallArguments& arguments)
{
    const GuestVirtual argument(arguments.value[1]);
    gnttab_get_version_t record;
    if (!machine::read_guest(record, argument))
        return negative(XEN_EFAULT);
    if (const Result<> own = check_self(*vcpu.partition, record.dom); !own.has_value())
        return negative(own.error());
    record.version = abi_version;
    return machine::write_guest(argument, record) ? 0 : negative(XEN_EFAULT);
}

long set_grant_version(Vcpu&, HypercallArguments& arguments)
{
    const GuestVirtual argument(arguments.value[1]);
    gnttab_set_version_t record;
    if (!machine::read_guest(record, argument))
        return negative(XEN_EFAULT);
    const uint32_t wanted = record.version;
    record.version = abi_version;
    if (!machine::write_guest(argument, record))
        return negative(XEN_EFAULT);
    if (wanted == abi_version)
        return 0;
    // As before the ABI had versions: guests then stay with the first.
    return negative(wanted == 2 ? XEN_ENOSYS : XEN_EINVAL);
}

long swap_grants(Vcpu& vcpu, HypercallArguments& arguments)
{
    GrantTable& table = vcpu.partition->grants;
    RecordBatch<gnttab_swap_grant_ref_t, swaps_at_once> batch;
    WorkBudget budget;
    while (arguments.value[2] != 0) {
        if (budget.is_spent())
            return hypercall_continue;
        if (!batch.read(GuestVirtual(arguments.value[1]), static_cast<uint32_t>(arguments.value[2])))
            return negative(XEN_EFAULT);
        for (gnttab_swap_grant_ref_t& record : batch)
            record.status = swap(table, record.ref_a, record.ref_b);
        budget.spend(static_cast<int32_t>(batch.count()) * cost_of_a_swap);
        if (!batch.write_back())
            return negative(XEN_EFAULT);
        advance_list<gnttab_swap_grant_ref_t>(arguments, batch.count());
    }
    return 0;
}

}  // namespace bulkhead
