// SPDX-License-Identifier: BSD-2-Clause
// A network card of this partition: the front end of io/netif.h, as a netif of lwIP. The back end, Bulkhead's
// switch or Linux's on Xen, is trusted in nothing: what it says is copied, checked and counted, and a
// page is read only while the back end has no grant of it. When it closes or breaks the protocol the card
// loses its link and connects again as soon as the back end waits for it.
//
// Everything runs on the vCPU that opened the store. Sources: xen/include/public/io/netif.h, io/xenbus.h.
#pragma once

#include "pvdrivers/net/front_ring.hpp"

#include <bulkhead/grants.hpp>
#include <bulkhead/store.hpp>
#include <bulkhead/time.hpp>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

extern "C" {
#include <xen/io/xenbus.h>
}

#include <lwip/netif.h>
#include <lwip/pbuf.h>

namespace bulkhead::net {

struct NetfrontCounters {
    uint64_t tx_frames, tx_bytes;
    uint64_t tx_full;           // dropped: no slot was free, or there is no link
    uint64_t tx_refused;        // the back end says that it dropped or could not take them
    uint64_t rx_frames, rx_bytes;
    uint64_t rx_malformed;      // dropped: slots that do not fit together
    uint64_t rx_refused;        // dropped: the back end says that it failed
    uint64_t rx_held;           // dropped: the back end still held the page
    uint64_t broken;            // times that the back end broke the protocol, and was left
    uint64_t connected;         // times that the card was connected
};

class Netfront {
public:
    // device/vif/<handle>. XEN_ENOENT: the plan gives no such card. XEN_ENOMEM. It need not be connected
    // yet; its netif is there, up, and without link until it is.
    [[nodiscard]] static Result<Netfront*> open(Store& store, unsigned handle);
    ~Netfront();
    Netfront(const Netfront&) = delete;
    Netfront& operator=(const Netfront&) = delete;

    [[nodiscard]] netif& interface() { return interface_; }
    [[nodiscard]] const NetfrontCounters& counters() const { return counters_; }
    [[nodiscard]] bool is_connected() const { return state_ == State::connected; }

private:
    enum class State { waiting, connected, broken, releasing };
    static constexpr unsigned tx_buffers = 64;
    static constexpr unsigned rx_buffers = 128;
    static constexpr unsigned most_slots = XEN_NETIF_NR_SLOTS_MIN;
    static constexpr unsigned most_extras = XEN_NETIF_EXTRA_TYPE_MAX - 1;
    static constexpr unsigned most_frames_at_once = 64;

    // A page that the back end writes to, and the piece of a frame that lwIP has of it.
    struct RxBuffer {
        pbuf_custom piece;
        Netfront* card;
        std::byte* page;
        GrantRef grant;
        bool granted;
    };
    struct TxBuffer {
        std::byte* page;
        GrantRef grant;
        bool granted, in_flight;
    };
    struct RingPage {
        std::byte* page;
        GrantRef grant;
        bool granted;
    };
    // Indices of buffers that are free.
    template <unsigned count>
    struct FreeList {
        std::array<uint16_t, count> list;
        unsigned size = 0;
        void put(uint16_t index) { list[size++] = index; }
        uint16_t take() { return list[--size]; }
    };

    Netfront(Store& store, unsigned handle);
    Result<> prepare();
    static err_t init_interface(netif* interface);

    // netfront.cpp: the card's state in the store.
    void backend_changed();
    void connect();
    Result<> build();
    Result<> share_memory();
    Result<> open_channels(bool split);
    Result<> publish(bool split);
    void disconnect();
    void release();
    void go_on();
    bool revoke_all();
    void close_ports();
    [[nodiscard]] bool backend_has(const char* feature);
    void set_state(XenbusState state);
    void log(const char* what, Errno error) const;

    // netfront_rings.cpp: frames.
    static err_t output(netif* interface, pbuf* frame);
    err_t send(const pbuf& frame);
    uint16_t finish_checksum(std::byte* headers, size_t bytes) const;
    void take_tx_responses();
    void receive();
    [[nodiscard]] unsigned receive_frame(uint32_t available);
    [[nodiscard]] bool look_at(uint32_t available, unsigned& slots, unsigned& extras) const;
    pbuf* collect(unsigned first, unsigned slots);
    bool take_back(uint16_t index);
    void hand_over(pbuf* frame, uint16_t flags);
    void refill();
    static void piece_freed(pbuf* piece);
    void notify_tx();
    void leave_broken();

    Store& store_;
    unsigned handle_;
    std::string path_;              // device/vif/H
    std::string backend_path_;
    Domain backend_{};
    Watch watch_{};
    unsigned mtu_ = 0;
    std::span<std::byte> memory_;
    State state_ = State::waiting;
    Errno complaint_{};             // the last one, said once
    XenbusState shown_ = XenbusStateUnknown;        // what the back end has been told of this end

    netif interface_{};
    NetfrontCounters counters_{};
    TxRing tx_;
    RxRing rx_;
    RingPage tx_page_{}, rx_page_{};
    std::array<TxBuffer, tx_buffers> tx_buffers_{};
    std::array<RxBuffer, rx_buffers> rx_buffers_{};
    FreeList<tx_buffers> tx_free_;
    FreeList<rx_buffers> rx_free_;
    std::array<uint16_t, RxRing::slots> rx_in_slot_{};      // which buffer a slot's request named
    Port tx_port_{}, rx_port_{};
    bool offloads_tcp_ = false;     // the back end takes TCP checksums that are not computed
    bool scatters_ = false;         // and frames of several slots
    bool in_batch_ = false;         // notifications and refills wait for the end
    bool tx_wanted_ = false;
    Timer again_;                   // more frames, or grants to be taken back
};

}  // namespace bulkhead::net
