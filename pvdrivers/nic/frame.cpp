// SPDX-License-Identifier: BSD-2-Clause
// Headers, checksums and segments in software.
// Source: RFC 791, 8200, 9293, 768, 1071; IEEE 802.1Q.
#include "pvdrivers/nic/frame.hpp"

#include <cstring>

namespace bulkhead::nic {
namespace {

constexpr uint8_t protocol_tcp = 6;
constexpr uint8_t protocol_udp = 17;
constexpr uint16_t most_headers = 240;      // what cards that cut segments take

constexpr uint8_t tcp_fin = 0x01;
constexpr uint8_t tcp_psh = 0x08;
constexpr uint8_t tcp_cwr = 0x80;

template <class T>
T load(const std::byte* from)
{
    T value;
    std::memcpy(&value, from, sizeof(value));
    return value;
}

template <class T>
void store(std::byte* to, T value)
{
    std::memcpy(to, &value, sizeof(value));
}

uint8_t byte_at(std::span<const std::byte> bytes, size_t at) { return std::to_integer<uint8_t>(bytes[at]); }

uint16_t big_endian_16(std::span<const std::byte> bytes, size_t at)
{
    return __builtin_bswap16(load<uint16_t>(&bytes[at]));
}

struct Transport {
    size_t at;
    uint8_t protocol;
};

std::optional<Transport> behind_ipv4(std::span<const std::byte> start, size_t at)
{
    if (start.size() < at + 20)
        return std::nullopt;
    const uint8_t version = byte_at(start, at);
    const size_t header_bytes = (version & 15U) * 4;
    constexpr uint16_t more_or_offset = 0x3fff;
    if (version >> 4 != 4 || header_bytes < 20 || (big_endian_16(start, at + 6) & more_or_offset) != 0)
        return std::nullopt;
    return Transport{at + header_bytes, byte_at(start, at + 9)};
}

std::optional<Transport> behind_ipv6(std::span<const std::byte> start, size_t at)
{
    if (start.size() < at + 40 || byte_at(start, at) >> 4 != 6)
        return std::nullopt;
    uint8_t next = byte_at(start, at + 6);
    at += 40;
    // Hop-by-hop and destination options begin alike. With a routing header the pseudo header's address would
    // be another one. most_headers ends the loop.
    while (next == 0 || next == 60) {
        if (start.size() < at + 8 || at > most_headers)
            return std::nullopt;
        next = byte_at(start, at);
        at += 8 + byte_at(start, at + 1) * size_t{8};
    }
    return Transport{at, next};
}

}  // namespace

std::optional<FrameHeaders> find_headers(std::span<const std::byte> start)
{
    constexpr uint16_t ethertype_ipv4 = 0x0800;
    constexpr uint16_t ethertype_ipv6 = 0x86dd;
    constexpr uint16_t ethertype_vlan = 0x8100;
    constexpr uint16_t ethertype_service_vlan = 0x88a8;
    size_t at = 12;
    uint16_t ethertype = 0;
    for (unsigned tags = 0; tags <= 2; ++tags, at += 4) {
        if (start.size() < at + 2)
            return std::nullopt;
        ethertype = big_endian_16(start, at);
        if (ethertype != ethertype_vlan && ethertype != ethertype_service_vlan)
            break;
    }
    at += 2;
    std::optional<Transport> transport;
    if (ethertype == ethertype_ipv4)
        transport = behind_ipv4(start, at);
    else if (ethertype == ethertype_ipv6)
        transport = behind_ipv6(start, at);
    if (!transport || (transport->protocol != protocol_tcp && transport->protocol != protocol_udp))
        return std::nullopt;

    const bool tcp = transport->protocol == protocol_tcp;
    if (start.size() < transport->at + (tcp ? 20 : 8))
        return std::nullopt;
    const size_t header_bytes = tcp ? (byte_at(start, transport->at + 12) >> 4) * size_t{4} : 8;
    const size_t payload = transport->at + header_bytes;
    if ((tcp && header_bytes < 20) || payload > start.size() || payload > most_headers)
        return std::nullopt;
    return FrameHeaders{.network = static_cast<uint16_t>(at),
                        .transport = static_cast<uint16_t>(transport->at),
                        .payload = static_cast<uint16_t>(payload),
                        .checksum = static_cast<uint16_t>(transport->at + (tcp ? 16 : 6)),
                        .ipv6 = ethertype == ethertype_ipv6,
                        .tcp = tcp};
}

uint64_t add_to_sum(std::span<const std::byte> bytes, uint64_t sum)
{
    const std::byte* at = bytes.data();
    size_t left = bytes.size();
    const auto add = [&sum](uint64_t word) {
        sum += word;
        sum += sum < word ? 1 : 0;
    };
    for (; left >= 32; left -= 32, at += 32) {
        add(load<uint64_t>(at));
        add(load<uint64_t>(at + 8));
        add(load<uint64_t>(at + 16));
        add(load<uint64_t>(at + 24));
    }
    for (; left >= 2; left -= 2, at += 2)
        add(load<uint16_t>(at));
    if (left != 0)
        add(std::to_integer<uint64_t>(*at));
    return sum;
}

uint16_t fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>((sum & 0xffff) + (sum >> 16));
}

void set_pseudo_sum(std::span<std::byte> headers, const FrameHeaders& at, uint32_t transport_bytes)
{
    const auto addresses = at.ipv6 ? headers.subspan(at.network + 8U, 32) : headers.subspan(at.network + 12U, 8);
    const uint64_t sum = uint64_t{fold(add_to_sum(addresses, 0))} + __builtin_bswap32(transport_bytes) +
                         __builtin_bswap16(at.tcp ? protocol_tcp : protocol_udp);
    store<uint16_t>(&headers[at.checksum], fold(sum));
}

void prepare_for_cutting(std::span<std::byte> headers, const FrameHeaders& at)
{
    if (at.ipv6) {
        store(&headers[at.network + 4U], uint16_t{0});
    } else {
        store(&headers[at.network + 2U], uint16_t{0});
        store(&headers[at.network + 10U], uint16_t{0});
    }
    set_pseudo_sum(headers, at, 0);
}

void complete_checksum(std::span<const std::span<std::byte>> pieces, const FrameHeaders& at)
{
    uint64_t sum = 0;
    bool odd = false;
    size_t skip = at.transport;
    for (const auto& piece : pieces) {
        const auto part = piece.subspan(skip);
        skip = 0;
        const uint16_t of_part = fold(add_to_sum(part, 0));
        sum += odd ? __builtin_bswap16(of_part) : of_part;
        odd ^= part.size() % 2 != 0;
    }
    uint16_t checksum = static_cast<uint16_t>(~fold(sum));
    if (checksum == 0 && !at.tcp)
        checksum = 0xffff;      // 0 says that there is none
    store(&pieces[0][at.checksum], checksum);
}

void adjust_segment(std::span<std::byte> headers, const FrameHeaders& at, const SegmentPlace& place)
{
    const auto from_transport = static_cast<uint16_t>(at.payload - at.transport + place.bytes);
    if (at.ipv6) {
        const auto extensions = static_cast<uint16_t>(at.transport - at.network - 40);
        store(&headers[at.network + 4U], __builtin_bswap16(static_cast<uint16_t>(from_transport + extensions)));
    } else {
        std::byte* ip = &headers[at.network];
        const auto header_bytes = static_cast<uint16_t>(at.transport - at.network);
        const uint16_t identification = __builtin_bswap16(load<uint16_t>(ip + 4));
        store(ip + 2, __builtin_bswap16(static_cast<uint16_t>(header_bytes + from_transport)));
        store(ip + 4, __builtin_bswap16(static_cast<uint16_t>(identification + place.number)));
        store(ip + 10, uint16_t{0});
        store(ip + 10, static_cast<uint16_t>(~fold(add_to_sum({ip, header_bytes}, 0))));
    }
    std::byte* tcp = &headers[at.transport];
    store(tcp + 4, __builtin_bswap32(__builtin_bswap32(load<uint32_t>(tcp + 4)) + place.offset));
    auto flags = std::to_integer<uint8_t>(tcp[13]);
    if (!place.last)
        flags &= static_cast<uint8_t>(~(tcp_fin | tcp_psh));
    if (place.offset != 0)
        flags &= static_cast<uint8_t>(~tcp_cwr);
    tcp[13] = std::byte{flags};
    set_pseudo_sum(headers, at, from_transport);
}

}  // namespace bulkhead::nic
