// SPDX-License-Identifier: BSD-2-Clause
// A port of a network: a partition's card, the uplink, the switch's own host.
//
// Frames move in batches, from one port at a time:
//     for each frame of the batch: bridge.forward(frame), which calls offer() of the ports that get it
//     copies.flush()             now all bytes are where offer() said, or the frame has failed
//     finish() of each port that was offered something: it shows what it took to its other end
//     the sender's buffers are given back
// So offer() only finds room, and adds the copies. Frames from a port that has its bytes in own memory,
// such as the uplink, go the same way: rest and header_side say where they are.
#pragma once

#include "pvdrivers/switch/copies.hpp"
#include "pvdrivers/switch/counters.hpp"
#include "pvdrivers/switch/frame.hpp"

#include <string_view>

namespace bulkhead::net {

enum class Verdict : uint8_t {
    taken,
    dropped,    // and counted
    busy,       // no room now; the port notes it, and says Port::has_room when there is some
};

class Bridge;

class Port {
public:
    Port(PortKind port_kind, std::string_view port_name) : kind(port_kind), name(port_name) {}
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    // Finds room for the frame and adds the copies of its bytes. may_wait: the sender keeps the frame
    // if the answer is busy; else the port counts a frame that it has no room for.
    [[nodiscard]] virtual Verdict offer(Frame& frame, Copies& copies, bool may_wait) = 0;
    // After the copies. Drops what has failed.
    virtual void finish() = 0;
    // Whether it wants frames to this group address.
    [[nodiscard]] virtual bool wants_group(Mac) const { return true; }
    [[nodiscard]] virtual PortFigures figures() const = 0;

    const PortKind kind;
    std::string_view name;
    Bridge* bridge = nullptr;
    Mac mac = 0;
    uint16_t vlan = 0;              // of an access port; 0: none
    bool is_isolated = false;
    bool is_touched = false;        // was offered something in this batch
    Counters counters;
    Traffic in;
    Traffic out;

protected:
    ~Port() = default;
};

}  // namespace bulkhead::net
