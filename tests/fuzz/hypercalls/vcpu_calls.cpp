// SPDX-License-Identifier: BSD-2-Clause
// Arguments of the hypercalls on vCPUs, time, traps and registers.
#include "caller.hpp"

#include "machine/clock.hpp"

extern "C" {
#include <xen/callback.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
}

namespace bulkhead::fuzz {

namespace {

// The whole first state of a vCPU; most of it is sensible.
uint64_t guest_context(Caller& caller)
{
    vcpu_guest_context context{};
    context.flags = caller.choose(2) * VGCF_in_kernel | caller.choose(2) * VGCF_online | caller.choose(4) * VGCF_i387_valid;
    context.user_regs.rip = caller.canonical();
    context.user_regs.rsp = caller.canonical();
    context.user_regs.rflags = caller.choose(1 << 15);
    context.ldt_ents = caller.choose(2) * caller.number(9000);
    context.ldt_base = caller.address() & ~(caller.once_in(6) ? 0 : page_mask);
    context.gdt_ents = caller.choose(2) * caller.number(1024);
    for (auto& frame : context.gdt_frames)
        frame = caller.once_in(8) ? caller.some_frame().raw() : caller.frame_of_role(4).raw();
    context.ctrlreg[0] = caller.choose(2) * 8;
    context.ctrlreg[1] = caller.choose(2) * xen_pfn_to_cr3(caller.frame_of_role(0).raw());
    context.ctrlreg[3] = caller.once_in(12) ? 0 : xen_pfn_to_cr3(caller.frame_of_role(0).raw());
    context.debugreg[7] = caller.once_in(12) ? 1 : 0;
    context.event_callback_eip = caller.canonical();
    context.failsafe_callback_eip = caller.canonical();
    context.syscall_callback_eip = caller.canonical();
    if (caller.once_in(8))
        context.trap_ctxt[caller.choose(256)].address = caller.any();
    return caller.put(context);
}

// A place for an area that the core writes from time to time.
uint64_t area(Caller& caller) { return caller.once_in(8) ? 0 : caller.room(64); }

uint64_t deadline(Caller& caller)
{
    return caller.once_in(6) ? caller.any() : fake::tsc - 1000 + (uint64_t{1} << caller.choose(52));
}

uint64_t vcpu_record(Caller& caller, uint64_t operation)
{
    switch (operation) {
    case VCPUOP_initialise:
        return guest_context(caller);
    case VCPUOP_register_runstate_memory_area: {
        vcpu_register_runstate_memory_area record{};
        record.addr.p = area(caller);
        return caller.put(record);
    }
    case VCPUOP_register_vcpu_time_memory_area: {
        vcpu_register_time_memory_area record{};
        record.addr.p = area(caller);
        return caller.put(record);
    }
    case VCPUOP_set_periodic_timer:
        return caller.put(vcpu_set_periodic_timer{caller.once_in(4) ? caller.any() : 1'000'000 + caller.choose(10'000'000)});
    case VCPUOP_set_singleshot_timer:
        return caller.put(vcpu_set_singleshot_timer{deadline(caller), static_cast<uint32_t>(caller.choose(2))});
    case VCPUOP_register_vcpu_info:
        return caller.put(vcpu_register_vcpu_info{caller.some_frame().raw(),
                                                  static_cast<uint32_t>(caller.once_in(6) ? caller.any() : caller.choose(64) * 64),
                                                  0});
    case VCPUOP_send_nmi:
        return caller.once_in(6) ? 1 : 0;
    default:
        return caller.room(64);
    }
}

uint64_t sched_record(Caller& caller, uint64_t operation)
{
    switch (operation) {
    case SCHEDOP_poll: {
        evtchn_port_t ports[4];
        for (evtchn_port_t& port : ports)
            port = static_cast<evtchn_port_t>(caller.number(12));
        sched_poll record{};
        record.ports.p = reinterpret_cast<evtchn_port_t*>(caller.put_list(std::span<const evtchn_port_t>(ports)));
        record.nr_ports = static_cast<unsigned>(caller.once_in(12) ? caller.any() : caller.choose(5));
        record.timeout = caller.choose(2) * deadline(caller);
        return caller.put(record);
    }
    case SCHEDOP_remote_shutdown:
        return caller.put(sched_remote_shutdown{caller.domain(), 0});
    case SCHEDOP_watchdog:
        return caller.put(sched_watchdog{static_cast<uint32_t>(caller.choose(4)), static_cast<uint32_t>(caller.number(3))});
    default:
        return caller.put(sched_shutdown{caller.once_in(4) ? 0u : unsigned{SHUTDOWN_suspend}});
    }
}

uint64_t physdev_record(Caller& caller, uint64_t operation)
{
    switch (operation) {
    case PHYSDEVOP_set_iopl:
        return caller.put(physdev_set_iopl{static_cast<uint32_t>(caller.number(5))});
    case PHYSDEVOP_set_iobitmap: {
        physdev_set_iobitmap record{};
        record.bitmap.p = reinterpret_cast<uint8_t*>(caller.room(64));
        record.nr_ports = static_cast<uint32_t>(caller.number(0x10001));
        return caller.put(record);
    }
    case PHYSDEVOP_map_pirq: {
        physdev_map_pirq record{};
        record.domid = caller.own_domain();
        record.type = static_cast<int>(caller.number(5));
        record.index = caller.once_in(4) ? static_cast<int>(caller.any()) : 20;
        record.pirq = caller.choose(2) == 0 ? -1 : static_cast<int>(caller.number(5));
        record.bus = caller.once_in(12) ? static_cast<int>(caller.any()) : 0;
        record.devfn = caller.once_in(12) ? static_cast<int>(caller.any()) : 3 << 3;
        record.entry_nr = static_cast<int>(caller.number(3));
        record.table_base = caller.choose(2);
        return caller.put(record);
    }
    case PHYSDEVOP_unmap_pirq:
        return caller.put(physdev_unmap_pirq{caller.own_domain(), static_cast<int>(caller.number(5))});
    case PHYSDEVOP_irq_status_query:
        return caller.put(physdev_irq_status_query{static_cast<uint32_t>(caller.number(5)), 0});
    default:
        return caller.put(physdev_eoi{static_cast<uint32_t>(caller.number(5))});
    }
}

}  // namespace

HypercallArguments vcpu_op(Caller& caller)
{
    const uint64_t operation = caller.number(15);
    // Another vCPU may be in the middle of an operation that keeps others out.
    return {{operation, caller.number(3), vcpu_record(caller, operation)}};
}

HypercallArguments sched_op(Caller& caller)
{
    const uint64_t operation = caller.number(9);
    return {{operation, sched_record(caller, operation)}};
}

HypercallArguments sched_op_compat(Caller& caller)
{
    return {{caller.number(4), caller.once_in(4) ? caller.choose(6) : uint64_t{SHUTDOWN_suspend}}};
}

HypercallArguments set_timer_op(Caller& caller) { return {{caller.once_in(4) ? 0 : deadline(caller)}}; }

HypercallArguments set_trap_table(Caller& caller)
{
    if (caller.once_in(8))
        return {{0}};
    // More than there are vectors: the hypercall goes on.
    std::vector<trap_info> traps(caller.once_in(8) ? 300 : 1 + caller.choose(8));
    for (trap_info& trap : traps) {
        trap = {static_cast<uint8_t>(caller.choose(256)), static_cast<uint8_t>(caller.choose(8)),
                static_cast<uint16_t>(FLAT_KERNEL_CS), caller.canonical()};
    }
    if (!caller.once_in(6))
        traps.back().address = 0;
    return {{caller.put_list(std::span<const trap_info>(traps))}};
}

HypercallArguments callback_op(Caller& caller)
{
    const uint64_t operation = caller.number(3);
    const auto type = static_cast<uint16_t>(caller.number(9));
    if (operation == CALLBACKOP_unregister)
        return {{operation, caller.put(callback_unregister{type, 0})}};
    return {{operation, caller.put(callback_register{type, static_cast<uint16_t>(caller.choose(2)), caller.canonical()})}};
}

HypercallArguments set_callbacks(Caller& caller)
{
    return {{caller.canonical(), caller.canonical(), caller.canonical()}};
}

HypercallArguments stack_switch(Caller& caller) { return {{caller.number(0x10000), caller.canonical()}}; }

HypercallArguments fpu_taskswitch(Caller& caller) { return {{caller.choose(2)}}; }

HypercallArguments set_segment_base(Caller& caller)
{
    return {{caller.number(5), caller.once_in(4) ? caller.any() : caller.canonical()}};
}

HypercallArguments set_debugreg(Caller& caller)
{
    static constexpr uint64_t controls[] = {0, 0x400, 0x401, 0xD0401, 0x20402, 0x2000, 0x1'0000'0000, 0xFFFF'0FFF};
    const uint64_t number = caller.number(9);
    const bool is_control = number == 7 || number == 5;
    return {{number, is_control ? caller.one_of(controls) : caller.once_in(3) ? caller.any() : caller.canonical()}};
}

HypercallArguments get_debugreg(Caller& caller) { return {{caller.number(9)}}; }

HypercallArguments physdev_op(Caller& caller)
{
    static constexpr uint64_t operations[] = {PHYSDEVOP_set_iopl,  PHYSDEVOP_set_iobitmap, PHYSDEVOP_map_pirq,
                                              PHYSDEVOP_unmap_pirq, PHYSDEVOP_eoi,         PHYSDEVOP_irq_status_query};
    const uint64_t operation = caller.once_in(6) ? caller.choose(33) : caller.one_of(operations);
    return {{operation, physdev_record(caller, operation)}};
}

}  // namespace bulkhead::fuzz
