// SPDX-License-Identifier: BSD-2-Clause
// The turns of the switch: takes frames from the cards that have some, in batches and in turn, lets the
// bridge decide, carries the copies out and answers.
//
// An event costs more than a small frame, so two kinds are put off. That a few small frames have been
// answered is told 1 ms later, or with more of them: a driver looks at its answers whenever it sends. And a
// card that sends a stream of single frames and receives nothing is served by eights, or 200 us later.
#pragma once

#include "pvdrivers/switch/batch.hpp"
#include "pvdrivers/switch/bridge.hpp"
#include "pvdrivers/switch/vif.hpp"

#include <optional>

namespace bulkhead::net {

class DataPath {
public:
    explicit DataPath(Journal& journal) : journal_(journal) {}
    DataPath(const DataPath&) = delete;
    DataPath& operator=(const DataPath&) = delete;
    [[nodiscard]] Result<> open() { return headers_.open(); }
    void add(Vif& vif) { vifs_[vif_count_++] = &vif; }
    [[nodiscard]] std::span<Vif* const> vifs() const { return {vifs_.data(), vif_count_}; }

    // What events say.
    void sender_has_frames(Queue& queue)
    {
        queue.is_ready = true;
        ready_ |= uint64_t{1} << queue.tx.name.vif;
    }
    void receiver_has_room(const RxQueue& ring);
    // Before a card's queues are taken away.
    void forget(const Vif& vif);

    // One batch of each card that has frames. True if there are more.
    bool turn();
    // When a waiting sender is to be looked at, if no event comes before.
    [[nodiscard]] std::optional<Time> next_deadline() const;
    // Senders whose time has come.
    void resume(Time now);
    void resume_due()
    {
        if (waiting_ != 0)
            resume(Clock::now());
    }

    // For ports that bring frames of their own: between forward() calls of the bridge and its finish().
    Copies copies;

private:
    void serve(Vif& vif, Queue& queue);
    [[nodiscard]] bool forward_all(Vif& vif, Queue& queue, uint32_t& done);
    void wait_for_room(Queue& queue);
    void listen(Vif& vif, Queue& queue);
    [[nodiscard]] bool sends_a_stream(const Vif& vif, Queue& queue, uint32_t frames);
    void tell_of_answers(Queue& queue, uint32_t answers, bool is_small);
    static void tell_all(void* context);
    static void look_at_streams(void* context);
    void begin_wait(Queue& queue, Time until);
    void end_wait(Queue& queue, Time now);

    Journal& journal_;
    HeaderStore headers_;
    Batch batch_;
    size_t vif_count_ = 0;
    uint64_t ready_ = 0;                // cards, by their index
    unsigned first_ = 0;
    bool has_untold_ = false;
    Timer tell_{tell_all, this};
    Timer look_{look_at_streams, this};
    uint32_t waiting_ = 0;              // senders that wait
    uint32_t waiting_for_room_ = 0;     // of them for a receiver
    std::array<Vif*, most_vifs> vifs_{};
    static_assert(most_vifs <= 64);
};

}  // namespace bulkhead::net
