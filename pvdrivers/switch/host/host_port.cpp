// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/host_port.hpp"

#include <bulkhead/memory.hpp>

#include <algorithm>
#include <utility>

#include <lwip/etharp.h>
#include <lwip/ethip6.h>

namespace bulkhead::net {

namespace {

// With fewer left, segments that wait for earlier ones are given up, so that ARP still works.
constexpr size_t few_buffers = 8;

}  // namespace

// --- Buffers ----------------------------------------------------------------------

Result<> HostBuffers::open()
{
    const auto pages = allocate_pages(pieces * piece_bytes / page_bytes);
    if (!pages)
        return failure(pages.error());
    for (size_t i = 0; i < pieces; ++i) {
        buffers_[i].custom.custom_free_function = give_back;
        buffers_[i].owner = this;
        buffers_[i].bytes = pages->data() + i * piece_bytes;
        free_[free_count_++] = &buffers_[i];
    }
    return {};
}

pbuf* HostBuffers::take(uint32_t bytes)
{
    if (bytes > UINT16_MAX || (bytes + piece_bytes - 1) / piece_bytes > free_count_)
        return nullptr;
    pbuf* chain = nullptr;
    for (uint32_t left = bytes; left != 0;) {
        Buffer& buffer = *free_[--free_count_];
        const auto now = static_cast<u16_t>(std::min<uint32_t>(left, piece_bytes));
        pbuf* piece = pbuf_alloced_custom(PBUF_RAW, now, PBUF_REF, &buffer.custom, buffer.bytes, piece_bytes);
        if (chain == nullptr)
            chain = piece;
        else
            pbuf_cat(chain, piece);
        left -= now;
    }
    return chain;
}

void HostBuffers::give_back(pbuf* piece)
{
    auto& buffer = *reinterpret_cast<Buffer*>(piece);
    HostBuffers& self = *buffer.owner;
    self.free_[self.free_count_++] = &buffer;
}

// --- Port of the bridge --------------------------------------------------------------

HostPort::HostPort(Bridge& network, Mac own_mac, Copies& copies, HostBuffers& buffers)
    : Port(PortKind::host, "host"), network_(network), copies_(copies), buffers_(buffers)
{
    mac = own_mac;
}

Result<> HostPort::open()
{
    const auto page = allocate_pages(1);
    if (!page)
        return failure(page.error());
    out_page_ = page->data();
    if (!network_.add(*this))
        return failure(XEN_ENOSPC);
    if (netif_add_noaddr(&card_, this, on_added, netif_input) == nullptr)
        return failure(XEN_ENOMEM);
    netif_set_link_up(&card_);
    netif_set_up(&card_);
    return {};
}

err_t HostPort::on_added(netif* card)
{
    const auto& self = *static_cast<HostPort*>(card->state);
    card->name[0] = 's';
    card->name[1] = 'w';
    card->hwaddr_len = ETH_HWADDR_LEN;
    std::memcpy(card->hwaddr, &self.mac, ETH_HWADDR_LEN);
    card->mtu = self.network_.mtu;
    card->output = etharp_output;
    card->output_ip6 = ethip6_output;
    card->linkoutput = on_output;
    card->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    return ERR_OK;
}

// Where lwIP itself is called nothing may be answered: it is given the frame in turn().
Verdict HostPort::offer(Frame& frame, Copies& copies, bool)
{
    pbuf* data = offered_ == arrived_.size() ? nullptr : buffers_.take(frame.bytes);
    if (data == nullptr) {
        counters.add(Counter::no_room);
        return Verdict::dropped;
    }
    arrived_[offered_++] = {data, &frame, frame.offload.checksum_blank || frame.offload.checksum_valid};
    pbuf_take(data, frame.header, static_cast<u16_t>(frame.header_bytes));
    const pbuf* to = data;
    uint32_t at = frame.header_bytes;       // in that piece
    for (Piece from : frame.rest) {
        while (from.bytes != 0) {
            if (at == to->len) {
                to = to->next;
                at = 0;
            }
            const auto now = static_cast<uint16_t>(std::min<uint32_t>(from.bytes, to->len - at));
            copies.add(from.side, own_side(static_cast<std::byte*>(to->payload) + at), now, from.flags, frame, nullptr);
            at += now;
            from.bytes = static_cast<uint16_t>(from.bytes - now);
            from.side.offset = static_cast<uint16_t>(from.side.offset + now);
        }
    }
    return Verdict::taken;
}

void HostPort::finish()
{
    size_t kept = whole_;
    for (size_t i = whole_; i < offered_; ++i) {
        Arrived& arrived = arrived_[i];
        if (arrived.frame->failed) {
            pbuf_free(arrived.data);
            continue;
        }
        ++out.frames;
        out.bytes += arrived.data->tot_len;
        arrived.frame = nullptr;
        arrived_[kept++] = arrived;
    }
    offered_ = whole_ = kept;
}

// Those that lwIP listens to: everybody, the mDNS group, and every group of IPv6, which are few.
bool HostPort::wants_group(Mac group) const
{
    constexpr Mac all_systems = 0x0100'005e'0001;
    constexpr Mac mdns = 0xfb00'005e'0001;
    return group == broadcast || group == all_systems || group == mdns || (group & 0xffff) == 0x3333;
}

PortFigures HostPort::figures() const
{
    PortFigures figures;
    figures.kind = kind;
    figures.name = name;
    figures.network = network_.name;
    figures.state = "up";
    figures.up = true;
    std::memcpy(figures.mac.data(), &mac, figures.mac.size());
    figures.in = in;
    figures.out = out;
    figures.counters = counters.all();
    return figures;
}

// --- Card of lwIP ----------------------------------------------------------------------

bool HostPort::turn()
{
    if (whole_ == 0)
        return false;
    for (size_t i = 0; i < whole_; ++i) {
        const Arrived arrived = arrived_[i];
        NETIF_SET_CHECKSUM_CTRL(&card_, arrived.is_checked
                                            ? NETIF_CHECKSUM_ENABLE_ALL & ~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP)
                                            : NETIF_CHECKSUM_ENABLE_ALL);
        if (card_.input(arrived.data, &card_) != ERR_OK)
            pbuf_free(arrived.data);
    }
    // Nothing arrives meanwhile: what lwIP sends to another port never comes back to this one.
    offered_ = whole_ = 0;
    PBUF_CHECK_FREE_OOSEQ();
    if (buffers_.free() < few_buffers)
        pbuf_free_ooseq();
    return true;
}

err_t HostPort::on_output(netif* card, pbuf* data)
{
    auto& self = *static_cast<HostPort*>(card->state);
    if (data->tot_len < ethernet_header || data->tot_len > page_bytes)
        return ERR_BUF;
    self.send(*data);
    return ERR_OK;
}

void HostPort::send(const pbuf& data)
{
    pbuf_copy_partial(&data, out_page_, data.tot_len, 0);
    Frame frame;
    frame.header = out_page_;
    frame.header_side = own_side(out_page_);
    frame.header_bytes = std::min<uint32_t>(data.tot_len, header_room);
    frame.bytes = data.tot_len;
    frame.from = this;
    const Piece rest{own_side(out_page_ + frame.header_bytes), static_cast<uint16_t>(frame.bytes - frame.header_bytes), 0};
    if (rest.bytes != 0)
        frame.rest = {&rest, 1};
    const Verdict verdict = network_.forward(frame, copies_);
    copies_.flush();
    network_.finish();
    if (verdict == Verdict::busy)
        counters.add(Counter::no_room);     // lwIP sends it again, or nobody misses it
    if (verdict != Verdict::taken)
        return;
    ++in.frames;
    in.bytes += frame.bytes;
}

}  // namespace bulkhead::net
