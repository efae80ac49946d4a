// SPDX-License-Identifier: BSD-2-Clause
// A partition's network card: its queues while it is connected, what the plan lets it do, and what its
// driver can take. handshake.hpp connects and disconnects it.
#pragma once

#include "pvdrivers/switch/policy.hpp"
#include "pvdrivers/switch/port.hpp"
#include "pvdrivers/switch/rx_queue.hpp"
#include "pvdrivers/switch/tx_queue.hpp"

#include <array>
#include <span>
#include <string_view>

namespace bulkhead::net {

struct VifPlan {
    std::string_view name;
    Domain domain{};
    uint32_t handle = 0;
    Mac mac = 0;
    uint16_t vlan = 0;
    uint16_t mtu = 1500;
    bool is_isolated = false;
    uint64_t rate_bytes_per_second = 0;
    uint64_t rate_interval_us = 50'000;
    uint64_t storm_frames_per_second = 0;
};

class DataPath;

// One of a card's queues. It exists while the card is connected.
struct Queue {
    DataPath* path = nullptr;
    TxQueue tx;
    RxQueue rx;
    bulkhead::Port tx_event{};
    bulkhead::Port rx_event{};
    bool has_split_events = false;
    GrantMapping tx_page;
    GrantMapping rx_page;
    // A sender that must wait is not asked for frames: until a time, or a receiver's ring has room.
    Time resume{};
    Time waits_since{};
    RxQueue* waits_for = nullptr;
    bool is_ready = false;      // has work, or may have

    // Answers that the sender was not told of, and whether it sends only: see DataPath.
    uint32_t untold = 0;
    uint32_t turns_without_frames = 0;
    uint64_t received_before = 0;
    Time served{};
    bool is_stream = false;
};

// What the partition's driver said that it takes.
struct Abilities {
    bool scatter_gather = false;
    bool gso_tcp4 = false;
    bool gso_tcp6 = false;
    bool checksum4 = true;
    bool checksum6 = false;
};

class Vif final : public Port, public GroupRequests {
public:
    Vif(const VifPlan& vif_plan, uint32_t vif_index, Journal& journal);

    [[nodiscard]] Verdict offer(Frame& frame, Copies& copies, bool may_wait) override;
    void finish() override;
    [[nodiscard]] bool wants_group(Mac group) const override;
    [[nodiscard]] PortFigures figures() const override;
    bool add_group(Mac group) override;
    bool remove_group(Mac group) override;

    // Whether the plan lets the card send this frame. Counts what it does not.
    [[nodiscard]] bool admits(const Frame& frame, Time now);

    // Queues of a new connection, in `queues` as the handshake has made them.
    void connect(uint32_t queue_count, const Abilities& what, uint32_t client_life);
    void disconnect();
    // Ends all traffic until the driver connects anew. Says why on the console.
    void cut_off(const char* reason);

    [[nodiscard]] bool is_connected() const { return is_connected_; }
    [[nodiscard]] bool was_cut_off() const { return was_cut_off_; }
    [[nodiscard]] std::span<Queue* const> active() const { return {queues.data(), queue_count_}; }

    const VifPlan plan;
    const uint32_t index;
    std::array<Queue*, most_queues> queues{};
    bool filters_groups = false;        // the driver asked for multicast control
    TokenBucket rate;
    TokenBucket storm;

private:
    [[nodiscard]] RxQueue& queue_for(const Frame& frame);
    [[nodiscard]] bool can_take(const Frame& frame) const;

    Journal& journal_;
    Abilities abilities_{};
    GroupWords* groups_ = nullptr;
    uint32_t queue_count_ = 0;
    bool is_connected_ = false;
    bool was_cut_off_ = false;
};

// The ring that answered busy last.
extern RxQueue* full_ring;

}  // namespace bulkhead::net
