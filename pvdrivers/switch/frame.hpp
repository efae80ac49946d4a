// SPDX-License-Identifier: BSD-2-Clause
// A frame on its way through the switch: its first bytes, copied in and checked, and where the rest
// lies: in the sender's granted pages or in the switch's own memory. Nothing of a frame outlives the
// batch that it came in.
#pragma once

#include "pvdrivers/nic/nic.hpp"

#include <bulkhead/grants.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace bulkhead::net {

using nic::Offload;

// An Ethernet address as the number that its six bytes make in memory: the bit of group addresses is
// bit 0.
using Mac = uint64_t;
inline constexpr Mac mac_mask = 0xffff'ffff'ffff;
inline constexpr Mac broadcast = mac_mask;
[[nodiscard]] constexpr bool is_group(Mac mac) { return (mac & 1) != 0; }

inline constexpr uint32_t ethernet_header = 14;
inline constexpr uint32_t vlan_tag = 4;
inline constexpr uint32_t most_frame_bytes = 0xffff;
inline constexpr uint32_t header_room = 128;     // bytes of a frame that are copied in, at most

// Bytes that lie within one page.
struct Piece {
    CopySide side;
    uint16_t bytes;
    uint16_t flags;             // GNTCOPY_source_gref, or 0 for the switch's own memory
};

class Port;

struct Frame {
    std::byte* header = nullptr;        // at least 16 bytes can be read
    CopySide header_side{};
    uint32_t header_bytes = 0;
    uint32_t bytes = 0;                 // of the whole frame
    std::span<const Piece> rest;        // behind the header
    Offload offload{};
    Port* from = nullptr;
    uint16_t vlan = 0;                  // that it belongs to; there is no tag in the frame itself
    bool failed = false;                // some of it could not be read: whoever took it drops it

    [[nodiscard]] Mac destination() const { return load(0); }
    [[nodiscard]] Mac source() const { return load(6); }
    [[nodiscard]] uint16_t type() const { return static_cast<uint16_t>(byte(12) << 8 | byte(13)); }

private:
    [[nodiscard]] Mac load(size_t offset) const
    {
        Mac value;
        std::memcpy(&value, header + offset, sizeof(value));
        return value & mac_mask;
    }
    [[nodiscard]] unsigned byte(size_t offset) const { return std::to_integer<unsigned>(header[offset]); }
};

}  // namespace bulkhead::net
