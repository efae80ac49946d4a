// SPDX-License-Identifier: BSD-2-Clause
// Frames put together by hand.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace frames {

using Bytes = std::vector<uint8_t>;
using Mac = std::array<uint8_t, 6>;
using Ip6 = std::array<uint8_t, 16>;

inline void put(Bytes& bytes, std::initializer_list<unsigned> values)
{
    for (const unsigned value : values)
        bytes.push_back(static_cast<uint8_t>(value));
}
template <class Range>
void put_all(Bytes& bytes, const Range& range)
{
    bytes.insert(bytes.end(), std::begin(range), std::end(range));
}
inline void put16(Bytes& bytes, unsigned value) { put(bytes, {value >> 8 & 0xff, value & 0xff}); }
inline void put32(Bytes& bytes, uint32_t value)
{
    put16(bytes, value >> 16);
    put16(bytes, value & 0xffff);
}

inline uint16_t sum(const Bytes& bytes)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < bytes.size(); ++i)
        sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}

inline Bytes ethernet(const Mac& to, const Mac& from, unsigned type, const Bytes& payload)
{
    Bytes frame;
    put_all(frame, to);
    put_all(frame, from);
    put16(frame, type);
    put_all(frame, payload);
    frame.resize(std::max<size_t>(frame.size(), 60));
    return frame;
}

inline Bytes ip4(unsigned protocol, uint32_t from, uint32_t to, const Bytes& payload)
{
    Bytes packet;
    put(packet, {0x45, 0});
    put16(packet, static_cast<unsigned>(20 + payload.size()));
    put(packet, {0, 0, 0, 0, 255, protocol, 0, 0});
    put32(packet, from);
    put32(packet, to);
    const uint16_t check = sum(packet);
    packet[10] = static_cast<uint8_t>(check >> 8);
    packet[11] = static_cast<uint8_t>(check);
    put_all(packet, payload);
    return packet;
}

// Without a checksum, as IPv4 allows.
inline Bytes udp(unsigned from, unsigned to, const Bytes& payload)
{
    Bytes datagram;
    put16(datagram, from);
    put16(datagram, to);
    put16(datagram, static_cast<unsigned>(8 + payload.size()));
    put16(datagram, 0);
    put_all(datagram, payload);
    return datagram;
}

inline Bytes icmp_echo(const std::string& payload)
{
    Bytes message{8, 0, 0, 0, 0x12, 0x34, 0, 1};
    put_all(message, payload);
    const uint16_t check = sum(message);
    message[2] = static_cast<uint8_t>(check >> 8);
    message[3] = static_cast<uint8_t>(check);
    return message;
}

// ICMPv6 with its checksum; bytes 2 and 3 of the message are filled in.
inline Bytes icmp6(const Ip6& from, const Ip6& to, Bytes message)
{
    Bytes pseudo;
    put_all(pseudo, from);
    put_all(pseudo, to);
    put32(pseudo, static_cast<uint32_t>(message.size()));
    put32(pseudo, 58);
    put_all(pseudo, message);
    const uint16_t check = sum(pseudo);
    message[2] = static_cast<uint8_t>(check >> 8);
    message[3] = static_cast<uint8_t>(check);
    Bytes packet{0x60, 0, 0, 0};
    put16(packet, static_cast<unsigned>(message.size()));
    put(packet, {58, 255});
    put_all(packet, from);
    put_all(packet, to);
    put_all(packet, message);
    return packet;
}

inline bool contains(const Bytes& frame, std::string_view text)
{
    return std::string_view(reinterpret_cast<const char*>(frame.data()), frame.size()).contains(text);
}

}  // namespace frames
