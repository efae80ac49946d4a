// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/uplink.hpp"

#include <bulkhead/memory.hpp>

#include <algorithm>

namespace bulkhead::net {

namespace {

constexpr uint32_t addresses_bytes = 12;
constexpr uint16_t type_vlan = 0x8100;

}  // namespace

Uplink::Uplink(std::string_view place) : Port(PortKind::uplink, "uplink"), place_(place) {}

void Uplink::attach(nic::Nic& card)
{
    card_ = &card;
    mac = 0;
    const auto address = card.mac();
    std::memcpy(&mac, address.bytes.data(), address.bytes.size());
    may_have_frames_ = true;
}

// --- Out ------------------------------------------------------------------------

bool Uplink::take_buffers(uint32_t bytes, Sending& sending)
{
    sending.first = static_cast<uint16_t>(piece_count_);
    sending.count = 0;
    for (uint32_t left = bytes; left != 0;) {
        const Buffer buffer = piece_count_ < pieces_.size() ? card_->tx_buffer() : Buffer{};
        if (buffer.empty()) {
            release(sending);
            piece_count_ = sending.first;
            return false;
        }
        const uint32_t now = std::min<uint32_t>(left, nic::tx_buffer_bytes);
        pieces_[piece_count_++] = buffer.first(now);
        ++sending.count;
        left -= now;
    }
    return true;
}

void Uplink::release(const Sending& sending)
{
    for (uint16_t i = 0; i < sending.count; ++i)
        card_->tx_release(pieces_[sending.first + i]);
}

// With its tag, if it belongs to a VLAN. Returns how many bytes it is now.
uint32_t Uplink::put_header(const Frame& frame, Buffer into) const
{
    if (frame.vlan == 0) {
        std::memcpy(into.data(), frame.header, frame.header_bytes);
        return frame.header_bytes;
    }
    std::memcpy(into.data(), frame.header, addresses_bytes);
    const std::array<uint8_t, vlan_tag> tag = {type_vlan >> 8, type_vlan & 0xff, static_cast<uint8_t>(frame.vlan >> 8),
                                               static_cast<uint8_t>(frame.vlan)};
    std::memcpy(into.data() + addresses_bytes, tag.data(), tag.size());
    std::memcpy(into.data() + addresses_bytes + vlan_tag, frame.header + addresses_bytes,
                frame.header_bytes - addresses_bytes);
    return frame.header_bytes + vlan_tag;
}

Verdict Uplink::offer(Frame& frame, Copies& copies, bool)
{
    if (card_ == nullptr || !card_->link().up) {
        counters.add(Counter::not_connected);
        return Verdict::dropped;
    }
    const uint32_t bytes = frame.bytes + (frame.vlan != 0 ? vlan_tag : 0);
    Sending sending{&frame, 0, 0};
    if (sending_count_ == sending_.size() || !take_buffers(bytes, sending)) {
        counters.add(Counter::no_room);
        return Verdict::dropped;
    }
    const uint32_t header = put_header(frame, pieces_[sending.first]);
    uint16_t at = sending.first;
    Buffer room = pieces_[at].subspan(header);
    for (Piece piece : frame.rest) {
        while (piece.bytes != 0) {
            if (room.empty())
                room = pieces_[++at];
            const auto now = static_cast<uint16_t>(std::min<size_t>(piece.bytes, room.size()));
            copies.add(piece.side, own_side(room.data()), now, piece.flags, frame, nullptr);
            piece.bytes = static_cast<uint16_t>(piece.bytes - now);
            piece.side.offset = static_cast<uint16_t>(piece.side.offset + now);
            room = room.subspan(now);
        }
    }
    sending_[sending_count_++] = sending;
    return Verdict::taken;
}

void Uplink::finish()
{
    bool any = false;
    for (size_t i = 0; i < sending_count_; ++i) {
        const Sending& sending = sending_[i];
        if (sending.frame->failed) {
            release(sending);
            continue;
        }
        if (!card_->send({&pieces_[sending.first], sending.count}, sending.frame->offload)) {
            counters.add(Counter::no_room);
            continue;
        }
        any = true;
        ++out.frames;
        out.bytes += sending.frame->bytes;
    }
    sending_count_ = 0;
    piece_count_ = 0;
    if (any)
        card_->kick();
}

// --- In -------------------------------------------------------------------------

bool Uplink::serve(Copies& copies)
{
    if (!may_have_frames_ || card_ == nullptr)
        return false;
    const Time now = Clock::now();
    card_->on_interrupt();
    const size_t count = card_->receive(received_);
    for (size_t i = 0; i < count; ++i) {
        frames_[i] = Frame{};
        frames_[i].rest = rests_[i];
        forward(received_[i], frames_[i], copies, now);
    }
    copies.flush();
    bridge->finish();
    if (count != 0)
        card_->recycle({received_.data(), count});
    may_have_frames_ = count != 0 || !card_->listen();
    return may_have_frames_;
}

// Out of the frame and into its description. False: it is not for this network.
bool Uplink::take_tag(Frame& frame) const
{
    if (!bridge->has_vlans() || frame.type() != type_vlan)
        return true;
    if (frame.header_bytes < ethernet_header + vlan_tag)
        return false;
    const auto byte = [&](size_t offset) { return std::to_integer<unsigned>(frame.header[offset]); };
    frame.vlan = static_cast<uint16_t>((byte(14) << 8 | byte(15)) & 0xfff);
    std::memmove(frame.header + vlan_tag, frame.header, addresses_bytes);
    frame.header += vlan_tag;
    frame.header_bytes -= vlan_tag;
    frame.bytes -= vlan_tag;
    return true;
}

void Uplink::forward(const nic::RxFrame& received, Frame& frame, Copies& copies, Time now)
{
    frame.header = received.piece[0].data();
    frame.header_bytes = static_cast<uint32_t>(received.piece[0].size());
    frame.bytes = received.bytes;
    frame.offload = received.offload;
    frame.from = this;
    if (frame.header_bytes < ethernet_header || received.pieces == 0) {
        counters.add(Counter::runt);
        return;
    }
    if (!take_tag(frame)) {
        counters.add(Counter::runt);
        return;
    }
    frame.header_side = own_side(frame.header);
    const size_t slot = static_cast<size_t>(&frame - frames_.data());
    for (uint32_t i = 1; i < received.pieces; ++i)
        rests_[slot][i - 1] = {own_side(received.piece[i].data()), static_cast<uint16_t>(received.piece[i].size()), 0};
    frame.rest = {rests_[slot].data(), received.pieces - 1};

    const Mac source = frame.source();
    if (is_group(source) || bridge->fdb.is_fixed(source)) {
        counters.add(Counter::spoofed_source);
        return;
    }
    bridge->fdb.learn(source, frame.vlan, *this, now);
    if (bridge->forward(frame, copies) == Verdict::dropped)
        return;
    ++in.frames;
    in.bytes += frame.bytes;
}

void Uplink::maintain()
{
    if (card_ != nullptr)
        card_->maintain();
}

PortFigures Uplink::figures() const
{
    PortFigures figures;
    figures.kind = kind;
    figures.name = name;
    figures.network = bridge->name;
    figures.device = place_;
    figures.in = in;
    figures.out = out;
    figures.counters = counters.all();
    figures.state = "no card";
    if (card_ == nullptr)
        return figures;
    const auto link = card_->link();
    figures.driver = card_->name();
    figures.up = link.up;
    figures.state = link.up ? "link up" : "link down";
    figures.link_mbits = link.mbit_per_second;
    std::memcpy(figures.mac.data(), &mac, figures.mac.size());
    return figures;
}

}  // namespace bulkhead::net
