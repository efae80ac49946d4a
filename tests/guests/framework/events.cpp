// SPDX-License-Identifier: BSD-2-Clause
// See events.hpp.
#include "framework/events.hpp"

__extension__ using Wide = unsigned __int128;

volatile unsigned events_seen;

namespace {

unsigned long* word_of(unsigned long* words, uint32_t port) { return &words[port / 64]; }

}  // namespace

void listen_to_events()
{
    trap_handlers[vector_event] = [](TrapFrame&) {
        own_info().evtchn_upcall_pending = 0;
        const unsigned long pending = __atomic_exchange_n(&own_info().evtchn_pending_sel, 0, __ATOMIC_ACQ_REL);
        if (pending != 0)
            events_seen = events_seen + 1;
    };
    // Ports are masked until they are bound.
    unmask_events();
}

uint32_t bind_ipi(unsigned vcpu)
{
    evtchn_bind_ipi_t bind = {vcpu, 0};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_bind_ipi, as_argument(&bind)));
    set_port_mask(bind.port, false);
    return bind.port;
}

uint32_t bind_virq(unsigned virq, unsigned vcpu)
{
    evtchn_bind_virq_t bind = {virq, vcpu, 0};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_bind_virq, as_argument(&bind)));
    set_port_mask(bind.port, false);
    return bind.port;
}

long send(uint32_t port)
{
    evtchn_send_t request = {port};
    return hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_send, as_argument(&request));
}

long close(uint32_t port)
{
    evtchn_close_t request = {port};
    return hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_close, as_argument(&request));
}

bool is_pending(uint32_t port)
{
    return (__atomic_load_n(word_of(shared_info->evtchn_pending, port), __ATOMIC_ACQUIRE) >> (port % 64) & 1) != 0;
}

bool take_pending(uint32_t port)
{
    const unsigned long bit = 1ul << (port % 64);
    return (__atomic_fetch_and(word_of(shared_info->evtchn_pending, port), ~bit, __ATOMIC_ACQ_REL) & bit) != 0;
}

void set_port_mask(uint32_t port, bool masked)
{
    const unsigned long bit = 1ul << (port % 64);
    if (masked)
        __atomic_fetch_or(word_of(shared_info->evtchn_mask, port), bit, __ATOMIC_ACQ_REL);
    else
        __atomic_fetch_and(word_of(shared_info->evtchn_mask, port), ~bit, __ATOMIC_ACQ_REL);
}

uint64_t system_time(unsigned vcpu) { return system_time_by(shared_info->vcpu_info[vcpu].time); }

uint64_t system_time_by(const volatile vcpu_time_info_t& time)
{
    for (;;) {
        const uint32_t version = time.version;
        asm volatile("" : : : "memory");
        uint32_t low;
        uint32_t high;
        asm volatile("lfence\n rdtsc" : "=a"(low), "=d"(high) : : "memory");
        uint64_t delta = (uint64_t{high} << 32 | low) - time.tsc_timestamp;
        delta = time.tsc_shift < 0 ? delta >> -time.tsc_shift : delta << time.tsc_shift;
        const auto scaled = static_cast<uint64_t>((static_cast<Wide>(delta) * time.tsc_to_system_mul) >> 32);
        const uint64_t now = time.system_time + scaled;
        asm volatile("" : : : "memory");
        if ((version & 1) == 0 && version == time.version)
            return now;
    }
}
