// SPDX-License-Identifier: BSD-2-Clause
// Claim: event channels in the FIFO form: words and control block of the guest, delivery in the order
// of priorities and of sending, masks, ports that had no word yet, closed ports that still stand in a
// queue, and the way back to two levels.
#include "framework/events.hpp"
#include "framework/memory.hpp"

#include <initializer_list>

namespace {

constexpr long EPERM = 1, ENOENT = 2, EINVAL = 22, ENOSPC = 28, ENOSYS = 38, EOPNOTSUPP = 95;
constexpr uint32_t pending_bit = 1u << EVTCHN_FIFO_PENDING, masked_bit = 1u << EVTCHN_FIFO_MASKED,
                   linked_bit = 1u << EVTCHN_FIFO_LINKED;

evtchn_fifo_control_block_t* block;
event_word_t* words;
uint32_t taken[64];
unsigned taken_count;
uint32_t heads[EVTCHN_FIFO_MAX_QUEUES];

long op(unsigned operation, void* record)
{
    return hypercall<__HYPERVISOR_event_channel_op>(operation, reinterpret_cast<uint64_t>(record));
}

uint32_t word(uint32_t port) { return __atomic_load_n(&words[port], __ATOMIC_ACQUIRE); }

// Takes one port out of a queue and gives back the one behind it.
uint32_t unlink(uint32_t port)
{
    const uint32_t gone = linked_bit | EVTCHN_FIFO_LINK_MASK;
    return __atomic_fetch_and(&words[port], ~gone, __ATOMIC_ACQ_REL) & EVTCHN_FIFO_LINK_MASK;
}

void take_queue(unsigned queue)
{
    uint32_t port = heads[queue] != 0 ? heads[queue] : __atomic_load_n(&block->head[queue], __ATOMIC_ACQUIRE);
    while (port != 0) {
        const uint32_t next = unlink(port);
        const uint32_t bits = __atomic_load_n(&words[port], __ATOMIC_ACQUIRE);
        if ((bits & pending_bit) != 0 && (bits & masked_bit) == 0) {
            __atomic_fetch_and(&words[port], ~pending_bit, __ATOMIC_ACQ_REL);
            taken[taken_count++ % 64] = port;
        }
        port = next;
    }
    heads[queue] = 0;
}

void upcall(TrapFrame&)
{
    own_info().evtchn_upcall_pending = 0;
    for (uint32_t ready = __atomic_exchange_n(&block->ready, 0, __ATOMIC_ACQ_REL); ready != 0;) {
        take_queue(static_cast<unsigned>(__builtin_ctz(ready)));
        ready = (ready & (ready - 1)) | __atomic_exchange_n(&block->ready, 0, __ATOMIC_ACQ_REL);
    }
}

uint32_t ipi()
{
    evtchn_bind_ipi_t bind = {0, 0};
    CHECK_EQUAL(0, op(EVTCHNOP_bind_ipi, &bind));
    return bind.port;
}

long set_priority(uint32_t port, uint32_t priority)
{
    evtchn_set_priority_t request = {port, priority};
    return op(EVTCHNOP_set_priority, &request);
}

void before_it_is_switched_on(uint32_t port)
{
    evtchn_expand_array_t expand = {mfn_of(words)};
    CHECK_EQUAL(-EOPNOTSUPP, op(EVTCHNOP_expand_array, &expand));
    CHECK_EQUAL(-ENOSYS, set_priority(port, 3));
    evtchn_init_control_t control = {mfn_of(block), 8, 99, 0, {}};
    CHECK_EQUAL(-ENOENT, op(EVTCHNOP_init_control, &control));
    control.vcpu = 0;
    control.offset = 4;
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_init_control, &control));
    control.offset = page_bytes - 8;
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_init_control, &control));
    control.offset = 0;
    control.control_gfn = ~uint64_t{0} >> 12;
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_init_control, &control));
    control.control_gfn = mfn_of(reinterpret_cast<void*>(start_info->pt_base));       // a page table
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_init_control, &control));
}

// The port was pending in the other form, and has no word until there is a page.
void switch_on(uint32_t pending_port)
{
    evtchn_init_control_t control = {mfn_of(block), 0, 0, 0, {}};
    CHECK_EQUAL(0, op(EVTCHNOP_init_control, &control));
    CHECK_EQUAL(EVTCHN_FIFO_LINK_BITS, control.link_bits);
    CHECK_EQUAL(-EINVAL, op(EVTCHNOP_init_control, &control));
    CHECK_EQUAL(0, send(pending_port));
    CHECK_EQUAL(0, taken_count);
    evtchn_expand_array_t expand = {mfn_of(words)};
    CHECK_EQUAL(0, op(EVTCHNOP_expand_array, &expand));
    CHECK_EQUAL(1, taken_count);
    CHECK_EQUAL(pending_port, taken[0]);
    CHECK_EQUAL(0, word(pending_port));
}

void frames_in_use_cannot_become_tables()
{
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(words)) < 0);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(block)) < 0);
}

void ports_come_in_the_order_of_sending()
{
    const uint32_t first = ipi(), second = ipi(), third = ipi();
    taken_count = 0;
    mask_events();
    CHECK_EQUAL(0, send(second));
    CHECK_EQUAL(0, send(third));
    CHECK_EQUAL(0, send(first));
    CHECK_EQUAL(0, send(second));                   // is pending already
    CHECK_EQUAL(pending_bit | linked_bit, word(first));
    CHECK_EQUAL(pending_bit | linked_bit | third, word(second));
    unmask_events();
    CHECK_EQUAL(3, taken_count);
    CHECK_EQUAL(second, taken[0]);
    CHECK_EQUAL(third, taken[1]);
    CHECK_EQUAL(first, taken[2]);
    for (uint32_t port : {first, second, third})
        CHECK_EQUAL(0, close(port));
}

void priorities_go_first()
{
    const uint32_t low = ipi(), usual = ipi(), high = ipi();
    CHECK_EQUAL(0, set_priority(low, EVTCHN_FIFO_PRIORITY_MIN));
    CHECK_EQUAL(0, set_priority(high, EVTCHN_FIFO_PRIORITY_MAX));
    CHECK_EQUAL(-EINVAL, set_priority(usual, EVTCHN_FIFO_PRIORITY_MIN + 1));
    CHECK_EQUAL(-EINVAL, set_priority(0xffffffff, 1));
    taken_count = 0;
    mask_events();
    CHECK_EQUAL(0, send(low));
    CHECK_EQUAL(0, send(usual));
    CHECK_EQUAL(0, send(high));
    CHECK_EQUAL(1u << 0 | 1u << 7 | 1u << 15, block->ready);
    unmask_events();
    CHECK_EQUAL(3, taken_count);
    CHECK_EQUAL(high, taken[0]);
    CHECK_EQUAL(usual, taken[1]);
    CHECK_EQUAL(low, taken[2]);
    for (uint32_t port : {low, usual, high})
        CHECK_EQUAL(0, close(port));
}

void a_masked_port_waits_for_the_hypercall()
{
    const uint32_t port = ipi();
    taken_count = 0;
    words[port] |= masked_bit;
    CHECK_EQUAL(0, send(port));
    CHECK_EQUAL(0, taken_count);
    CHECK_EQUAL(pending_bit | masked_bit, word(port));
    evtchn_unmask_t unmask = {port};
    CHECK_EQUAL(0, op(EVTCHNOP_unmask, &unmask));
    CHECK_EQUAL(1, taken_count);
    CHECK_EQUAL(0, word(port));
    CHECK_EQUAL(0, close(port));
}

void a_poll_sees_the_words()
{
    const uint32_t port = ipi();
    words[port] |= masked_bit;
    CHECK_EQUAL(0, send(port));
    evtchn_port_t ports[1] = {port};
    sched_poll_t poll = {};
    set_xen_guest_handle(poll.ports, ports);
    poll.nr_ports = 1;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_sched_op>(SCHEDOP_poll, as_argument(&poll)));
    words[port] = 0;
    CHECK_EQUAL(0, close(port));
}

void a_closed_port_in_a_queue_is_not_given_away()
{
    const uint32_t port = ipi();
    mask_events();
    CHECK_EQUAL(0, send(port));
    CHECK_EQUAL(0, close(port));
    CHECK_EQUAL(linked_bit, word(port));
    const uint32_t another = ipi();
    CHECK(another != port);
    taken_count = 0;
    unmask_events();
    CHECK_EQUAL(0, taken_count);                    // it is not pending any more
    const uint32_t again = ipi();
    CHECK_EQUAL(port, again);
    CHECK_EQUAL(0, close(another));
    CHECK_EQUAL(0, close(again));
}

// A guest that scribbles over its words harms itself only.
void nonsense_in_the_words()
{
    const uint32_t one = ipi(), other = ipi();
    mask_events();
    CHECK_EQUAL(0, send(one));
    words[one] = 0;                                  // the queue's tail is not linked any more
    CHECK_EQUAL(0, send(other));
    words[other] = ~0u & ~masked_bit;
    CHECK_EQUAL(0, send(one));
    CHECK_EQUAL(0, send(other));
    words[one] = words[other] = 0;
    block->ready = 0;
    own_info().evtchn_upcall_pending = 0;
    for (uint32_t& head : block->head)
        head = 0;
    unmask_events();
    CHECK_EQUAL(0, close(one));
    CHECK_EQUAL(0, close(other));
}

void back_to_two_levels()
{
    evtchn_reset_t reset = {DOMID_SELF};
    CHECK_EQUAL(0, op(EVTCHNOP_reset, &reset));
    listen_to_events();
    const uint32_t port = bind_ipi(0);
    events_seen = 0;
    CHECK_EQUAL(0, send(port));
    CHECK_EQUAL(1, events_seen);
    CHECK(take_pending(port));
    CHECK_EQUAL(0, mmuext(MMUEXT_CLEAR_PAGE, mfn_of(words)));
}

}  // namespace

GUEST_TEST(fifo_events)
{
    install_traps();
    block = new_page_as<evtchn_fifo_control_block_t>();
    words = new_page_as<event_word_t>();
    trap_handlers[vector_event] = upcall;
    const uint32_t port = ipi();
    before_it_is_switched_on(port);
    unmask_events();
    switch_on(port);
    frames_in_use_cannot_become_tables();
    ports_come_in_the_order_of_sending();
    priorities_go_first();
    a_masked_port_waits_for_the_hypercall();
    a_poll_sees_the_words();
    a_closed_port_in_a_queue_is_not_given_away();
    nonsense_in_the_words();
    back_to_two_levels();
}
