// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_mmuext_op. Source: xen/include/public/xen.h, "HYPERVISOR_mmuext_op(uops, count, ...)".
#include "core/panic.hpp"
#include "core/pv/descriptors.hpp"
#include "core/pv/page_table.hpp"
#include "core/pv/request_list.hpp"
#include "core/pv/table_walk.hpp"
#include "core/pv/tlb_requests.hpp"
#include "machine/memory.hpp"

namespace bulkhead {

namespace {

constexpr int32_t cost_of_page = 1000;

Result<> pin(Vcpu& vcpu, Mfn table, FrameType type, WorkBudget& budget)
{
    TRY_VOID(acquire_table(vcpu, table, type, budget));
    const uint64_t before = frame::entry_of(table).state.fetch_or(frame::pinned, std::memory_order_relaxed);
    if ((before & frame::pinned) == 0)
        return {};
    release_table(*vcpu.partition, table, type, budget);
    return fail(XEN_EINVAL);
}

Result<> unpin(Vcpu& vcpu, Mfn table, WorkBudget& budget)
{
    FrameEntry* entry = frame::find(table, vcpu.partition->id);
    if (entry == nullptr || (entry->state.load(std::memory_order_relaxed) & frame::pinned) == 0)
        return fail(XEN_EINVAL);
    const uint64_t before = entry->state.fetch_and(~frame::pinned, std::memory_order_relaxed);
    release_table(*vcpu.partition, table, frame::type_of(before), budget);
    return {};
}

// The slot of the machine-to-phys table, which VMASST_TYPE_m2p_strict hides from user mode.
void show_machine_to_phys(Mfn top_level, bool shown)
{
    uint64_t& slot = machine::frame_pointer<uint64_t>(top_level)[layout::core_first_slot];
    TableEntry(slot).store(shown ? core_slot_value(layout::core_first_slot) : 0, std::memory_order_relaxed);
}

bool is_strict(const Partition& partition)
{
    return (partition.vm_assist >> VMASST_TYPE_m2p_strict & 1) != 0;
}

// Linux under PREEMPT_RT can lose its CPU between taking over a new program's page tables and pinning
// them, and loads them on the way back, while it has them mapped writable. It takes a refusal for a
// success. So the vCPU goes on in the former ones, as it would after the refusal, and gets the new
// ones when it pins them.
Result<> put_off(Vcpu& vcpu, Mfn table, Errno error, Mfn& late)
{
    PvMemory& memory = vcpu.partition->memory;
    const FrameEntry* entry = frame::find(table, vcpu.partition->id);
    if (!memory.pins_late || error == XEN_ERESTART || entry == nullptr
        || (entry->state.load(std::memory_order_relaxed) & frame::given) == 0)
        return fail(error);
    late = table;
    ++memory.counters.loads_put_off;
    return {};
}

Result<> new_kernel_table(Vcpu& vcpu, Mfn table, WorkBudget& budget)
{
    vcpu.pv.late_kernel_table = Mfn(0);
    if (const Result<> taken = acquire_table(vcpu, table, FrameType::l4, budget); !taken.has_value()) [[unlikely]]
        return put_off(vcpu, table, taken.error(), vcpu.pv.late_kernel_table);
    const Mfn old = vcpu.pv.kernel_table;
    if (is_strict(*vcpu.partition))
        show_machine_to_phys(table, true);
    // The LDT is known by its address, which may mean other frames from here on.
    drop_ldt_pages(vcpu);
    vcpu.pv.kernel_table = table;
    // Before the old one loses its reference: this CPU runs on it.
    machine::load_table(table);
    machine::choose_view(vcpu);
    release_table(*vcpu.partition, old, FrameType::l4, budget);
    return {};
}

Result<> new_user_table(Vcpu& vcpu, Mfn table, WorkBudget& budget)
{
    const Mfn old = vcpu.pv.user_table;
    vcpu.pv.late_user_table = Mfn(0);
    if (table == old)
        return {};
    if (table != Mfn(0)) {
        if (const Result<> taken = acquire_table(vcpu, table, FrameType::l4, budget); !taken.has_value()) [[unlikely]]
            return put_off(vcpu, table, taken.error(), vcpu.pv.late_user_table);
        if (is_strict(*vcpu.partition) && table != vcpu.pv.kernel_table)
            show_machine_to_phys(table, false);
    }
    vcpu.pv.user_table = table;
    if (old != Mfn(0))
        release_table(*vcpu.partition, old, FrameType::l4, budget);
    return {};
}

// What this vCPU waited for may have been pinned. It is valid now, so nothing has to be continued.
Result<> load_late(Vcpu& vcpu, Mfn table, WorkBudget& budget)
{
    if (vcpu.pv.late_kernel_table == table)
        return new_kernel_table(vcpu, table, budget);
    if (vcpu.pv.late_user_table == table)
        return new_user_table(vcpu, table, budget);
    return {};
}

Result<> flush_for_vcpus(const Partition& partition, const mmuext_op_t& operation)
{
    const auto bitmap = reinterpret_cast<uint64_t>(operation.arg2.vcpumask.p);
    const machine::CpuSet cpus = TRY(cpus_of_bitmap(partition, GuestVirtual(bitmap)));
    if (operation.cmd == MMUEXT_TLB_FLUSH_MULTI)
        flush_whole(cpus);
    else
        flush_page(cpus, GuestVirtual(operation.arg1.linear_addr));
    return {};
}

Result<> clear_page(const Partition& partition, Mfn number)
{
    TRY_VOID(get_writable_frame(number, partition.id));
    machine::clear_frame(machine::frame_pointer(number));
    put_writable_frame(number);
    return {};
}

Result<> copy_page(const Partition& partition, Mfn to, Mfn from)
{
    TRY_VOID(get_frame(from, partition.id));
    const Result<> result = get_writable_frame(to, partition.id);
    if (result.has_value()) {
        machine::copy_frame(machine::frame_pointer(to), machine::frame_pointer(from));
        put_writable_frame(to);
    }
    put_frame(from);
    return result;
}

// Operations that change tables. Those of levels 1 to 4 have consecutive numbers.
Result<> apply_to_tables(Vcpu& vcpu, const mmuext_op_t& operation, WorkBudget& budget)
{
    const Mfn table(operation.arg1.mfn);
    switch (operation.cmd) {
    case MMUEXT_UNPIN_TABLE:
        return unpin(vcpu, table, budget);
    case MMUEXT_NEW_BASEPTR:
        return new_kernel_table(vcpu, table, budget);
    case MMUEXT_NEW_USER_BASEPTR:
        return new_user_table(vcpu, table, budget);
    default:
        const auto level = static_cast<uint8_t>(operation.cmd - MMUEXT_PIN_L1_TABLE);
        TRY_VOID(pin(vcpu, table, static_cast<FrameType>(static_cast<uint8_t>(FrameType::l1) + level), budget));
        return load_late(vcpu, table, budget);
    }
}

Result<> apply_operation(Vcpu& vcpu, const mmuext_op_t& operation, WorkBudget& budget)
{
    Partition& partition = *vcpu.partition;
    const GuestVirtual address(operation.arg1.linear_addr);
    budget.spend(100);
    switch (operation.cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
    case MMUEXT_UNPIN_TABLE:
    case MMUEXT_NEW_BASEPTR:
    case MMUEXT_NEW_USER_BASEPTR:
        return apply_to_tables(vcpu, operation, budget);
    case MMUEXT_TLB_FLUSH_LOCAL:
        machine::flush_local();
        return {};
    case MMUEXT_INVLPG_LOCAL:
        flush_page(this_cpu_set(), address);
        return {};
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
        return flush_for_vcpus(partition, operation);
    case MMUEXT_TLB_FLUSH_ALL:
        flush_whole(cpus_running(partition));
        return {};
    case MMUEXT_INVLPG_ALL:
        flush_page(cpus_running(partition), address);
        return {};
    // Nothing here is mapped uncached, so there is never anything to write back.
    case MMUEXT_FLUSH_CACHE:
        return fail(XEN_EACCES);
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        return fail(XEN_EINVAL);
    case MMUEXT_SET_LDT:
        return set_ldt(vcpu, operation.arg1.linear_addr, operation.arg2.nr_ents);
    case MMUEXT_CLEAR_PAGE:
        budget.spend(cost_of_page);
        return clear_page(partition, Mfn(operation.arg1.mfn));
    case MMUEXT_COPY_PAGE:
        budget.spend(cost_of_page);
        return copy_page(partition, Mfn(operation.arg1.mfn), Mfn(operation.arg2.src_mfn));
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return fail(XEN_EOPNOTSUPP);
    default:
        return fail(XEN_ENOSYS);
    }
}

// These operations have one answer for a frame that cannot be had, whatever the reason.
Errno as_the_abi_says(Errno error) { return error == XEN_EBUSY || error == XEN_ERANGE ? XEN_EINVAL : error; }

}  // namespace

long do_mmuext_op(Vcpu& vcpu, HypercallArguments& arguments)
{
    Partition& partition = *vcpu.partition;
    const auto domain = static_cast<uint16_t>(arguments.value[3]);
    if (const Errno error = check_foreign_domain(partition, domain); error != frame::ok)
        return negative(error);
    return carry_out<RequestList<mmuext_op_t, 8>>(
        partition, arguments, [&](const mmuext_op_t& operation, WorkBudget& budget) {
            const Result<> result = apply_operation(vcpu, operation, budget);
            return result.has_value() ? frame::ok : as_the_abi_says(result.error());
        });
}

}  // namespace bulkhead
