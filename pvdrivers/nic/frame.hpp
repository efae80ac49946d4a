// SPDX-License-Identifier: BSD-2-Clause
// What the offloads need to know of a frame, and doing in software what a card cannot. Frames come from
// guests: every length is checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace bulkhead::nic {

// Offsets are from the frame's first byte.
struct FrameHeaders {
    uint16_t network = 0;           // IP header
    uint16_t transport = 0;         // TCP or UDP header
    uint16_t payload = 0;           // behind the TCP or UDP header
    uint16_t checksum = 0;          // the field in the TCP or UDP header
    bool ipv6 = false;
    bool tcp = false;
};

// Finds the headers of an unfragmented TCP or UDP packet in IPv4 or IPv6, behind up to two VLAN tags.
// Nothing: it is something else, or the headers are not all in `start`.
[[nodiscard]] std::optional<FrameHeaders> find_headers(std::span<const std::byte> start);

// The ones' complement sum of the bytes as 16-bit words in memory order, added to `sum`. All but the last part
// of a longer sum have an even length.
[[nodiscard]] uint64_t add_to_sum(std::span<const std::byte> bytes, uint64_t sum);
// The sum in 16 bits, in memory order, not complemented.
[[nodiscard]] uint16_t fold(uint64_t sum);

// Makes the TCP or UDP checksum field the sum of the pseudo header, for so many bytes from the transport
// header on.
void set_pseudo_sum(std::span<std::byte> headers, const FrameHeaders& at, uint32_t transport_bytes);
// What Intel's cards want of a frame that they cut: no length in the IP header nor in the pseudo header, and
// no checksum in IPv4's.
void prepare_for_cutting(std::span<std::byte> headers, const FrameHeaders& at);

// Completes the checksum of a frame whose checksum field holds the sum of the pseudo header.
void complete_checksum(std::span<const std::span<std::byte>> pieces, const FrameHeaders& at);

// Adjusts copied headers for one segment: lengths, IPv4 identification and header checksum, sequence number,
// flags. The checksum field then holds the sum of the pseudo header.
struct SegmentPlace {
    uint32_t offset = 0;            // of its payload within the whole
    uint32_t bytes = 0;             // of its payload
    uint16_t number = 0;
    bool last = false;
};
void adjust_segment(std::span<std::byte> headers, const FrameHeaders& at, const SegmentPlace& place);

}  // namespace bulkhead::nic
