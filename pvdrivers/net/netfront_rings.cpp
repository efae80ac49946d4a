// SPDX-License-Identifier: BSD-2-Clause
// The card's frames. Sent ones are copied into pages that the back end may read as long as the card is
// connected. Received ones are not: a page's grant is taken back, then lwIP reads the page in place.
#include "pvdrivers/net/netfront.hpp"
#include "pvdrivers/net/stack.hpp"

#include <algorithm>

#include <lwip/def.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/ip.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>

namespace bulkhead::net {

namespace {

constexpr size_t ethernet_bytes = SIZEOF_ETH_HDR;
constexpr unsigned refill_at = 16;

uint16_t big_endian(const std::byte* at)
{
    return static_cast<uint16_t>(std::to_integer<unsigned>(at[0]) << 8 | std::to_integer<unsigned>(at[1]));
}

// Of IPv4: not the whole of a datagram, so that nothing can be said of the checksum in it.
bool is_fragment(const pbuf& frame)
{
    const auto* bytes = static_cast<const std::byte*>(frame.payload);
    return frame.len >= ethernet_bytes + IP_HLEN && big_endian(bytes + 12) == ETHTYPE_IP &&
           (big_endian(bytes + ethernet_bytes + 6) & (IP_OFFMASK | IP_MF)) != 0;
}

}  // namespace

// --- Sending ------------------------------------------------------------------------

err_t Netfront::output(netif* interface, pbuf* frame)
{
    return static_cast<Netfront*>(interface->state)->send(*frame);
}

err_t Netfront::send(const pbuf& frame)
{
    if (tx_free_.size < tx_buffers / 2)
        take_tx_responses();
    const auto slots = static_cast<unsigned>((frame.tot_len + page_bytes - 1) / page_bytes);
    if (state_ != State::connected || slots > tx_free_.size || slots > tx_.room()) {
        ++counters_.tx_full;
        return ERR_MEM;
    }
    if (slots == 0 || slots > (scatters_ ? most_slots : 1))
        return ERR_VAL;
    for (unsigned i = 0; i < slots; ++i) {
        const auto offset = static_cast<uint16_t>(i * page_bytes);
        const auto bytes = std::min<uint16_t>(page_bytes, static_cast<uint16_t>(frame.tot_len - offset));
        const uint16_t index = tx_free_.take();
        TxBuffer& buffer = tx_buffers_[index];
        pbuf_copy_partial(&frame, buffer.page, bytes, offset);
        netif_tx_request request{};
        request.gref = static_cast<uint32_t>(buffer.grant);
        request.id = index;
        // The first slot says how long the whole frame is.
        request.size = i == 0 ? frame.tot_len : bytes;
        request.flags = i == 0 ? finish_checksum(buffer.page, bytes) : 0;
        if (i + 1 < slots)
            request.flags |= NETTXF_more_data;
        buffer.in_flight = true;
        tx_.put(request);
    }
    ++counters_.tx_frames;
    counters_.tx_bytes += frame.tot_len;
    tx_wanted_ = tx_.show() || tx_wanted_;
    if (!in_batch_)
        notify_tx();
    return ERR_OK;
}

void Netfront::notify_tx()
{
    if (tx_wanted_)
        (void)notify(tx_port_);
    tx_wanted_ = false;
}

// lwIP leaves TCP's checksum to a card that can: the sum of the pseudo header is put in its place, as
// NETTXF_csum_blank wants it, and whoever needs the whole one computes it. Gives the flags.
uint16_t Netfront::finish_checksum(std::byte* headers, size_t bytes) const
{
    if (!offloads_tcp_ || bytes < ethernet_bytes + IP_HLEN)
        return 0;
    std::byte* ip = headers + ethernet_bytes;
    std::byte* tcp;
    const std::byte* addresses;
    size_t address_bytes;
    uint32_t payload;
    if (big_endian(headers + 12) == ETHTYPE_IP && ip[9] == std::byte{IP_PROTO_TCP}) {
        const size_t header = (std::to_integer<size_t>(ip[0]) & 15) * 4;
        tcp = ip + header;
        addresses = ip + 12;
        address_bytes = 8;
        payload = static_cast<uint32_t>(big_endian(ip + 2) - header);
    } else if (big_endian(headers + 12) == ETHTYPE_IPV6 && ip[6] == std::byte{IP_PROTO_TCP}) {
        tcp = ip + IP6_HLEN;
        addresses = ip + 8;
        address_bytes = 32;
        payload = big_endian(ip + 4);
    } else {
        return 0;
    }
    if (tcp + TCP_HLEN > headers + bytes)       // lwIP makes no such frame
        return 0;
    uint32_t sum = IP_PROTO_TCP + payload;
    for (size_t i = 0; i < address_bytes; i += 2)
        sum += big_endian(addresses + i);
    sum = (sum & 0xffff) + (sum >> 16);
    sum += sum >> 16;
    tcp[16] = static_cast<std::byte>(sum >> 8);
    tcp[17] = static_cast<std::byte>(sum);
    return NETTXF_csum_blank | NETTXF_data_validated;
}

void Netfront::take_tx_responses()
{
    if (state_ != State::connected)
        return;
    do {
        const uint32_t count = tx_.available();
        if (count > tx_.in_flight())
            return leave_broken();
        for (uint32_t i = 0; i < count; ++i) {
            const auto response = tx_.response(i);
            if (response.status == NETIF_RSP_NULL)
                continue;
            if (response.id >= tx_buffers || !tx_buffers_[response.id].in_flight)
                return leave_broken();
            tx_buffers_[response.id].in_flight = false;
            tx_free_.put(response.id);
            if (response.status < 0)
                ++counters_.tx_refused;
        }
        tx_.take(count);
        // Not an event for each: when half of what is under way has been sent.
    } while (tx_.want_event(tx_.in_flight() / 2 + 1));
}

// --- Receiving ----------------------------------------------------------------------

// Frames that are there, so many at once: a back end that never stops does not stop the program.
void Netfront::receive()
{
    if (state_ != State::connected)
        return;
    in_batch_ = true;
    bool more = true;
    for (unsigned frames = 0; more && frames < most_frames_at_once; ++frames) {
        const uint32_t available = rx_.available();
        if (available > rx_.in_flight()) {
            leave_broken();
            break;
        }
        const unsigned taken = available == 0 ? 0 : receive_frame(available);
        if (state_ != State::connected)
            break;
        rx_.take(taken);
        // The rest of a frame that has begun comes with an event of its own.
        more = taken != 0 || rx_.want_event(available + 1);
    }
    in_batch_ = false;
    if (state_ == State::connected) {
        refill();
        notify_tx();
        if (more)
            again_.start(Clock::now());
    }
    poll_network();
}

// One frame, if it is there whole; how many slots it took.
unsigned Netfront::receive_frame(uint32_t available)
{
    unsigned slots = 0;
    unsigned extras = 0;
    if (!look_at(available, slots, extras)) {
        leave_broken();
        return 0;
    }
    if (slots == 0)
        return 0;
    const auto flags = rx_.response(0).flags;
    // An extra's slot took a buffer too.
    for (unsigned i = 1; i <= extras; ++i)
        (void)take_back(rx_in_slot_[rx_.slot_of(i)]);
    if (pbuf* frame = collect(extras, slots); frame != nullptr)
        hand_over(frame, flags);
    return slots;
}

// How many slots the first frame has, and how many of them are extra information behind its first
// one; 0 slots: it has not come whole. False: it cannot be right.
bool Netfront::look_at(uint32_t available, unsigned& slots, unsigned& extras) const
{
    const auto first = rx_.response(0);
    unsigned at = 1;
    if ((first.flags & NETRXF_extra_info) != 0) {
        for (bool more = true; more; ++at) {
            if (at > most_extras)
                return false;
            if (at == available)
                return true;
            const auto extra = rx_.response<netif_extra_info>(at);
            if (extra.type == XEN_NETIF_EXTRA_TYPE_NONE || extra.type >= XEN_NETIF_EXTRA_TYPE_MAX)
                return false;
            more = (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0;
        }
    }
    const unsigned behind_extras = at;
    for (bool more = (first.flags & NETRXF_more_data) != 0; more; ++at) {
        if (at - behind_extras >= most_slots)
            return false;
        if (at == available)
            return true;
        more = (rx_.response(at).flags & NETRXF_more_data) != 0;
    }
    slots = at;
    extras = behind_extras - 1;
    return true;
}

// The pieces of a frame as one chain. Null: it is dropped, and counted. Every buffer has been taken
// back then.
pbuf* Netfront::collect(unsigned extras, unsigned slots)
{
    pbuf* frame = nullptr;
    uint32_t bytes = 0;
    bool good = true;
    for (unsigned i = 0; i < slots; i = i == 0 ? 1 + extras : i + 1) {
        const uint32_t slot = rx_.slot_of(i);
        const auto response = rx_.response(i);
        const uint16_t index = rx_in_slot_[slot];
        RxBuffer& buffer = rx_buffers_[index];
        const auto length = static_cast<uint32_t>(std::max<int>(response.status, 0));
        const bool fits = response.id == slot && length != 0 && response.offset + length <= page_bytes &&
                          bytes + length <= 0xffff;
        if (good && !(response.status >= 0 && fits)) {
            ++(response.status < 0 ? counters_.rx_refused : counters_.rx_malformed);
            good = false;
        }
        good = take_back(index) && good;
        if (!good)
            continue;
        rx_free_.size -= 1;             // not free but lwIP's: it was put there last
        bytes += length;
        pbuf* piece = pbuf_alloced_custom(PBUF_RAW, static_cast<u16_t>(length), PBUF_REF, &buffer.piece,
                                          buffer.page + response.offset, static_cast<u16_t>(length));
        if (frame == nullptr)
            frame = piece;
        else
            pbuf_cat(frame, piece);
    }
    if (!good && frame != nullptr) {
        pbuf_free(frame);
        frame = nullptr;
    }
    return frame;
}

// The buffer is the program's alone, and free. A back end that still holds the page has answered too
// early: then it stays granted, and out of use until the card is connected anew.
bool Netfront::take_back(uint16_t index)
{
    RxBuffer& buffer = rx_buffers_[index];
    if (!revoke(buffer.grant)) {
        ++counters_.rx_held;
        return false;
    }
    buffer.granted = false;
    rx_free_.put(index);
    return true;
}

// What the back end vouches for is not computed again: within one box nobody has computed it at all.
void Netfront::hand_over(pbuf* frame, uint16_t flags)
{
    ++counters_.rx_frames;
    counters_.rx_bytes += frame->tot_len;
    const u16_t wanted = interface_.chksum_flags;
    if ((flags & (NETRXF_data_validated | NETRXF_csum_blank)) != 0 && !is_fragment(*frame))
        interface_.chksum_flags = static_cast<u16_t>(
            wanted & ~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP | NETIF_CHECKSUM_CHECK_ICMP6));
    if (interface_.input(frame, &interface_) != ERR_OK)
        pbuf_free(frame);
    interface_.chksum_flags = wanted;
}

void Netfront::piece_freed(pbuf* piece)
{
    auto& buffer = *reinterpret_cast<RxBuffer*>(piece);
    Netfront& card = *buffer.card;
    card.rx_free_.put(static_cast<uint16_t>(&buffer - card.rx_buffers_.data()));
    if (!card.in_batch_ && card.rx_free_.size >= refill_at)
        card.refill();
}

// Gives the back end every page that is free.
void Netfront::refill()
{
    if (state_ != State::connected || rx_free_.size == 0)
        return;
    while (rx_free_.size != 0 && rx_.room() != 0) {
        const uint16_t index = rx_free_.take();
        RxBuffer& buffer = rx_buffers_[index];
        const auto ref = grant(backend_, buffer.page, Access::writable);
        if (!ref) {
            rx_free_.put(index);
            break;
        }
        buffer.grant = *ref;
        buffer.granted = true;
        const auto slot = static_cast<uint16_t>(rx_.next_slot());
        rx_in_slot_[slot] = index;
        rx_.put({slot, 0, static_cast<uint32_t>(*ref)});
    }
    if (rx_.show())
        (void)notify(rx_port_);
}

}  // namespace bulkhead::net
