// SPDX-License-Identifier: BSD-2-Clause
// The remaining hypercalls, the choice among all, and several at once.
#include "caller.hpp"

#include "pvdrivers/abi/bulkhead.h"
#include "pvdrivers/abi/machine.h"

extern "C" {
#include <xen/version.h>
}

namespace bulkhead::fuzz {

namespace {

struct Entry {
    uint64_t number;
    MakeArguments make;
};

// Those with more inside come more than once.
constexpr Entry entries[] = {
    {__HYPERVISOR_mmu_update, mmu_update},
    {__HYPERVISOR_mmu_update, mmu_update},
    {__HYPERVISOR_mmuext_op, mmuext_op},
    {__HYPERVISOR_mmuext_op, mmuext_op},
    {__HYPERVISOR_mmuext_op, mmuext_op},
    {__HYPERVISOR_update_va_mapping, update_va_mapping},
    {__HYPERVISOR_update_va_mapping_otherdomain, update_va_mapping},
    {__HYPERVISOR_memory_op, memory_op},
    {__HYPERVISOR_memory_op, memory_op},
    {__HYPERVISOR_set_gdt, set_gdt},
    {__HYPERVISOR_update_descriptor, update_descriptor},
    {__HYPERVISOR_vm_assist, vm_assist},
    {__HYPERVISOR_event_channel_op, event_channel_op},
    {__HYPERVISOR_event_channel_op, event_channel_op},
    {__HYPERVISOR_event_channel_op, event_channel_op},
    {__HYPERVISOR_grant_table_op, grant_table_op},
    {__HYPERVISOR_grant_table_op, grant_table_op},
    {__HYPERVISOR_grant_table_op, grant_table_op},
    {__HYPERVISOR_vcpu_op, vcpu_op},
    {__HYPERVISOR_vcpu_op, vcpu_op},
    {__HYPERVISOR_sched_op, sched_op},
    {__HYPERVISOR_sched_op_compat, sched_op_compat},
    {__HYPERVISOR_set_timer_op, set_timer_op},
    {__HYPERVISOR_set_trap_table, set_trap_table},
    {__HYPERVISOR_callback_op, callback_op},
    {__HYPERVISOR_set_callbacks, set_callbacks},
    {__HYPERVISOR_stack_switch, stack_switch},
    {__HYPERVISOR_fpu_taskswitch, fpu_taskswitch},
    {__HYPERVISOR_set_segment_base, set_segment_base},
    {__HYPERVISOR_set_debugreg, set_debugreg},
    {__HYPERVISOR_get_debugreg, get_debugreg},
    {__HYPERVISOR_physdev_op, physdev_op},
    {__HYPERVISOR_xen_version, xen_version},
    {__HYPERVISOR_console_io, console_io},
    {__HYPERVISOR_arch_2, bulkhead_op},
};

struct MulticallEntry {
    uint64_t number;
    uint64_t result;
    HypercallArguments arguments;
};

}  // namespace

HypercallArguments xen_version(Caller& caller)
{
    const uint64_t command = caller.number(12);
    if (command == XENVER_get_features)
        return {{command, caller.put(xen_feature_info_t{static_cast<unsigned>(caller.number(2)), 0})}};
    return {{command, command == XENVER_pagesize && caller.choose(2) == 0 ? 0 : caller.room(1024)}};
}

HypercallArguments console_io(Caller& caller)
{
    char text[64];
    for (char& byte : text)
        byte = "ab\n\r\x1b[m\t"[caller.choose(8)];
    const uint64_t at = caller.put_list(std::span<const char>(text));
    return {{caller.number(3), caller.once_in(4) ? caller.number(3000) : caller.choose(sizeof(text) + 1), at}};
}

HypercallArguments bulkhead_op(Caller& caller)
{
    static constexpr uint64_t operations[] = {
        BULKHEADOP_service_info,       BULKHEADOP_device_info, BULKHEADOP_device_dma,     BULKHEADOP_device_config_read,
        BULKHEADOP_device_config_write, BULKHEADOP_box_info,    BULKHEADOP_cpu_info,       BULKHEADOP_partition_info,
        BULKHEADOP_log_text,           BULKHEADOP_log_text + 1, BULKHEADOP_machine_page,   BULKHEADOP_machine_turn};
    const uint64_t operation = caller.once_in(16) ? caller.any() : caller.one_of(operations);
    if (operation == BULKHEADOP_log_text) {
        bulkhead_log_text record{};
        record.log = caller.once_in(3) ? BULKHEAD_NO_PARTITION : static_cast<uint32_t>(caller.number(3));
        record.position = caller.once_in(3) ? caller.any() : caller.choose(64);
        return {{operation, caller.put(record)}};
    }
    if (operation == BULKHEADOP_machine_turn)
        return {{operation, caller.once_in(4) ? uint64_t{BULKHEAD_NO_SLOT} : caller.number(3), caller.any()}};
    // The other records begin with an index and a word.
    std::array<uint32_t, 96> record{};
    record[0] = static_cast<uint32_t>(caller.number(3));
    const uint64_t offset = caller.once_in(4) ? caller.number(0x1008) : caller.choose(2) == 0 ? 6 : 4 * caller.choose(16);
    record[1] = static_cast<uint32_t>((offset & 0xFFFF) | (uint64_t{1} << caller.choose(4)) << 16);
    record[2] = static_cast<uint32_t>(caller.number(5));
    return {{operation, caller.put(record)}};
}

HypercallArguments anything(Caller& caller)
{
    HypercallArguments arguments{};
    for (uint64_t& value : arguments.value)
        value = caller.choose(2) == 0 ? caller.choose(16) : caller.any();
    return arguments;
}

Call choose_call(Caller& caller)
{
    if (caller.once_in(24))
        return {caller.once_in(4) ? caller.any() : caller.choose(64), anything(caller)};
    const Entry& entry = entries[caller.choose(std::size(entries))];
    return {entry.number, entry.make(caller)};
}

HypercallArguments multicall(Caller& caller)
{
    MulticallEntry list[20];
    const uint64_t count = caller.choose(4) != 0 ? 1 + caller.choose(4) : 1 + caller.choose(std::size(list));
    for (size_t i = 0; i < count; ++i) {
        const Call call = choose_call(caller);
        list[i] = {caller.once_in(32) ? uint64_t{__HYPERVISOR_multicall} : call.number, 0, call.arguments};
    }
    return {{caller.put_list(std::span<const MulticallEntry>(list, count)), caller.once_in(32) ? caller.any() : count}};
}

}  // namespace bulkhead::fuzz
