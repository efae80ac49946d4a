// SPDX-License-Identifier: BSD-2-Clause
// The front end's side of a ring of io/ring.h. The page is shared with a back end that is not trusted:
// its position is checked, and each response is read once.
// Source: xen/include/public/io/ring.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>

extern "C" {
#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/io/netif.h>
}

namespace bulkhead::net {

template <class Shared, class Request, class Response>
class FrontRing {
public:
    static constexpr uint32_t slots = 256;
    static_assert(offsetof(Shared, ring) == 64 && offsetof(Shared, ring) + slots * sizeof(Shared::ring[0]) <= 4096);

    // The page is empty and not yet shared.
    void begin(void* page)
    {
        std::memset(page, 0, 4096);
        shared_ = static_cast<Shared*>(page);
        shared_->req_event = 1;
        shared_->rsp_event = 1;
        put_ = taken_ = 0;
    }

    [[nodiscard]] uint32_t in_flight() const { return put_ - taken_; }
    [[nodiscard]] uint32_t room() const { return slots - in_flight(); }
    // The slot that the next request and its response lie in.
    [[nodiscard]] uint32_t next_slot() const { return put_ % slots; }
    void put(const Request& request)
    {
        slot(put_).req = request;
        ++put_;
    }
    // Shows the back end what was put; true: it wants to be told.
    [[nodiscard]] bool show()
    {
        const uint32_t before = shared_->req_prod;
        std::atomic_ref(shared_->req_prod).store(put_, std::memory_order_release);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        const uint32_t wanted = std::atomic_ref(shared_->req_event).load(std::memory_order_relaxed);
        return put_ - wanted < put_ - before;
    }

    // How many responses there are; more than requests: the back end is out of its mind.
    [[nodiscard]] uint32_t available() const
    {
        return std::atomic_ref(shared_->rsp_prod).load(std::memory_order_acquire) - taken_;
    }
    [[nodiscard]] uint32_t slot_of(uint32_t ahead) const { return (taken_ + ahead) % slots; }
    // The response so far behind the first that was not taken, copied.
    template <class As = Response>
    [[nodiscard]] As response(uint32_t ahead) const
    {
        static_assert(sizeof(As) <= sizeof(Shared::ring[0]));
        As copy;
        std::memcpy(&copy, &slot(taken_ + ahead), sizeof(copy));
        std::atomic_signal_fence(std::memory_order_seq_cst);      // used from the copy only
        return copy;
    }
    void take(uint32_t count) { taken_ += count; }
    // Asks for an event when so many responses more are there; true: there are already.
    [[nodiscard]] bool want_event(uint32_t count)
    {
        std::atomic_ref(shared_->rsp_event).store(taken_ + count, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return available() >= count;
    }

private:
    using Slot = std::remove_extent_t<decltype(Shared::ring)>;
    [[nodiscard]] Slot& slot(uint32_t position) const
    {
        auto* first = reinterpret_cast<std::byte*>(shared_) + offsetof(Shared, ring);
        return *std::launder(reinterpret_cast<Slot*>(first + position % slots * sizeof(Slot)));
    }

    Shared* shared_ = nullptr;
    uint32_t put_ = 0;          // requests, shown or not
    uint32_t taken_ = 0;        // responses
};

using TxRing = FrontRing<netif_tx_sring, netif_tx_request, netif_tx_response>;
using RxRing = FrontRing<netif_rx_sring, netif_rx_request, netif_rx_response>;

}  // namespace bulkhead::net
