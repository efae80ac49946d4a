// SPDX-License-Identifier: BSD-2-Clause
// The forwarding table of a network: addresses of its ports, which the plan fixes, and addresses that
// have been seen behind the uplink, which age.
#pragma once

#include "pvdrivers/switch/frame.hpp"

#include <bulkhead/time.hpp>

#include <array>
#include <cstdint>

namespace bulkhead::net {

class Fdb {
public:
    static constexpr size_t slots = 512;
    static constexpr Duration lifetime = std::chrono::seconds(300);

    struct Entry {
        Mac mac = 0;            // 0: free
        Port* port = nullptr;
        Time seen{};
        uint16_t vlan = 0;
        bool fixed = false;
    };

    // False if there is no room.
    [[nodiscard]] bool fix(Mac mac, Port& port);
    // Does nothing for a fixed address; takes the place of the oldest one when there is none.
    void learn(Mac mac, uint16_t vlan, Port& port, Time now);
    // Null: not known. Entries that are too old are found; they do no harm.
    [[nodiscard]] Port* find(Mac mac) const
    {
        for (size_t i = start(mac), end = i + probes; i < end; ++i) {
            const Entry& entry = entries_[i];
            if (entry.mac == mac)
                return entry.port;
        }
        return nullptr;
    }
    [[nodiscard]] bool is_fixed(Mac mac) const;
    void age(Time now);

    [[nodiscard]] const Entry& at(size_t slot) const { return entries_[slot]; }
    [[nodiscard]] size_t size() const { return entries_.size(); }
    [[nodiscard]] uint32_t count() const;

private:
    static constexpr size_t probes = 8;
    [[nodiscard]] static size_t start(Mac mac)
    {
        // The last bytes of an address differ most; they are the high ones of the number.
        return (mac * 0x9e37'79b9'7f4a'7c15u) >> 55;
    }
    static_assert(slots == size_t{1} << (64 - 55));

    std::array<Entry, slots + probes> entries_;
};

}  // namespace bulkhead::net
