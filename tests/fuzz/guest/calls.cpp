// SPDX-License-Identifier: BSD-2-Clause
// Random hypercalls, mostly plausible: every number, every sub-operation. Left out is what ends the
// guest on purpose or blocks it for ever.
#include "fuzz.hpp"

extern "C" {
#include <xen/callback.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
extern const uint64_t trap_entries[256];
}

namespace {

constexpr unsigned hypercall_numbers = 56;

// Where a call's structure lies: nearly always memory that holds.
uint64_t place(Cpu& cpu) { return cpu.choice.one_in(24) ? any_address(cpu) : as_argument(cpu.arguments); }

// Of calls that would do to the kernel what stands in some page: if not theirs, an address that faults.
uint64_t own_place(Cpu& cpu)
{
    return cpu.choice.one_in(24) ? cpu.choice.of({0, 1ull << 47, 0xffff800000000000, 0xffff830000001000, ~0ull})
                                 : as_argument(cpu.arguments);
}

void fill(Cpu& cpu, unsigned words)
{
    for (unsigned i = 0; i < words; ++i)
        cpu.arguments[i] = any_value(cpu);
}

// Of the exceptions whose frame has no error code.
uint64_t trap_entry(Cpu& cpu) { return trap_entries[32 + cpu.choice.below(200)]; }

Call set_trap_table(Cpu& cpu)
{
    // Where no call of a multicall writes: a handler at a random address is the end.
    static trap_info_t tables[cpus_most][9];
    trap_info_t* table = tables[cpu.number];
    const auto length = static_cast<unsigned>(1 + cpu.choice.below(8));
    for (unsigned i = 0; i < length; ++i) {
        const auto vector = static_cast<uint8_t>(cpu.choice.next() >> 20);
        table[i] = {vector, static_cast<uint8_t>(cpu.choice.below(8)), FLAT_KERNEL_CS,
                    vector < 32 || vector == 0x80 ? trap_entries[vector] : trap_entry(cpu)};
    }
    table[length] = {};
    return {__HYPERVISOR_set_trap_table, {as_argument(table), 0, 0, 0, 0}};
}

Call change_tables(Cpu& cpu)
{
    auto* request = reinterpret_cast<mmu_update_t*>(cpu.arguments);
    const uint64_t length = 1 + cpu.choice.below(12);
    for (unsigned i = 0; i < length; ++i) {
        request[i] = {machine_address(table_slot(cpu)) | cpu.choice.below(4), any_entry(cpu)};
        if (cpu.choice.one_in(32))
            request[i].ptr |= cpu.choice.below(8);
        // Last: with another command in its low bits it would name an entry of some table.
        if (cpu.choice.one_in(12))
            request[i] = {any_frame(cpu) << 12 | MMU_MACHPHYS_UPDATE, any_value(cpu)};
    }
    request[length] = {~0ull, 0};        // a count that is too high gets no further than this
    const uint64_t domain = cpu.choice.one_in(16) ? any_domain(cpu) | any_domain(cpu) << 16 : uint64_t{DOMID_SELF};
    return {__HYPERVISOR_mmu_update, {own_place(cpu), cpu.choice.one_in(64) ? any_value(cpu) : length,
                                      cpu.choice.one_in(8) ? place(cpu) + 512 : 0, domain, 0}};
}

mmuext_op_t extended(Cpu& cpu)
{
    mmuext_op_t request = {};
    request.cmd = static_cast<unsigned>(cpu.choice.below(22));
    request.arg1.mfn = any_frame(cpu);
    request.arg2.nr_ents = static_cast<unsigned>(any_value(cpu));
    const uint64_t top = mfn_of(pool.top_copy[cpu.choice.below(top_copies)]);
    switch (request.cmd) {
    case MMUEXT_PIN_L4_TABLE:
        if (cpu.choice.one_in(2))
            request.arg1.mfn = top;
        break;
    case MMUEXT_UNPIN_TABLE:
        request.arg1.mfn = cpu.choice.one_in(4) ? top : cpu.choice.one_in(4) ? spare_frame(cpu) : arena_frame(cpu);
        break;
    case MMUEXT_NEW_BASEPTR: request.arg1.mfn = top_frame(cpu); break;
    case MMUEXT_NEW_USER_BASEPTR: request.arg1.mfn = cpu.choice.one_in(2) ? top : any_frame(cpu); break;
    case MMUEXT_SET_LDT:
        request.arg1.linear_addr = any_address(cpu) & (cpu.choice.one_in(8) ? ~0ull : ~0xfffull);
        request.arg2.nr_ents = static_cast<unsigned>(cpu.choice.of({0, 1, 512, 513, 8192, 8193}));
        break;
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_INVLPG_ALL: request.arg1.linear_addr = any_address(cpu); break;
    case MMUEXT_COPY_PAGE: request.arg2.src_mfn = any_frame(cpu); break;
    default: break;
    }
    if (request.cmd == MMUEXT_TLB_FLUSH_MULTI || request.cmd == MMUEXT_INVLPG_MULTI)
        request.arg2.vcpumask.p = reinterpret_cast<void*>(place(cpu));
    return request;
}

Call extended_calls(Cpu& cpu)
{
    auto* request = reinterpret_cast<mmuext_op_t*>(cpu.arguments);
    const uint64_t length = 1 + cpu.choice.below(4);
    for (unsigned i = 0; i < length; ++i)
        request[i] = extended(cpu);
    request[length].cmd = ~0u;
    return {__HYPERVISOR_mmuext_op, {own_place(cpu), cpu.choice.one_in(64) ? any_value(cpu) : length,
                                     cpu.choice.one_in(8) ? place(cpu) + 512 : 0,
                                     cpu.choice.one_in(16) ? any_domain(cpu) : uint64_t{DOMID_SELF}, 0}};
}

Call update_mapping(Cpu& cpu, bool other)
{
    const uint64_t flags = cpu.choice.one_in(3) ? cpu.choice.below(4) | (place(cpu) & ~7ull) : cpu.choice.below(12);
    uint64_t at = arena_address(cpu);
    if (cpu.choice.one_in(16))
        at = cpu.choice.of({0, 0x400000, 0x00007ffffffff000, 0x800000000000, 0xffff800000000000, 0xffff808000000000,
                            virt_base + (12 << 20), ~0xfffull});
    return {other ? unsigned{__HYPERVISOR_update_va_mapping_otherdomain} : unsigned{__HYPERVISOR_update_va_mapping},
            {at, any_entry(cpu), flags, any_domain(cpu), 0}};
}

Call memory_op(Cpu& cpu)
{
    uint64_t* words = cpu.arguments;
    const uint64_t command = cpu.choice.one_in(3) ? cpu.choice.below(30)
                                                  : cpu.choice.of({XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                                                   XENMEM_populate_physmap, XENMEM_exchange, XENMEM_add_to_physmap});
    fill(cpu, 16);
    auto* list = words + 64;
    const uint64_t length = 1 + cpu.choice.below(8);
    for (unsigned i = 0; i < 2 * length; ++i)
        list[i] = cpu.choice.one_in(16) ? cpu.choice.of({0, ~0ull, 1ull << 40}) : spare_frame(cpu);
    list[2 * length] = ~0ull;            // likewise
    xen_memory_reservation_t reservation = {};
    reservation.extent_start.p = reinterpret_cast<xen_pfn_t*>(cpu.choice.one_in(16) ? any_address(cpu) : as_argument(list));
    reservation.nr_extents = cpu.choice.one_in(32) ? any_value(cpu) : length;
    reservation.extent_order = cpu.choice.one_in(8) ? static_cast<unsigned>(any_value(cpu)) : 0;
    reservation.domid = static_cast<domid_t>(any_domain(cpu));
    if (command == XENMEM_exchange) {
        auto* exchange = reinterpret_cast<xen_memory_exchange_t*>(words);
        exchange->in = reservation;
        reservation.extent_start.p = reinterpret_cast<xen_pfn_t*>(list + 32);
        exchange->out = reservation;
        exchange->nr_exchanged = cpu.choice.one_in(8) ? cpu.choice.below(8) : 0;
    } else if (command <= XENMEM_populate_physmap || command == XENMEM_populate_physmap) {
        *reinterpret_cast<xen_memory_reservation_t*>(words) = reservation;
    } else if (cpu.choice.one_in(2)) {
        words[0] = any_domain(cpu);
        words[1] = as_argument(list);
    }
    return {__HYPERVISOR_memory_op, {command, place(cpu), 0, 0, 0}};
}

Call grant_table_op(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    const uint64_t command = choice.below(14);
    const uint64_t length = 1 + choice.below(3);
    fill(cpu, 32);
    const auto reference = [&] { return static_cast<grant_ref_t>(choice.one_in(16) ? any_value(cpu) : choice.below(32)); };
    const auto host_address = [&] { return choice.one_in(8) ? choice.of({0, 1ull << 47, 0xffff830000000000, ~0xfffull}) : choice.one_in(4) ? machine_address(table_slot(cpu))
                                                                              : arena_address(cpu) & ~0xfffull; };
    for (unsigned i = 0; i < length; ++i) {
        switch (command) {
        case GNTTABOP_map_grant_ref: {
            auto& map = reinterpret_cast<gnttab_map_grant_ref_t*>(cpu.arguments)[i];
            map.host_addr = host_address();
            map.flags = static_cast<uint32_t>(choice.one_in(4) ? choice.next() : GNTMAP_host_map | (choice.below(2) * GNTMAP_readonly));
            map.ref = reference();
            map.dom = static_cast<domid_t>(choice.of({DOMID_SELF, 1, 2, 3, 0}));
            break;
        }
        case GNTTABOP_unmap_grant_ref:
        case GNTTABOP_unmap_and_replace: {
            auto& unmap = reinterpret_cast<gnttab_unmap_grant_ref_t*>(cpu.arguments)[i];
            unmap.host_addr = host_address();
            unmap.dev_bus_addr = choice.one_in(4) ? host_address() : 0;
            unmap.handle = static_cast<grant_handle_t>(choice.below(64));
            break;
        }
        case GNTTABOP_copy: {
            auto& copy = reinterpret_cast<gnttab_copy_t*>(cpu.arguments)[i];
            for (auto* end : {&copy.source, &copy.dest}) {
                end->u.gmfn = any_frame(cpu);
                end->domid = static_cast<domid_t>(any_domain(cpu));
                end->offset = static_cast<uint16_t>(choice.below(4200));
            }
            copy.flags = static_cast<uint16_t>(choice.one_in(8) ? choice.next() : choice.below(4));
            if ((copy.flags & GNTCOPY_source_gref) != 0)
                copy.source.u.ref = reference();
            if ((copy.flags & GNTCOPY_dest_gref) != 0)
                copy.dest.u.ref = reference();
            copy.len = static_cast<uint16_t>(choice.one_in(4) ? choice.next() : choice.below(200));
            break;
        }
        case GNTTABOP_setup_table: {
            auto& setup = *reinterpret_cast<gnttab_setup_table_t*>(cpu.arguments);
            setup.dom = static_cast<domid_t>(any_domain(cpu));
            setup.nr_frames = static_cast<uint32_t>(choice.below(40));
            setup.frame_list.p = reinterpret_cast<xen_pfn_t*>(place(cpu) + 512);
            break;
        }
        case GNTTABOP_set_version: cpu.arguments[0] = choice.below(4); break;
        default: cpu.arguments[0] = any_domain(cpu); break;
        }
    }
    return {__HYPERVISOR_grant_table_op, {command, place(cpu), choice.one_in(64) ? any_value(cpu) : length, 0, 0}};
}

Call event_channel_op(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    const uint64_t command = choice.one_in(64) ? EVTCHNOP_reset : choice.below(15);
    auto* words = reinterpret_cast<uint32_t*>(cpu.arguments);
    words[0] = static_cast<uint32_t>(any_port(cpu));
    words[1] = static_cast<uint32_t>(choice.below(3));
    words[2] = static_cast<uint32_t>(any_port(cpu));
    if (command == EVTCHNOP_bind_virq || command == EVTCHNOP_bind_ipi || command == EVTCHNOP_bind_pirq) {
        words[0] = static_cast<uint32_t>(choice.below(26));
    } else if (command == EVTCHNOP_alloc_unbound) {
        words[0] = static_cast<uint32_t>(any_domain(cpu) | any_domain(cpu) << 16);
    } else if (command == EVTCHNOP_bind_interdomain || command == EVTCHNOP_status) {
        words[0] = static_cast<uint32_t>(any_domain(cpu));
        words[1] = static_cast<uint32_t>(any_port(cpu));
    } else if (command == EVTCHNOP_reset) {
        words[0] = choice.one_in(8) ? DOMID_SELF : 2;
    } else if (command == EVTCHNOP_init_control || command == EVTCHNOP_expand_array) {
        cpu.arguments[0] = any_frame(cpu);
        words[2] = static_cast<uint32_t>(choice.below(4096)) & (choice.one_in(4) ? ~0u : ~7u);
        words[3] = static_cast<uint32_t>(choice.below(3));
    }
    return {__HYPERVISOR_event_channel_op, {command, place(cpu), 0, 0, 0}};
}

Call sched_op(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    switch (choice.below(6)) {
    case 0: {
        // It ends by itself, whatever its ports do.
        static sched_poll_t polls[cpus_most];
        sched_poll_t* poll = &polls[cpu.number];
        poll->ports.p = reinterpret_cast<evtchn_port_t*>(cpu.arguments + 8);
        poll->nr_ports = static_cast<unsigned>(choice.one_in(16) ? any_value(cpu) : choice.below(4));
        poll->timeout = time_now() + choice.below(20000);
        for (unsigned i = 8; i < 12; ++i)
            cpu.arguments[i] = any_port(cpu) | any_port(cpu) << 32;
        return {__HYPERVISOR_sched_op, {SCHEDOP_poll, as_argument(poll), 0, 0, 0}};
    }
    case 1: {
        auto* shutdown = reinterpret_cast<sched_remote_shutdown_t*>(cpu.arguments);
        shutdown->domain_id = static_cast<domid_t>(choice.of({0, 2, 3, 0x7000, 0x7ff1}));
        shutdown->reason = static_cast<unsigned>(choice.below(8));
        return {__HYPERVISOR_sched_op, {SCHEDOP_remote_shutdown, as_argument(shutdown), 0, 0, 0}};
    }
    case 2: {
        // Suspending is refused; it is the one way of shutting down that goes on.
        static sched_shutdown_t suspend;
        sched_shutdown_t* shutdown = &suspend;
        shutdown->reason = SHUTDOWN_suspend;
        return {__HYPERVISOR_sched_op, {SCHEDOP_shutdown, as_argument(shutdown), 0, 0, 0}};
    }
    case 3: {
        auto* watchdog = reinterpret_cast<sched_watchdog_t*>(cpu.arguments);
        watchdog->id = static_cast<uint32_t>(choice.of({2, 3, ~0u}));        // 1 is the guest's own
        watchdog->timeout = choice.one_in(2) ? 0 : 0x7fffffff;
        return {__HYPERVISOR_sched_op, {SCHEDOP_watchdog, as_argument(watchdog), 0, 0, 0}};
    }
    case 4: return {__HYPERVISOR_sched_op, {choice.of({SCHEDOP_shutdown_code, SCHEDOP_pin_override, 8, 9, ~0ull}), place(cpu), 0, 0, 0}};
    default: return {choice.one_in(4) ? unsigned{__HYPERVISOR_sched_op_compat} : unsigned{__HYPERVISOR_sched_op}, {SCHEDOP_yield, 0, 0, 0, 0}};
    }
}

Call vcpu_op(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    uint64_t vcpu = choice.one_in(8) ? choice.of({2, 31, 0xffffffff, 1ull << 32}) : choice.below(2);
    const uint64_t command = choice.below(15);
    fill(cpu, 16);
    switch (command) {
    case VCPUOP_down: vcpu |= 1; break;              // the first one brings it up again
    case VCPUOP_register_runstate_memory_area:
    case VCPUOP_register_vcpu_time_memory_area: cpu.arguments[0] = any_address(cpu); break;
    case VCPUOP_register_vcpu_info:
        cpu.arguments[0] = choice.of({~0ull, 1ull << 40, 0});
        cpu.arguments[1] = choice.below(5000);
        break;
    case VCPUOP_set_periodic_timer: cpu.arguments[0] = choice.of({0, 1, 100000, 1000000, 5000000, ~0ull, 1ull << 62}); break;
    case VCPUOP_set_singleshot_timer:
        cpu.arguments[0] = time_now() + choice.below(100000);
        cpu.arguments[1] = choice.below(2);
        break;
    default: break;
    }
    return {__HYPERVISOR_vcpu_op, {command, vcpu, command == VCPUOP_down || command == VCPUOP_up ? 0 : place(cpu), 0, 0}};
}

Call callbacks(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    if (choice.one_in(4))
        return {__HYPERVISOR_set_callbacks, {as_argument(event_entry), as_argument(failsafe_entry), as_argument(syscall_entry), 0, 0}};
    static callback_register_t requests[cpus_most];
    callback_register_t* request = &requests[cpu.number];
    *request = {};
    request->type = static_cast<uint16_t>(choice.below(9));
    request->flags = static_cast<uint16_t>(choice.below(4));
    const bool away = choice.one_in(4);
    if (away)
        request->type = static_cast<uint16_t>(choice.of({CALLBACKTYPE_sysenter, CALLBACKTYPE_syscall32, 8, 0xffff}));
    switch (request->type) {
    case CALLBACKTYPE_event: request->address = as_argument(event_entry); break;
    case CALLBACKTYPE_failsafe: request->address = as_argument(failsafe_entry); break;
    case CALLBACKTYPE_nmi: request->address = as_argument(nmi_entry); break;
    default: request->address = as_argument(syscall_entry); break;
    }
    if (choice.one_in(16))
        request->address = choice.of({1ull << 47, 0xffff800000000000 - 1, 1ull << 63});
    return {__HYPERVISOR_callback_op, {away ? CALLBACKOP_unregister : choice.one_in(16) ? 2u : CALLBACKOP_register, as_argument(request), 0, 0, 0}};
}

Call set_debug_register(Cpu& cpu)
{
    const uint64_t number = cpu.choice.below(9);
    uint64_t value = any_value(cpu);
    if (number < 4)
        value = cpu.choice.one_in(2) ? arena_address(cpu) : any_address(cpu);
    // None is enabled: QEMU 7.2 takes some hit as one of its debugger's, and ends without one.
    constexpr uint64_t enabling = 0xff;
    if (number == 5 || number == 7)
        value &= ~enabling;
    return {__HYPERVISOR_set_debugreg, {number, value, 0, 0, 0}};
}

Call any_other(Cpu& cpu, unsigned number)
{
    fill(cpu, 24);
    Call call = {number, {cpu.choice.below(48), place(cpu), any_value(cpu), any_value(cpu), any_value(cpu)}};
    if (cpu.choice.one_in(8))
        call.argument[0] = any_value(cpu);
    return call;
}

}  // namespace

static Call make_call(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    // Page tables are what there is most to say about.
    if (choice.one_in(3)) {
        switch (choice.below(4)) {
        case 0: return change_tables(cpu);
        case 1: return extended_calls(cpu);
        default: return update_mapping(cpu, choice.one_in(8));
        }
    }
    const auto number = static_cast<unsigned>(choice.below(hypercall_numbers));
    switch (number) {
    case __HYPERVISOR_set_trap_table: return set_trap_table(cpu);
    case __HYPERVISOR_mmu_update: return change_tables(cpu);
    case __HYPERVISOR_set_gdt:
        for (unsigned i = 0; i < 16; ++i)
            cpu.arguments[i] = any_frame(cpu);
        return {number, {place(cpu), choice.of({0, 1, 512, 513, 1024, 7168, 7169, 8192, ~0ull}), 0, 0, 0}};
    case __HYPERVISOR_stack_switch: return {number, {choice.of({FLAT_KERNEL_SS, 0, 3, 0x10}), any_address(cpu), 0, 0, 0}};
    case __HYPERVISOR_set_callbacks:
    case __HYPERVISOR_callback_op: return callbacks(cpu);
    case __HYPERVISOR_sched_op_compat:
    case __HYPERVISOR_sched_op: return sched_op(cpu);
    case __HYPERVISOR_set_debugreg: return set_debug_register(cpu);
    case __HYPERVISOR_get_debugreg: return {number, {choice.below(9), 0, 0, 0, 0}};
    case __HYPERVISOR_update_descriptor: return {number, {any_frame(cpu) << 12 | choice.below(entries) * 8, any_value(cpu), 0, 0, 0}};
    case __HYPERVISOR_memory_op: return memory_op(cpu);
    case __HYPERVISOR_update_va_mapping: return update_mapping(cpu, false);
    case __HYPERVISOR_update_va_mapping_otherdomain: return update_mapping(cpu, true);
    case __HYPERVISOR_set_timer_op: return {number, {choice.one_in(4) ? any_value(cpu) : time_now() + choice.below(200000), 0, 0, 0, 0}};
    case __HYPERVISOR_xen_version: return {number, {choice.below(14), place(cpu), 0, 0, 0}};
    case __HYPERVISOR_console_io:
        // Reading, and writing what cannot be read: the line is for what is to be said.
        return {number, {choice.below(4), choice.below(300), choice.of({0, 0xffff800000000000, 1ull << 47}), 0, 0}};
    case __HYPERVISOR_grant_table_op: return grant_table_op(cpu);
    case __HYPERVISOR_vcpu_op: return vcpu_op(cpu);
    case __HYPERVISOR_set_segment_base: return {number, {choice.below(5), choice.one_in(2) ? any_value(cpu) : choice.below(0x10000), 0, 0, 0}};
    case __HYPERVISOR_mmuext_op: return extended_calls(cpu);
    case __HYPERVISOR_event_channel_op: return event_channel_op(cpu);
    case __HYPERVISOR_multicall:
    case __HYPERVISOR_iret: return {__HYPERVISOR_xen_version, {0, 0, 0, 0, 0}};      // operations of their own
    default: return any_other(cpu, number);
    }
}

long issue(const Call& call)
{
    long result;
    uint64_t a1 = call.argument[0];
    uint64_t a2 = call.argument[1];
    uint64_t a3 = call.argument[2];
    register uint64_t r10 asm("r10") = call.argument[3];
    register uint64_t r8 asm("r8") = call.argument[4];
    asm volatile("call *%[entry]"
                 : "=a"(result), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                 : [entry] "b"(hypercall_page + call.number * 32)
                 : "memory", "rcx", "r9", "r11");
    return result;
}

void random_call(Cpu& cpu)
{
    const Call call = make_call(cpu);
    if (issue(call) >= 0)
        cpu.accepted = cpu.accepted + 1;
}

void random_multicall(Cpu& cpu)
{
    constexpr unsigned most = 12, words_each = 128;
    uint64_t* const own = cpu.arguments;
    // Not beside them: what a call writes too far must not become a call.
    static multicall_entry_t lists[cpus_most][most];
    multicall_entry_t* list = lists[cpu.number];
    const uint64_t length = 1 + cpu.choice.below(most);
    for (unsigned i = 0; i < length; ++i) {
        cpu.arguments = own + i * words_each;
        const Call call = make_call(cpu);
        list[i] = {};
        list[i].op = cpu.choice.one_in(64) ? __HYPERVISOR_multicall : call.number;
        for (unsigned k = 0; k < 5; ++k)
            list[i].args[k] = call.argument[k];
    }
    cpu.arguments = own;
    if (issue({__HYPERVISOR_multicall, {as_argument(list), length, 0, 0, 0}}) == 0)
        cpu.accepted = cpu.accepted + 1;
}
