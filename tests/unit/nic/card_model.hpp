// SPDX-License-Identifier: BSD-2-Clause
// What the models of network cards share: memory that they reach through bounds checks, as through an IOMMU,
// interrupts, and frames for tests with naive checksums of their own.
#pragma once

#include "pvdrivers/nic/registers.hpp"
#include "pvdrivers/nic/nic.hpp"

#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

namespace bulkhead::nic {

using Bytes = std::vector<uint8_t>;

// A DMA arena in the host's memory, at an address that is not the pointer's.
class ModelMemory {
public:
    static constexpr uint64_t base = 0x1'2340'0000;

    explicit ModelMemory(size_t pages) : bytes_(pages * 4096), memory_(std::aligned_alloc(4096, bytes_))
    {
        std::memset(memory_, 0xa5, bytes_);
    }
    ~ModelMemory() { std::free(memory_); }
    ModelMemory(const ModelMemory&) = delete;

    DmaArena arena() { return {{static_cast<std::byte*>(memory_), bytes_}, base}; }
    // Null, and counted, if the card reaches beyond.
    uint8_t* reach(uint64_t address, size_t bytes)
    {
        if (!on || address < base || address - base > bytes_ || bytes > bytes_ - (address - base)) {
            ++faults;
            return nullptr;
        }
        return static_cast<uint8_t*>(memory_) + (address - base);
    }
    template <class T>
    T get(uint64_t address)
    {
        T value{};
        if (const uint8_t* at = reach(address, sizeof(value)))
            std::memcpy(&value, at, sizeof(value));
        return value;
    }
    template <class T>
    void set(uint64_t address, const T& value)
    {
        if (uint8_t* at = reach(address, sizeof(value)))
            std::memcpy(at, &value, sizeof(value));
    }

    bool on = false;        // bus mastering
    unsigned faults = 0;

private:
    size_t bytes_;
    void* memory_;
};

class ModelCard : public Card {
public:
    explicit ModelCard(ModelMemory& memory) : memory_(memory) {}

    [[nodiscard]] uint32_t config_read(uint32_t offset, unsigned bytes) const override
    {
        uint32_t value = 0;
        if (offset + bytes <= sizeof(config))
            std::memcpy(&value, config + offset, bytes);
        return value;
    }
    [[nodiscard]] unsigned vectors() const override { return vector_count; }
    [[nodiscard]] bool has_msix() const override { return msix; }
    [[nodiscard]] Result<> bind_interrupt(unsigned vector, EventHandler handler) override
    {
        if (vector >= vector_count || refuse_interrupts)
            return failure(XEN_ENOSPC);
        handlers_[vector] = handler;
        return {};
    }
    Result<> enable_dma(bool on) override
    {
        if (refuse_dma && on)
            return failure(XEN_EACCES);
        memory_.on = on;
        return {};
    }
    void pause(Duration) override { ++pauses; }

    void interrupt(unsigned vector)
    {
        ++interrupts;
        if (handlers_.contains(vector))
            handlers_[vector].function(handlers_[vector].context, Port{vector});
    }

    uint8_t config[256]{};
    unsigned vector_count = 2;
    bool msix = true;
    bool refuse_interrupts = false;
    bool refuse_dma = false;
    unsigned interrupts = 0;
    unsigned pauses = 0;
    std::vector<Bytes> sent;        // that left the card
    bool scribbled = false;         // something else than the driver has written to the rings

protected:
    // The driver did what it must not do.
    void misused() const
    {
        if (!scribbled)
            std::abort();
    }

    ModelMemory& memory_;

private:
    std::map<unsigned, EventHandler> handlers_;
};

// --- Frames ---------------------------------------------------------------------

inline void put16(Bytes& bytes, size_t at, unsigned value)
{
    bytes[at] = static_cast<uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<uint8_t>(value);
}
inline void put32(Bytes& bytes, size_t at, uint32_t value)
{
    put16(bytes, at, value >> 16);
    put16(bytes, at + 2, value & 0xffff);
}
inline unsigned get16(const Bytes& bytes, size_t at) { return bytes[at] * 256U + bytes[at + 1]; }
inline uint32_t get32(const Bytes& bytes, size_t at) { return get16(bytes, at) << 16 | get16(bytes, at + 2); }

// Big-endian, word by word.
inline unsigned naive_sum(const Bytes& bytes, size_t from, size_t to, unsigned sum = 0)
{
    for (size_t at = from; at < to; ++at)
        sum += at % 2 == from % 2 ? bytes[at] * 256U : bytes[at];
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

struct FrameKind {
    bool ipv6 = false;
    bool udp = false;
    bool vlan = false;
    unsigned options = 0;       // bytes of TCP options
    [[nodiscard]] size_t network() const { return vlan ? 18 : 14; }
    [[nodiscard]] size_t transport() const { return network() + (ipv6 ? 40 : 20); }
    [[nodiscard]] size_t payload() const { return transport() + (udp ? 8 : 20 + options); }
    [[nodiscard]] size_t checksum() const { return transport() + (udp ? 6 : 16); }
};

inline unsigned pseudo_sum(const Bytes& frame, FrameKind kind, size_t bytes)
{
    const size_t addresses = kind.network() + (kind.ipv6 ? 8 : 12);
    const unsigned sum = naive_sum(frame, addresses, addresses + (kind.ipv6 ? 32 : 8));
    Bytes rest(8);
    put32(rest, 0, static_cast<uint32_t>(bytes));
    put16(rest, 6, kind.udp ? 17 : 6);
    return naive_sum(rest, 0, 8, sum);
}

// A frame with so many bytes of payload and a blank checksum.
inline Bytes make_frame(FrameKind kind, size_t payload_bytes, uint8_t seed = 1)
{
    Bytes frame(kind.payload() + payload_bytes);
    for (size_t i = 0; i < 12; ++i)
        frame[i] = static_cast<uint8_t>(i * 2 + 2);
    if (kind.vlan) {
        put16(frame, 12, 0x8100);
        put16(frame, 14, 10);
    }
    const size_t ip = kind.network();
    put16(frame, ip - 2, kind.ipv6 ? 0x86dd : 0x0800);
    const size_t from_transport = frame.size() - kind.transport();
    if (kind.ipv6) {
        frame[ip] = 0x60;
        put16(frame, ip + 4, static_cast<unsigned>(from_transport));
        frame[ip + 6] = kind.udp ? 17 : 6;
        for (size_t i = 8; i < 40; ++i)
            frame[ip + i] = static_cast<uint8_t>(i * 7 + seed);
    } else {
        frame[ip] = 0x45;
        put16(frame, ip + 2, static_cast<unsigned>(20 + from_transport));
        put16(frame, ip + 4, 0xfffe);
        frame[ip + 8] = 64;
        frame[ip + 9] = kind.udp ? 17 : 6;
        for (size_t i = 12; i < 20; ++i)
            frame[ip + i] = static_cast<uint8_t>(i * 9 + seed);
        put16(frame, ip + 10, 0xffff ^ naive_sum(frame, ip, ip + 20));
    }
    const size_t tcp = kind.transport();
    put16(frame, tcp, 1234);
    put16(frame, tcp + 2, 80);
    if (kind.udp) {
        put16(frame, tcp + 4, static_cast<unsigned>(from_transport));
    } else {
        put32(frame, tcp + 4, 0xfffffff0);
        frame[tcp + 12] = static_cast<uint8_t>((20 + kind.options) / 4 << 4);
        frame[tcp + 13] = 0x80 | 0x10 | 0x08 | 0x01;        // CWR, ACK, PSH, FIN
    }
    for (size_t i = 0; i < payload_bytes; ++i)
        frame[kind.payload() + i] = static_cast<uint8_t>(i * 31 + (i >> 8) + seed);
    put16(frame, kind.checksum(), pseudo_sum(frame, kind, from_transport));
    return frame;
}

// Whether both checksums are right.
inline bool sums_are_right(const Bytes& frame, FrameKind kind)
{
    const size_t ip = kind.network();
    if (!kind.ipv6 && naive_sum(frame, ip, ip + 20) != 0xffff)
        return false;
    const size_t bytes = frame.size() - kind.transport();
    return naive_sum(frame, kind.transport(), frame.size(), pseudo_sum(frame, kind, bytes)) == 0xffff;
}

// The frame as a card or a driver that cuts it must send it, checked field by field. Returns what is wrong.
inline const char* wrong_with_segments(const std::vector<Bytes>& sent, const Bytes& whole, FrameKind kind,
                                       size_t segment_bytes)
{
    const size_t payload = whole.size() - kind.payload();
    if (sent.size() != (payload + segment_bytes - 1) / segment_bytes)
        return "number of segments";
    const size_t ip = kind.network();
    const size_t tcp = kind.transport();
    for (size_t i = 0; i < sent.size(); ++i) {
        const Bytes& frame = sent[i];
        const bool last = i + 1 == sent.size();
        const size_t bytes = last ? payload - i * segment_bytes : segment_bytes;
        if (frame.size() != kind.payload() + bytes)
            return "length";
        if (std::memcmp(&frame[kind.payload()], &whole[kind.payload() + i * segment_bytes], bytes) != 0)
            return "payload";
        if (get32(frame, tcp + 4) != static_cast<uint32_t>(0xfffffff0 + i * segment_bytes))
            return "sequence number";
        const unsigned flags = 0x10U | (last ? 0x09U : 0U) | (i == 0 ? 0x80U : 0U);
        if (frame[tcp + 13] != flags)
            return "flags";
        const unsigned length = static_cast<unsigned>(frame.size() - ip);
        if (kind.ipv6 ? get16(frame, ip + 4) != length - 40 : get16(frame, ip + 2) != length)
            return "length in the IP header";
        if (!kind.ipv6 && get16(frame, ip + 4) != ((0xfffe + i) & 0xffff))
            return "identification";
        if (!sums_are_right(frame, kind))
            return "checksum";
    }
    return nullptr;
}

}  // namespace bulkhead::nic
