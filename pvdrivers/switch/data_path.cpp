// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/data_path.hpp"

#include <bit>
#include <utility>

namespace bulkhead::net {

namespace {

using namespace std::chrono_literals;
constexpr Duration tell_after = 1ms;
constexpr uint32_t most_untold = 32;            // slots
constexpr uint32_t frames_of_stream = 8;
constexpr Duration look_after = 200us;
constexpr Duration gap_of_stream = 50us;        // a sender's turns that are further apart are none

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
    uint64_t ready = std::exchange(ready_, 0);
    // Another one is the first each time.
    ready = std::rotr(ready, static_cast<int>(first_));
    for (; ready != 0; ready &= ready - 1) {
        const unsigned index = (static_cast<unsigned>(std::countr_zero(ready)) + first_) % 64;
        Vif& vif = *vifs_[index];
        for (size_t q = 0; q < vif.active().size(); ++q) {
            Queue& queue = *vif.active()[q];
            if (queue.is_ready && !waits(queue))
                serve(vif, queue);
        }
    }
    first_ = (first_ + 1) % 64;
    return ready_ != 0;
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
    const uint32_t before = queue.tx.ring.published();
    if (queue.tx.answer(batch_, done, journal_)) {
        const uint32_t answers = queue.tx.ring.published() - before;
        tell_of_answers(queue, answers, answers == done);
    }
    if (!vif.is_connected())
        return;
    if (all)
        listen(vif, queue);
    if (queue.is_ready && !waits(queue))
        sender_has_frames(queue);
}

// --- Events that are put off ------------------------------------------------------

void DataPath::tell_of_answers(Queue& queue, uint32_t answers, bool is_small)
{
    queue.untold += answers;
    if (!is_small || queue.untold > most_untold) {
        queue.untold = 0;
        (void)notify(queue.tx_event);
        return;
    }
    if (!std::exchange(has_untold_, true))
        tell_.start(Clock::now() + tell_after);
}

void DataPath::tell_all(void* context)
{
    auto& self = *static_cast<DataPath*>(context);
    self.has_untold_ = false;
    for_each_queue(self.vifs(), [](Queue& queue) {
        if (std::exchange(queue.untold, 0) != 0)
            (void)notify(queue.tx_event);
    });
}

// Many turns of a frame or two, close together, and nothing for the card meanwhile; or eights, once it is one.
bool DataPath::sends_a_stream(const Vif& vif, Queue& queue, uint32_t frames)
{
    const bool receives = std::exchange(queue.received_before, vif.out.frames) != vif.out.frames;
    if (receives) {
        queue.turns_without_frames = 0;
        return false;
    }
    if (queue.is_stream)
        return frames >= frames_of_stream;
    if (++queue.turns_without_frames < frames_of_stream)
        return false;
    const Time now = Clock::now();
    return now - std::exchange(queue.served, now) < gap_of_stream;
}

// More may have come; else the next frame, or the eighth, is to say so.
void DataPath::listen(Vif& vif, Queue& queue)
{
    if (queue.tx.ring.available() != 0)
        return;
    queue.is_stream = sends_a_stream(vif, queue, batch_.frames);
    const uint32_t frames = queue.is_stream ? frames_of_stream : 1;
    queue.tx.ring.ask_for_event(frames);
    queue.is_ready = queue.tx.ring.available() >= frames;
    if (queue.is_stream && !queue.is_ready)
        look_.start(Clock::now() + look_after);
}

void DataPath::look_at_streams(void* context)
{
    auto& self = *static_cast<DataPath*>(context);
    for_each_queue(self.vifs(), [&self](Queue& queue) {
        if (queue.is_stream)
            self.sender_has_frames(queue);
    });
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
    sender_has_frames(queue);
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
