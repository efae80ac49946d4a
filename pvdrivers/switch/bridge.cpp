// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/bridge.hpp"

#include <utility>

namespace bulkhead::net {

namespace {

// 01:80:c2:00:00:00 to 0f: between neighbours only. Source: IEEE 802.1Q, "Reserved addresses".
constexpr bool is_link_local(Mac mac)
{
    return (mac & 0xf0ff'ffff'ffff) == 0x0000'00c2'8001;
}

}  // namespace

bool Bridge::add(Port& port)
{
    if (count_ == ports_.size())
        return false;
    if (port.mac != 0 && port.kind != PortKind::uplink && !fdb.fix(port.mac, port))
        return false;
    ports_[count_++] = &port;
    port.bridge = this;
    has_vlans_ = has_vlans_ || port.vlan != 0;
    if (port.kind == PortKind::uplink)
        uplink_ = &port;
    return true;
}

// Which kinds of ports may talk, beside the addresses.
bool Bridge::may_pass(const Frame& frame, const Port& to)
{
    Port& from = *frame.from;
    const bool by_uplink = to.kind == PortKind::uplink || from.kind == PortKind::uplink;
    if ((from.is_isolated || to.is_isolated) && !by_uplink) {
        from.counters.add(Counter::isolated);
        return false;
    }
    if (frame.vlan != to.vlan && to.kind != PortKind::uplink) {
        from.counters.add(Counter::other_vlan);
        return false;
    }
    return true;
}

Verdict Bridge::offer(Port& to, Frame& frame, Copies& copies, bool may_wait)
{
    const Verdict verdict = to.offer(frame, copies, may_wait);
    if (!to.is_touched) {
        to.is_touched = true;
        touched_[touched_count_++] = &to;
    }
    return verdict;
}

Verdict Bridge::forward(Frame& frame, Copies& copies)
{
    const Mac destination = frame.destination();
    if (is_group(destination)) [[unlikely]]
        return flood(frame, copies);
    Port* to = fdb.find(destination);
    if (to == nullptr)
        to = uplink_;
    if (to == nullptr || (to == frame.from && to == uplink_)) [[unlikely]] {
        frame.from->counters.add(Counter::unknown_destination);
        return Verdict::dropped;
    }
    if (to == frame.from) [[unlikely]] {
        frame.from->counters.add(Counter::own_address);
        return Verdict::dropped;
    }
    if (!may_pass(frame, *to)) [[unlikely]]
        return Verdict::dropped;
    // Only partitions keep their frames.
    return offer(*to, frame, copies, frame.from->kind == PortKind::vif);
}

Verdict Bridge::flood(Frame& frame, Copies& copies)
{
    const Mac destination = frame.destination();
    if (is_link_local(destination)) {
        frame.from->counters.add(Counter::link_local);
        return Verdict::dropped;
    }
    for (Port* to : ports()) {
        const bool by_uplink = to == uplink_ || frame.from == uplink_;
        const bool is_apart = (frame.from->is_isolated || to->is_isolated) && !by_uplink;
        if (to == frame.from || is_apart || (frame.vlan != to->vlan && to != uplink_))
            continue;
        if (!to->wants_group(destination)) {
            to->counters.add(Counter::filtered);
            continue;
        }
        (void)offer(*to, frame, copies, false);
    }
    return Verdict::taken;
}

void Bridge::finish()
{
    for (size_t i = 0; i < touched_count_; ++i) {
        touched_[i]->is_touched = false;
        touched_[i]->finish();
    }
    touched_count_ = 0;
}

}  // namespace bulkhead::net
