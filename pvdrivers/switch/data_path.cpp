// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/data_path.hpp"

namespace bulkhead::net {

namespace {

template <class Function>
void for_each_queue(std::span<Vif* const> vifs, Function function)
{
    for (Vif* vif : vifs) {
        for (Queue* queue : vif->active())
            function(*queue);
    }
}

// For room or for its rate.
bool waits(const Queue& queue) { return queue.resume != Time{}; }

}  // namespace

bool DataPath::turn()
{
    bool any = false;
    for (size_t i = 0; i < vif_count_; ++i) {
        Vif& vif = *vifs_[(first_ + i) % vif_count_];
        for (size_t q = 0; q < vif.active().size(); ++q) {
            Queue& queue = *vif.active()[q];
            if (!queue.is_ready || waits(queue))
                continue;
            serve(vif, queue);
            any = true;
        }
    }
    first_ = vif_count_ != 0 ? (first_ + 1) % vif_count_ : 0;
    return any;
}

// Forwards the frames of the batch in order. `done`: packets that can be answered. False: a receiver's
// ring is full, or the rate is reached; the rest of the batch stays in its ring.
bool DataPath::forward_all(Vif& vif, Queue& queue, uint32_t& done)
{
    const bool is_limited = vif.rate.is_limited();
    const Time now = is_limited || vif.storm.is_limited() ? Clock::now() : Time{};
    for (done = 0; done < batch_.packets; ++done) {
        Packet& packet = batch_.packet[done];
        if (!packet.has_frame) [[unlikely]] {
            if (packet.status != NETIF_RSP_OKAY)
                vif.counters.add(Counter::malformed);
            continue;
        }
        Frame& frame = batch_.frame[packet.frame];
        if (is_limited && !vif.rate.is_open(now)) {
            vif.counters.add(Counter::rate_waits);
            begin_wait(queue, vif.rate.opens_at());
            return false;
        }
        if (frame.failed || !vif.admits(frame, now)) [[unlikely]] {
            packet.status = NETIF_RSP_ERROR;
            continue;
        }
        frame.from = &vif;
        frame.vlan = vif.vlan;
        const Verdict verdict = vif.bridge->forward(frame, copies);
        if (verdict == Verdict::busy) [[unlikely]] {
            wait_for_room(queue);
            return false;
        }
        ++vif.in.frames;
        vif.in.bytes += frame.bytes;
        if (is_limited)
            vif.rate.take(frame.bytes);
    }
    return true;
}

void DataPath::serve(Vif& vif, Queue& queue)
{
    const RingError error = queue.tx.collect(batch_, headers_, copies, vif);
    copies.flush();
    if (error != RingError::none) [[unlikely]] {
        forget(vif);
        vif.cut_off(text_of(error));
        return;
    }
    uint32_t done = 0;
    const bool all = forward_all(vif, queue, done);
    copies.flush();
    vif.bridge->finish();
    for (uint32_t i = 0; i < done; ++i) {
        Packet& packet = batch_.packet[i];
        if (packet.has_frame && batch_.frame[packet.frame].failed) [[unlikely]] {
            packet.status = NETIF_RSP_ERROR;
            vif.counters.add(Counter::grant_refused);
        }
    }
    if (queue.tx.answer(batch_, done, journal_))
        (void)notify(queue.tx_event);
    if (!all || !vif.is_connected())
        return;
    // More may have come, and the next one is to say so.
    if (queue.tx.ring.available() == 0) {
        queue.tx.ring.ask_for_event();
        queue.is_ready = queue.tx.ring.available() != 0;
    }
}

// --- Senders that wait ------------------------------------------------------------

void DataPath::wait_for_room(Queue& queue)
{
    const Time now = Clock::now();
    queue.waits_for = full_ring;
    queue.waits_since = now;
    ++waiting_for_room_;
    begin_wait(queue, now + full_ring->patience(now));
}

void DataPath::begin_wait(Queue& queue, Time until)
{
    queue.resume = until;
    ++waiting_;
}

void DataPath::end_wait(Queue& queue, Time now)
{
    if (!waits(queue))
        return;
    if (queue.waits_for != nullptr) {
        queue.waits_for->has_waited(now - queue.waits_since);
        queue.waits_for = nullptr;
        --waiting_for_room_;
    }
    --waiting_;
    queue.resume = {};
}

void DataPath::receiver_has_room(const RxQueue& ring)
{
    if (waiting_for_room_ == 0)
        return;
    const Time now = Clock::now();
    for_each_queue(vifs(), [&](Queue& queue) {
        if (queue.waits_for == &ring)
            end_wait(queue, now);
    });
}

void DataPath::forget(const Vif& vif)
{
    for (Queue* queue : vif.queues) {
        if (queue == nullptr)
            continue;
        receiver_has_room(queue->rx);
        end_wait(*queue, Clock::now());
    }
}

std::optional<Time> DataPath::next_deadline() const
{
    std::optional<Time> next;
    if (waiting_ == 0)
        return next;
    for_each_queue(vifs(), [&](const Queue& queue) {
        if (waits(queue) && (!next || queue.resume < *next))
            next = queue.resume;
    });
    return next;
}

void DataPath::resume(Time now)
{
    for_each_queue(vifs(), [&](Queue& queue) {
        if (!waits(queue) || queue.resume > now)
            return;
        if (queue.waits_for != nullptr)
            queue.waits_for->give_up();
        end_wait(queue, now);
    });
}

}  // namespace bulkhead::net
