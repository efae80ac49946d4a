// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/vif.hpp"

#include "pvdrivers/switch/bridge.hpp"

#include <bulkhead/console.hpp>

namespace bulkhead::net {

RxQueue* full_ring = nullptr;

namespace {

constexpr uint16_t type_ip4 = 0x0800;
constexpr uint16_t type_ip6 = 0x86dd;
constexpr uint16_t type_vlan = 0x8100;
constexpr uint16_t type_service_vlan = 0x88a8;

uint64_t depth_of_rate(const VifPlan& plan)
{
    // What an interval brings, and never less than a large frame.
    const uint64_t interval = plan.rate_bytes_per_second * std::min<uint64_t>(plan.rate_interval_us, 1'000'000) / 1'000'000;
    return std::max<uint64_t>(interval, most_frame_bytes);
}

// A value that is the same for all frames of a connection.
uint32_t flow_of(const Frame& frame)
{
    const auto word = [&](size_t offset) {
        uint32_t value = 0;
        if (offset + sizeof(value) <= frame.header_bytes)
            std::memcpy(&value, frame.header + offset, sizeof(value));
        return value;
    };
    uint32_t mix = 0;
    if (frame.type() == type_ip4)
        mix = word(26) ^ word(30) ^ word(34);       // addresses, ports if there are no options
    else if (frame.type() == type_ip6)
        mix = word(34) ^ word(50) ^ word(54);       // the ends of the addresses, ports
    return (mix * 0x9e37'79b9U) >> 16;
}

}  // namespace

Vif::Vif(const VifPlan& vif_plan, uint32_t vif_index, Journal& journal)
    : Port(PortKind::vif, vif_plan.name), plan(vif_plan), index(vif_index),
      rate(vif_plan.rate_bytes_per_second, depth_of_rate(vif_plan)),
      storm(vif_plan.storm_frames_per_second, std::max<uint64_t>(vif_plan.storm_frames_per_second / 10, 1)),
      journal_(journal)
{
    mac = plan.mac;
    vlan = plan.vlan;
    is_isolated = plan.is_isolated;
}

// --- Sending --------------------------------------------------------------------

bool Vif::admits(const Frame& frame, Time now)
{
    if (frame.bytes < ethernet_header) [[unlikely]] {
        counters.add(Counter::runt);
        return false;
    }
    if (frame.source() != mac) [[unlikely]] {
        counters.add(Counter::spoofed_source);
        return false;
    }
    const uint16_t type = frame.type();
    if ((type == type_vlan || type == type_service_vlan) && bridge->has_vlans()) [[unlikely]] {
        counters.add(Counter::tagged);
        return false;
    }
    const Offload& offload = frame.offload;
    if (offload.gso_type == XEN_NETIF_GSO_TYPE_NONE) {
        if (frame.bytes > uint32_t{plan.mtu} + ethernet_header + vlan_tag) [[unlikely]] {
            counters.add(Counter::oversized);
            return false;
        }
    } else if (offload.gso_type > XEN_NETIF_GSO_TYPE_TCPV6 || offload.gso_size == 0 || offload.gso_size > plan.mtu)
        [[unlikely]] {
        counters.add(Counter::malformed);
        return false;
    }
    if (storm.is_limited() && is_group(frame.destination())) {
        if (!storm.is_open(now)) {
            counters.add(Counter::storm);
            return false;
        }
        storm.take(1);
    }
    return true;
}

bool Vif::add_group(Mac group)
{
    uint64_t* place = nullptr;
    for (uint64_t& word : *groups_) {
        if (word == group)
            return true;
        if (word == 0)
            place = &word;
    }
    if (place == nullptr || group == 0)
        return false;
    Journal::set(*place, group);
    return true;
}

bool Vif::remove_group(Mac group)
{
    for (uint64_t& word : *groups_) {
        if (word == group && group != 0)
            Journal::set(word, 0);
    }
    return true;
}

// --- Receiving ------------------------------------------------------------------

bool Vif::wants_group(Mac group) const
{
    if (!filters_groups || group == broadcast || groups_ == nullptr)
        return true;
    for (const uint64_t word : *groups_) {
        if (word == group)
            return true;
    }
    return false;
}

bool Vif::can_take(const Frame& frame) const
{
    const Offload& offload = frame.offload;
    if (offload.gso_type == XEN_NETIF_GSO_TYPE_TCPV4)
        return abilities_.gso_tcp4 && abilities_.scatter_gather;
    if (offload.gso_type == XEN_NETIF_GSO_TYPE_TCPV6)
        return abilities_.gso_tcp6 && abilities_.scatter_gather;
    if (!offload.checksum_blank)
        return true;
    return frame.type() == type_ip6 ? abilities_.checksum6 : abilities_.checksum4;
}

RxQueue& Vif::queue_for(const Frame& frame)
{
    return queue_count_ == 1 ? queues[0]->rx : queues[flow_of(frame) % queue_count_]->rx;
}

Verdict Vif::offer(Frame& frame, Copies& copies, bool may_wait)
{
    if (!is_connected_) [[unlikely]] {
        counters.add(Counter::not_connected);
        return Verdict::dropped;
    }
    if ((frame.offload.gso_type != XEN_NETIF_GSO_TYPE_NONE || frame.offload.checksum_blank) && !can_take(frame))
        [[unlikely]] {
        counters.add(Counter::not_segmentable);
        return Verdict::dropped;
    }
    RxQueue& queue = queue_for(frame);
    const Verdict verdict = queue.offer(frame, copies);
    if (verdict != Verdict::busy) [[likely]]
        return verdict;
    if (may_wait && queue.patience(Clock::now()) > Duration::zero()) {
        full_ring = &queue;
        return Verdict::busy;
    }
    counters.add(Counter::no_room);
    return Verdict::dropped;
}

void Vif::finish()
{
    for (Queue* queue : active()) {
        if (queue->rx.finish(journal_, counters, out))
            (void)notify(queue->rx_event);
        if (queue->rx.is_broken) [[unlikely]] {
            cut_off(text_of(RingError::index));
            return;
        }
    }
}

// --- Connection -----------------------------------------------------------------

void Vif::connect(uint32_t queue_count, const Abilities& what, uint32_t client_life)
{
    abilities_ = what;
    queue_count_ = queue_count;
    groups_ = &journal_.groups(index, client_life, queues[0]->tx.name.grant);
    was_cut_off_ = false;
    is_connected_ = true;
}

void Vif::disconnect()
{
    is_connected_ = false;
    queue_count_ = 0;
    groups_ = nullptr;
}

void Vif::cut_off(const char* reason)
{
    counters.add(Counter::cut_off);
    print("%.*s is cut off: %s\n", static_cast<int>(name.size()), name.data(), reason);
    // Its events would cost time still.
    for (const Queue* queue : active()) {
        mask(queue->tx_event);
        mask(queue->rx_event);
    }
    disconnect();
    was_cut_off_ = true;
}

PortFigures Vif::figures() const
{
    PortFigures figures;
    figures.kind = kind;
    figures.name = name;
    figures.network = bridge != nullptr ? bridge->name : std::string_view{};
    figures.state = is_connected_ ? "connected" : was_cut_off_ ? "cut off" : "waiting";
    figures.up = is_connected_;
    std::memcpy(figures.mac.data(), &mac, figures.mac.size());
    figures.in = in;
    figures.out = out;
    figures.counters = counters.all();
    figures.domain = static_cast<uint16_t>(plan.domain);
    figures.handle = static_cast<uint16_t>(plan.handle);
    figures.queues = static_cast<uint16_t>(queue_count_);
    figures.vlan = vlan;
    figures.isolated = is_isolated;
    figures.rate_bytes_per_second = plan.rate_bytes_per_second;
    return figures;
}

}  // namespace bulkhead::net
