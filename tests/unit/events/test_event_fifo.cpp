// SPDX-License-Identifier: BSD-2-Clause
// The FIFO form: queues and priorities, words and blocks that a guest writes as it likes, and the way
// into the form and out of it.
#include "event_fixture.hpp"

using namespace bulkhead;

TEST_GROUP_BASE(EventFifo, EventFixture)
{
    Mfn block_frame[3];
    Mfn page_frame[fifo_pages];

    void setup() override
    {
        EventFixture::setup();
        for (Mfn& frame : block_frame)
            frame = fake::new_frame();
        for (Mfn& frame : page_frame)
            frame = fake::new_frame();
    }
    long control(uint32_t vcpu, uint32_t offset = 0)
    {
        evtchn_init_control request{block_frame[vcpu % 3].raw(), offset, vcpu, 0, {}};
        const long result = call(EVTCHNOP_init_control, request);
        if (result == 0)
            LONGS_EQUAL(EVTCHN_FIFO_LINK_BITS, request.link_bits);
        return result;
    }
    long expand(unsigned page)
    {
        evtchn_expand_array request{page_frame[page % fifo_pages].raw()};
        return call(EVTCHNOP_expand_array, request);
    }
    long prioritise(uint32_t port, uint32_t priority)
    {
        evtchn_set_priority request{port, priority};
        return call(EVTCHNOP_set_priority, request);
    }
    void switch_on()
    {
        LONGS_EQUAL(0, control(0));
        LONGS_EQUAL(0, expand(0));
    }
    evtchn_fifo_control_block_t& block(uint32_t vcpu = 0)
    {
        return *machine::frame_pointer<evtchn_fifo_control_block_t>(block_frame[vcpu]);
    }
    event_word_t& word(uint32_t port)
    {
        return machine::frame_pointer<event_word_t>(page_frame[port / fifo_words_per_page])[port % fifo_words_per_page];
    }
    // As a guest takes a queue.
    std::vector<uint32_t> take(unsigned queue, uint32_t vcpu = 0)
    {
        std::vector<uint32_t> ports;
        block(vcpu).ready &= ~(1u << queue);
        for (uint32_t port = block(vcpu).head[queue]; port != 0;) {
            ports.push_back(port);
            const uint32_t next = word(port) & fifo::link_mask;
            word(port) &= ~(fifo::linked | fifo::pending | fifo::link_mask);
            port = next;
        }
        return ports;
    }
    static constexpr unsigned usual = EVTCHN_FIFO_PRIORITY_DEFAULT;
};

// --- Into the form ---------------------------------------------------------------------------------------

TEST(EventFifo, needs_its_control_block_first)
{
    LONGS_EQUAL(negative(XEN_EOPNOTSUPP), expand(0));
    LONGS_EQUAL(negative(XEN_ENOSYS), prioritise(ipi(0), 3));
    CHECK(fake::writable_frames.empty());
}

TEST(EventFifo, the_control_block_lies_within_a_page_and_is_aligned)
{
    for (const uint32_t offset : {4u, 4096u - 64, 4096u, ~7u})
        LONGS_EQUAL(negative(XEN_EINVAL), control(0, offset));
    LONGS_EQUAL(negative(XEN_ENOENT), control(3));
    LONGS_EQUAL(0, control(0, 4096 - 72));
    LONGS_EQUAL(negative(XEN_EINVAL), control(0));
    LONGS_EQUAL(1, fake::writable_frames.size());
}

TEST(EventFifo, a_frame_that_is_no_writable_one_is_refused)
{
    fake::frames_refused = true;
    LONGS_EQUAL(negative(XEN_EINVAL), control(0));
    CHECK(!partition(0).events.fifo.in_use);
    fake::frames_refused = false;
    LONGS_EQUAL(0, control(0));
    fake::frames_refused = true;
    LONGS_EQUAL(negative(XEN_EINVAL), expand(0));
    LONGS_EQUAL(0, partition(0).events.fifo.page_count);
}

TEST(EventFifo, there_are_words_for_all_ports_and_no_more)
{
    LONGS_EQUAL(0, control(0));
    for (unsigned page = 0; page < fifo_pages; ++page)
        LONGS_EQUAL(0, expand(page));
    LONGS_EQUAL(negative(XEN_ENOSPC), expand(0));
    LONGS_EQUAL(1 + fifo_pages, fake::writable_frames.size());
}

TEST(EventFifo, what_was_pending_before_is_raised_with_its_word)
{
    const uint32_t early = ipi(0);
    const uint32_t quiet = ipi(0);
    LONGS_EQUAL(0, send(early));
    LONGS_EQUAL(0, control(0));
    clear_events(0);
    LONGS_EQUAL(0, send(early));
    LONGS_EQUAL(0, info(0).evtchn_upcall_pending);
    LONGS_EQUAL(0, expand(0));
    LONGS_EQUAL(fifo::pending | fifo::linked, word(early));
    LONGS_EQUAL(0, word(quiet));
    LONGS_EQUAL(1, info(0).evtchn_upcall_pending);
}

TEST(EventFifo, what_waits_for_a_page_is_raised_in_pieces_and_another_page_comes_behind_it)
{
    const uint32_t port = ipi(0);
    for (uint64_t& word : partition(0).shared->evtchn_pending)
        word = ~uint64_t{0};
    LONGS_EQUAL(0, control(0));
    LONGS_EQUAL(hypercall_continue, expand(0));
    LONGS_EQUAL(1, partition(0).events.fifo.page_count);
    CHECK(word(port) & fifo::pending);
    CHECK((word(fifo_words_per_page - 1) & fifo::pending) == 0);
    unsigned calls = 1;
    long result;
    do {
        result = expand(1);
        ++calls;
    } while (result == hypercall_continue && partition(0).events.fifo.page_count == 1);
    CHECK(calls > 10);
    CHECK(word(fifo_words_per_page - 1) & fifo::pending);
    for (; result == hypercall_continue; ++calls)
        result = expand(1);
    LONGS_EQUAL(0, result);
    LONGS_EQUAL(2, partition(0).events.fifo.page_count);
    CHECK(word(2 * fifo_words_per_page - 1) & fifo::pending);
    CHECK(calls < 100);
    LONGS_EQUAL(3, fake::writable_frames.size());
}

// --- Queues ----------------------------------------------------------------------------------------------

TEST(EventFifo, ports_of_a_queue_come_in_the_order_of_sending)
{
    switch_on();
    const uint32_t a = ipi(0), b = ipi(0), c = ipi(0);
    for (const uint32_t port : {b, c, a, b})
        LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(1u << usual, block().ready);
    const auto order = take(usual);
    CHECK((order == std::vector<uint32_t>{b, c, a}));
    LONGS_EQUAL(0, send(c));
    CHECK((take(usual) == std::vector<uint32_t>{c}));
}

TEST(EventFifo, the_vcpu_is_told_once_for_a_queue_that_is_ready)
{
    switch_on();
    const uint32_t a = ipi(0), b = ipi(0);
    LONGS_EQUAL(0, send(a));
    LONGS_EQUAL(1, info(0).evtchn_upcall_pending);
    info(0).evtchn_upcall_pending = 0;
    LONGS_EQUAL(0, send(b));
    LONGS_EQUAL(0, info(0).evtchn_upcall_pending);
}

TEST(EventFifo, each_priority_has_its_queue)
{
    switch_on();
    const uint32_t a = ipi(0), b = ipi(0);
    LONGS_EQUAL(0, prioritise(a, 15));
    LONGS_EQUAL(0, prioritise(b, 0));
    LONGS_EQUAL(negative(XEN_EINVAL), prioritise(b, 16));
    LONGS_EQUAL(negative(XEN_EINVAL), prioritise(event_ports, 1));
    LONGS_EQUAL(0, send(a));
    LONGS_EQUAL(0, send(b));
    LONGS_EQUAL(1u << 15 | 1, block().ready);
    CHECK((take(0) == std::vector<uint32_t>{b}));
    CHECK((take(15) == std::vector<uint32_t>{a}));
}

TEST(EventFifo, a_new_use_of_a_port_begins_with_the_usual_priority)
{
    switch_on();
    const uint32_t port = ipi(0);
    LONGS_EQUAL(0, prioritise(port, 1));
    LONGS_EQUAL(0, close(port));
    LONGS_EQUAL(port, ipi(0));
    LONGS_EQUAL(0, send(port));
    CHECK((take(usual) == std::vector<uint32_t>{port}));
}

TEST(EventFifo, a_queue_whose_tail_was_taken_begins_anew)
{
    switch_on();
    const uint32_t a = ipi(0), b = ipi(0);
    LONGS_EQUAL(0, send(a));
    take(usual);
    LONGS_EQUAL(0, send(b));
    LONGS_EQUAL(b, block().head[usual]);
    LONGS_EQUAL(0, word(a) & fifo::link_mask);
}

TEST(EventFifo, a_tail_that_moves_to_another_queue_leaves_its_old_one_empty)
{
    switch_on();
    const uint32_t a = ipi(0), b = ipi(0);
    LONGS_EQUAL(0, send(a));
    take(usual);
    LONGS_EQUAL(0, prioritise(a, 3));
    LONGS_EQUAL(0, send(a));                         // now the tail of queue 3
    LONGS_EQUAL(0, send(b));                         // must not be put behind it
    LONGS_EQUAL(0, word(a) & fifo::link_mask);
    CHECK((take(3) == std::vector<uint32_t>{a}));
    CHECK((take(usual) == std::vector<uint32_t>{b}));
}

TEST(EventFifo, another_vcpu_has_queues_of_its_own)
{
    switch_on();
    LONGS_EQUAL(0, control(1));
    const uint32_t port = ipi(1);
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(0, block(0).ready);
    LONGS_EQUAL(1, info(0, 1).evtchn_upcall_pending);
    CHECK((take(usual, 1) == std::vector<uint32_t>{port}));
}

TEST(EventFifo, a_vcpu_without_a_block_gets_nothing_but_the_word)
{
    switch_on();
    const uint32_t port = ipi(2);
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(fifo::pending, word(port));
    LONGS_EQUAL(0, info(0, 2).evtchn_upcall_pending);
}

// --- Masks and closing -----------------------------------------------------------------------------------

TEST(EventFifo, a_masked_port_is_linked_when_it_is_unmasked)
{
    switch_on();
    const uint32_t port = ipi(0);
    word(port) = fifo::masked;
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(fifo::masked | fifo::pending, word(port));
    LONGS_EQUAL(0, block().ready);
    LONGS_EQUAL(0, unmask(port));
    LONGS_EQUAL(fifo::pending | fifo::linked, word(port));
    LONGS_EQUAL(0, unmask(port));
    CHECK((take(usual) == std::vector<uint32_t>{port}));
    LONGS_EQUAL(0, unmask(port));
    LONGS_EQUAL(0, block().ready);
}

TEST(EventFifo, a_port_beyond_the_pages_can_be_unmasked_and_closed)
{
    switch_on();
    for (uint32_t port = 1; port < fifo_words_per_page; ++port)
        LONGS_EQUAL(port, ipi(0));
    const uint32_t beyond = ipi(0);
    LONGS_EQUAL(0, send(beyond));
    LONGS_EQUAL(0, unmask(beyond));
    LONGS_EQUAL(0, close(beyond));
    LONGS_EQUAL(beyond, ipi(0));
    LONGS_EQUAL(0, expand(1));
    LONGS_EQUAL(0, word(beyond));
}

TEST(EventFifo, a_closed_port_that_stands_in_a_queue_is_not_given_away)
{
    switch_on();
    const uint32_t port = ipi(0);
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(0, close(port));
    LONGS_EQUAL(fifo::linked, word(port));
    CHECK(ipi(0) != port);
    take(usual);
    LONGS_EQUAL(port, ipi(0));
    check_invariants();
}

// --- Guests that misbehave -------------------------------------------------------------------------------

TEST(EventFifo, no_value_of_a_word_disturbs_the_core)
{
    switch_on();
    const uint32_t a = ipi(0), b = ipi(0);
    for (const event_word_t value : {0u, ~0u, fifo::linked, fifo::busy, fifo::linked | fifo::link_mask, fifo::masked}) {
        LONGS_EQUAL(0, send(a));
        word(a) = value;
        LONGS_EQUAL(0, send(b));
        word(b) = value;
        LONGS_EQUAL(0, send(a));
        LONGS_EQUAL(0, unmask(a));
        LONGS_EQUAL(0, unmask(b));
        check_invariants();
    }
}

TEST(EventFifo, a_port_that_is_its_own_tail_and_marked_linked_by_the_guest_is_not_put_behind_itself)
{
    switch_on();
    const uint32_t port = ipi(0);
    LONGS_EQUAL(0, send(port));
    word(port) &= ~fifo::linked;                     // taken, though the head still names it
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(0, word(port) & fifo::link_mask);
    LONGS_EQUAL(port, block().head[usual]);
}

// --- Out of it -------------------------------------------------------------------------------------------

TEST(EventFifo, a_reset_closes_all_and_leads_back_to_two_levels)
{
    switch_on();
    LONGS_EQUAL(0, control(1));
    ipi(0);
    evtchn_reset request{DOMID_SELF};
    LONGS_EQUAL(0, call(EVTCHNOP_reset, request));
    CHECK(fake::writable_frames.empty());
    const uint32_t port = ipi(0);
    LONGS_EQUAL(0, send(port));
    CHECK(is_pending(0, port));
    CHECK(is_told(0, 0, port));
    switch_on();
    check_invariants();
}

TEST(EventFifo, the_end_of_a_life_lets_go_of_all_frames)
{
    switch_on();
    const uint32_t port = unbound_for(2);
    while (!reset_events(partition(0))) {
    }
    CHECK(fake::writable_frames.empty());
    CHECK(!partition(0).events.fifo.in_use);
    evtchn_bind_interdomain request{1, port, 0};
    be(1);
    LONGS_EQUAL(negative(XEN_EINVAL), call(EVTCHNOP_bind_interdomain, request));
}

TEST(EventFifo, nothing_of_a_use_is_left_for_the_next_one)
{
    LONGS_EQUAL(0, control(0));
    const uint32_t port = ipi(0);
    LONGS_EQUAL(0, prioritise(port, 3));
    LONGS_EQUAL(0, send(port));                      // waits for its word
    evtchn_reset request{DOMID_SELF};
    LONGS_EQUAL(0, call(EVTCHNOP_reset, request));
    LONGS_EQUAL(port, ipi(0));
    clear_events(0);
    for (uint64_t& word : partition(0).shared->evtchn_pending)
        word = 0;
    switch_on();
    LONGS_EQUAL(0, word(port));
    LONGS_EQUAL(0, send(port));
    CHECK((take(usual) == std::vector<uint32_t>{port}));
}

TEST(EventFifo, a_guest_that_leaves_all_its_free_ports_in_queues_gets_none)
{
    switch_on();
    for (uint32_t port = 1; port < fifo_words_per_page; ++port)
        word(port) = fifo::linked;
    evtchn_bind_ipi request{0, 0};
    LONGS_EQUAL(negative(XEN_ENOSPC), call(EVTCHNOP_bind_ipi, request));
    word(100) = 0;
    LONGS_EQUAL(100, ipi(0));
}

// --- What others see -------------------------------------------------------------------------------------

TEST(EventFifo, an_interdomain_event_and_a_virtual_interrupt_take_the_same_way)
{
    switch_on();
    const uint32_t port = unbound_for(2);
    const uint32_t debug = virq(VIRQ_DEBUG, 0);
    be(1);
    const uint32_t local = bind_to(1, port);
    LONGS_EQUAL(0, send(local));
    send_virq(world->vcpu(0), VIRQ_DEBUG);
    be(0);
    CHECK((take(usual) == std::vector<uint32_t>{port, debug}));
}

TEST(EventFifo, a_poll_and_the_monitor_look_at_the_words)
{
    switch_on();
    const uint32_t port = ipi(0);
    CHECK(!is_port_pending(partition(0), port));
    word(port) = fifo::masked;
    LONGS_EQUAL(0, send(port));
    CHECK(is_port_pending(partition(0), port));
    CHECK(event_port_info(partition(0), Port(port)).pending);
    CHECK(event_port_info(partition(0), Port(port)).masked);
    CHECK(!is_port_pending(partition(0), 2000));
}

TEST(EventFifo, an_event_ends_a_poll_for_its_port)
{
    switch_on();
    const uint32_t port = ipi(0);
    Vcpu& poller = world->vcpu(0, 1);
    poller.hold = hold_polling;
    start_polling(poller, port);
    LONGS_EQUAL(0, send(port));
    LONGS_EQUAL(0, poller.hold.load());
}
