// SPDX-License-Identifier: BSD-2-Clause
// Source: xen/include/public/xen.h, "HYPERCALLS".
#include "core/hypercall_names.hpp"

#include <array>
#include <cstddef>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

namespace {

constexpr size_t named_numbers = __HYPERVISOR_arch_7 + 1;

consteval auto make_names()
{
    std::array<const char*, named_numbers> names{};
    names.fill("unknown");
    names[__HYPERVISOR_set_trap_table] = "set_trap_table";
    names[__HYPERVISOR_mmu_update] = "mmu_update";
    names[__HYPERVISOR_set_gdt] = "set_gdt";
    names[__HYPERVISOR_stack_switch] = "stack_switch";
    names[__HYPERVISOR_set_callbacks] = "set_callbacks";
    names[__HYPERVISOR_fpu_taskswitch] = "fpu_taskswitch";
    names[__HYPERVISOR_sched_op_compat] = "sched_op_compat";
    names[__HYPERVISOR_platform_op] = "platform_op";
    names[__HYPERVISOR_set_debugreg] = "set_debugreg";
    names[__HYPERVISOR_get_debugreg] = "get_debugreg";
    names[__HYPERVISOR_update_descriptor] = "update_descriptor";
    names[__HYPERVISOR_memory_op] = "memory_op";
    names[__HYPERVISOR_multicall] = "multicall";
    names[__HYPERVISOR_update_va_mapping] = "update_va_mapping";
    names[__HYPERVISOR_set_timer_op] = "set_timer_op";
    names[__HYPERVISOR_event_channel_op_compat] = "event_channel_op_compat";
    names[__HYPERVISOR_xen_version] = "xen_version";
    names[__HYPERVISOR_console_io] = "console_io";
    names[__HYPERVISOR_physdev_op_compat] = "physdev_op_compat";
    names[__HYPERVISOR_grant_table_op] = "grant_table_op";
    names[__HYPERVISOR_vm_assist] = "vm_assist";
    names[__HYPERVISOR_update_va_mapping_otherdomain] = "update_va_mapping_otherdomain";
    names[__HYPERVISOR_iret] = "iret";
    names[__HYPERVISOR_vcpu_op] = "vcpu_op";
    names[__HYPERVISOR_set_segment_base] = "set_segment_base";
    names[__HYPERVISOR_mmuext_op] = "mmuext_op";
    names[__HYPERVISOR_xsm_op] = "xsm_op";
    names[__HYPERVISOR_nmi_op] = "nmi_op";
    names[__HYPERVISOR_sched_op] = "sched_op";
    names[__HYPERVISOR_callback_op] = "callback_op";
    names[__HYPERVISOR_xenoprof_op] = "xenoprof_op";
    names[__HYPERVISOR_event_channel_op] = "event_channel_op";
    names[__HYPERVISOR_physdev_op] = "physdev_op";
    names[__HYPERVISOR_hvm_op] = "hvm_op";
    names[__HYPERVISOR_sysctl] = "sysctl";
    names[__HYPERVISOR_domctl] = "domctl";
    names[__HYPERVISOR_kexec_op] = "kexec_op";
    names[__HYPERVISOR_arch_2] = "bulkhead_op";
    names[__HYPERVISOR_tmem_op] = "tmem_op";
    names[__HYPERVISOR_argo_op] = "argo_op";
    names[__HYPERVISOR_xenpmu_op] = "xenpmu_op";
    names[__HYPERVISOR_dm_op] = "dm_op";
    names[__HYPERVISOR_hypfs_op] = "hypfs_op";
    for (size_t i = __HYPERVISOR_arch_0; i < named_numbers; ++i)
        names[i] = "arch";
    return names;
}

constexpr auto names = make_names();

}  // namespace

const char* hypercall_name(uint64_t number) { return number < names.size() ? names[number] : "unknown"; }

}  // namespace bulkhead
