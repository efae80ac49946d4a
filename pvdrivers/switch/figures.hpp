// SPDX-License-Identifier: BSD-2-Clause
// What the switch tells about itself: the data plane answers, the switch's own hosts ask (status page,
// metrics, diagnosis port). Answers are plain values of this moment. Texts stay valid for the program's
// life. Nothing is allocated; a whole listing is asked for item by item, over many turns of the program.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace bulkhead::net {

using MacBytes = std::array<uint8_t, 6>;

struct Traffic {
    uint64_t frames = 0;
    uint64_t bytes = 0;
};

// A counter of frames that were not forwarded, or of other trouble: `name` in small letters, digits and
// underscores ("spoofed_source"), `text` for people ("source address is not the card's").
struct CounterName {
    std::string_view name;
    std::string_view text;
};

enum class PortKind : uint8_t { vif, uplink, host };

// One port of a network's bridge: a partition's card, the box's own card, or the switch's own host.
struct PortFigures {
    PortKind kind = PortKind::vif;
    std::string_view name{};          // "gateway/0", "uplink", "host"
    std::string_view network{};
    std::string_view state{};         // one or two words: "connected", "waiting", "closing", "cut off", "link up"
    bool up = false;                // frames can pass now
    MacBytes mac{};
    Traffic in{};                     // accepted from the port
    Traffic out{};                    // delivered to it
    std::span<const uint64_t> counters{};     // one for each of Figures::counter_names()

    // vif
    uint16_t domain = 0;
    uint16_t handle = 0;
    uint16_t queues = 0;            // connected ones
    uint16_t vlan = 0;              // 0: none
    bool isolated = false;
    uint64_t rate_bytes_per_second = 0;     // 0: no limit
    // uplink
    std::string_view driver{};        // "e1000e"; empty: no card
    std::string_view device{};        // "00:03.0 8086:10d3", or what was looked for
    uint32_t link_mbits = 0;
};

struct NetworkFigures {
    std::string_view name{};
    uint16_t mtu = 1500;
    uint32_t fdb_entries = 0;
    uint32_t fdb_limit = 0;
};

// One learned or fixed address of a forwarding table.
struct FdbFigures {
    std::string_view network{};
    std::string_view port{};          // PortFigures::name
    MacBytes mac{};
    uint16_t vlan = 0;
    bool fixed = false;             // from the plan; does not age
    uint32_t age_s = 0;             // since a frame from it was seen
};

class Figures {
public:
    // The same at every call, in the order of PortFigures::counters.
    [[nodiscard]] virtual std::span<const CounterName> counter_names() const = 0;

    [[nodiscard]] virtual size_t networks() const = 0;
    [[nodiscard]] virtual NetworkFigures network(size_t index) const = 0;

    // Ports of all networks, those of one network in a row. The number does not change.
    [[nodiscard]] virtual size_t ports() const = 0;
    [[nodiscard]] virtual PortFigures port(size_t index) const = 0;

    // The first entry at or behind the position. Returns the position to go on from; 0: there is none.
    [[nodiscard]] virtual size_t next_fdb(size_t position, FdbFigures& entry) const = 0;

protected:
    ~Figures() = default;
};

}  // namespace bulkhead::net
