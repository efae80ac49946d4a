// SPDX-License-Identifier: BSD-2-Clause
// The back end's side of a netif ring. The other side writes to the page at any time: indices and
// requests are read once, and what was read is what is used.
// Source: xen/include/public/io/ring.h, io/netif.h.
#pragma once

#include "pvdrivers/net/stop_point.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

extern "C" {
#include <xen/xen.h>
#include <xen/io/netif.h>
}

namespace bulkhead::net {

template <class Shared, class Request, class Response>
class BackRing {
public:
    static constexpr uint32_t slots = 256;
    using RequestType = Request;
    using ResponseType = Response;

    // A ring that may have been in use: goes on behind the last response that it shows.
    void attach(void* page)
    {
        shared_ = static_cast<Shared*>(page);
        published_ = load(shared_->rsp_prod);
        taken = published_;
    }
    void detach() { shared_ = nullptr; }
    [[nodiscard]] explicit operator bool() const { return shared_ != nullptr; }

    // Requests that have not been taken. More than `slots`: the index has run away.
    [[nodiscard]] uint32_t available() const
    {
        const uint32_t produced = load(shared_->req_prod);
        if (produced - published_ > slots) [[unlikely]]
            return ~uint32_t{0};
        return produced - taken;
    }
    [[nodiscard]] Request request(uint32_t index) const
    {
        Request copy;
        std::memcpy(&copy, &entry(index).req, sizeof(copy));
        asm volatile("" : "+m"(copy));      // the compiler must not read the ring again
        return copy;
    }
    // Asks for an event when `more` requests are there that have not been taken; the next ones if
    // they are there already, which available() then says.
    void ask_for_event(uint32_t more = 1)
    {
        store(shared_->req_event, taken + more);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }

    void put(uint32_t index, const Response& response)
    {
        stop_point();
        std::memcpy(&entry(index).rsp, &response, sizeof(response));
    }
    // Shows the responses before this index. Says whether the other side asked to be told.
    [[nodiscard]] bool publish(uint32_t end)
    {
        const uint32_t before = published_;
        stop_point();
        published_ = end;
        store(shared_->rsp_prod, end);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return end - load(shared_->rsp_event) < end - before;
    }
    [[nodiscard]] uint32_t published() const { return published_; }

    uint32_t taken = 0;     // requests before this index have been taken

private:
    using Entry = std::remove_reference_t<decltype(Shared::ring[0])>;
    static_assert(offsetof(Shared, ring) + slots * sizeof(Entry) <= 4096 &&
                  offsetof(Shared, ring) + 2 * slots * sizeof(Entry) > 4096);

    [[nodiscard]] static uint32_t load(const uint32_t& index) { return __atomic_load_n(&index, __ATOMIC_ACQUIRE); }
    static void store(uint32_t& index, uint32_t value) { __atomic_store_n(&index, value, __ATOMIC_RELEASE); }
    [[nodiscard]] Entry& entry(uint32_t index) const { return (&shared_->ring[0])[index % slots]; }

    Shared* shared_ = nullptr;
    uint32_t published_ = 0;
};

using TxRing = BackRing<netif_tx_sring_t, netif_tx_request_t, netif_tx_response_t>;
using RxRing = BackRing<netif_rx_sring_t, netif_rx_request_t, netif_rx_response_t>;

}  // namespace bulkhead::net
