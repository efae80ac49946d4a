// SPDX-License-Identifier: BSD-2-Clause
// The switch's own host as a port of its network's bridge, and as a card of lwIP.
//
// Frames for the host are copied into buffers that all hosts share, and reach lwIP in turn(), never within
// a batch: what lwIP answers would come in the middle of the batch's own frames. What it sends crosses
// the bridge at once, one frame at a time, which is why it may be called outside of batches only.
#pragma once

#include "pvdrivers/switch/bridge.hpp"

#include <bulkhead/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

#include <lwip/netif.h>
#include <lwip/pbuf.h>

namespace bulkhead::net {

// Memory for frames to the hosts, in pieces that lie within a page. lwIP holds some while it waits for
// what is between them.
class HostBuffers {
public:
    static constexpr size_t piece_bytes = 2048;
    static constexpr size_t pieces = 40;            // one GSO frame and some more

    // XEN_ENOMEM: no memory.
    [[nodiscard]] Result<> open();
    // A chain for a frame of so many bytes; null: too few are free.
    [[nodiscard]] pbuf* take(uint32_t bytes);
    [[nodiscard]] size_t free() const { return free_count_; }

private:
    struct Buffer {
        pbuf_custom custom;         // first: lwIP gives its address back
        HostBuffers* owner;
        std::byte* bytes;
    };
    static void give_back(pbuf* piece);

    std::array<Buffer, pieces> buffers_{};
    std::array<Buffer*, pieces> free_{};
    size_t free_count_ = 0;
};

class HostPort final : public Port {
public:
    HostPort(Bridge& network, Mac own_mac, Copies& copies, HostBuffers& buffers);

    // Adds it to the network and to lwIP. XEN_ENOSPC: the network has no place; XEN_ENOMEM: no memory.
    [[nodiscard]] Result<> open();

    [[nodiscard]] Verdict offer(Frame& frame, Copies& copies, bool may_wait) override;
    void finish() override;
    [[nodiscard]] bool wants_group(Mac group) const override;
    [[nodiscard]] PortFigures figures() const override;

    // Gives lwIP what has come. False: nothing had.
    bool turn();
    [[nodiscard]] netif& card() { return card_; }

private:
    struct Arrived {
        pbuf* data;
        Frame* frame;           // until finish()
        bool is_checked;        // its checksums need not be looked at
    };
    static err_t on_output(netif* card, pbuf* data);
    static err_t on_added(netif* card);
    void send(const pbuf& data);

    Bridge& network_;
    Copies& copies_;
    HostBuffers& buffers_;
    netif card_{};
    std::byte* out_page_ = nullptr;
    std::array<Arrived, HostBuffers::pieces> arrived_{};
    size_t offered_ = 0;        // of them, with those of this batch
    size_t whole_ = 0;          // for lwIP
};

}  // namespace bulkhead::net
