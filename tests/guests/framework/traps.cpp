// SPDX-License-Identifier: BSD-2-Clause
// See traps.hpp.
#include "framework/traps.hpp"

#include "framework/memory.hpp"

extern "C" {
#include <xen/callback.h>
extern const uint64_t trap_entries[256];
extern char catch_landing[];
extern uint64_t catch_stack;
void handle_trap(TrapFrame& frame);
}

TrapHandler trap_handlers[vectors];
shared_info_t* shared_info;

namespace {

alignas(4096) char shared_page[4096];
trap_info_t table[257];
Caught caught;

constexpr unsigned first_vectors = 32;
constexpr unsigned software_vector = 0x80;

}  // namespace

void register_callback(unsigned type, const void* entry, unsigned flags)
{
    callback_register_t request = {};
    request.type = static_cast<uint16_t>(type);
    request.flags = static_cast<uint16_t>(flags);
    request.address = as_argument(entry);
    const long result = hypercall<__HYPERVISOR_callback_op>(CALLBACKOP_register, as_argument(&request));
    if (result != 0)
        fail("callback %u is refused: %ld", type, result);
}

long unregister_callback(unsigned type)
{
    callback_unregister_t request = {};
    request.type = static_cast<uint16_t>(type);
    return hypercall<__HYPERVISOR_callback_op>(CALLBACKOP_unregister, as_argument(&request));
}

void set_trap_flags(unsigned vector, uint8_t flags)
{
    trap_info_t one[2] = {};
    one[0] = {static_cast<uint8_t>(vector), flags, FLAT_KERNEL_CS, trap_entries[vector]};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_trap_table>(as_argument(one)));
}

void install_traps()
{
    unsigned count = 0;
    for (unsigned vector = 0; vector < 256; ++vector) {
        if (vector >= first_vectors && vector != software_vector)
            continue;
        const bool open = vector == 3 || vector == 4 || vector == software_vector;
        table[count++] = {static_cast<uint8_t>(vector), static_cast<uint8_t>(open ? 3 : 0), FLAT_KERNEL_CS,
                          trap_entries[vector]};
    }
    table[count] = {};
    const long result = hypercall<__HYPERVISOR_set_trap_table>(as_argument(table));
    if (result != 0)
        fail("set_trap_table: %ld", result);
    register_callback(CALLBACKTYPE_event, event_entry, CALLBACKF_mask_events);
    register_callback(CALLBACKTYPE_failsafe, failsafe_entry, CALLBACKF_mask_events);
    register_callback(CALLBACKTYPE_syscall, syscall_entry, 0);
    CHECK_EQUAL(0, map_machine_page(shared_page, start_info->shared_info >> 12, true));
    shared_info = reinterpret_cast<shared_info_t*>(shared_page);
}

vcpu_info_t& own_info(unsigned vcpu) { return shared_info->vcpu_info[vcpu]; }

void unmask_events()
{
    own_info().evtchn_upcall_mask = 0;
    asm volatile("" : : : "memory");
    if (own_info().evtchn_upcall_pending != 0)
        hypercall<__HYPERVISOR_xen_version>(0);     // any return to the guest delivers
}

Caught last_caught(bool trapped)
{
    Caught result = caught;
    result.trapped = trapped;
    return result;
}

void handle_trap(TrapFrame& frame)
{
    const auto vector = static_cast<unsigned>(frame.vector);
    if (trap_handlers[vector] != nullptr)
        return trap_handlers[vector](frame);
    if (catch_stack != 0 && vector < 256) {
        caught = {true, vector, frame.error_code, frame.rip, shared_info == nullptr ? 0 : own_info().arch.cr2};
        frame.rip = as_argument(catch_landing);
        frame.rsp = catch_stack;
        frame.rflags &= ~uint64_t{0x100};
        return;
    }
    fail("unexpected trap %u, error %lx, rip %lx, address %lx", vector, frame.error_code, frame.rip,
         shared_info == nullptr ? 0 : own_info().arch.cr2);
}
