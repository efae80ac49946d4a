// SPDX-License-Identifier: BSD-2-Clause
// A network card's front end in a box of its own: the store's engine, a table of grants, ports, timers, and a
// back end that does what the test says. Included once by each test.
#pragma once

#include "pvdrivers/net/netfront.cpp"
#include "pvdrivers/net/netfront_rings.cpp"
#include "pvdrivers/runtime/errors.cpp"
#include "pvdrivers/runtime/store.cpp"
#include "pvdrivers/runtime/store_ring.cpp"

#include "tests/unit/fakes/lwip_port.hpp"
#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/test_link.hpp"
#include "tests/unit/store/units.hpp"

#include <cstdarg>
#include <map>
#include <set>
#include <vector>

namespace fake {

struct Granted {
    bulkhead::Domain to;
    std::byte* page;
    bulkhead::Access access;
    bool held;              // the other side has it mapped
};

inline std::map<uint32_t, Granted> grants;
inline uint32_t next_grant = 8;
inline size_t most_grants = 1000;
inline std::map<uint32_t, bulkhead::EventHandler> ports;
inline uint32_t next_port = 5;
inline std::map<uint32_t, unsigned> notified;
inline std::set<bulkhead::Timer*> timers;
inline bulkhead::Time now{};
inline std::vector<std::string> printed;

inline void reset()
{
    grants.clear();
    ports.clear();
    notified.clear();
    timers.clear();
    printed.clear();
    most_grants = 1000;
}

}  // namespace fake

namespace bulkhead {

using namespace std::string_literals;

void print(const char* format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fake::printed.emplace_back(line);
}

Result<GrantRef> grant(Domain to, const void* page, Access access)
{
    if (fake::grants.size() >= fake::most_grants)
        return failure(XEN_ENOSPC);
    fake::grants[fake::next_grant] = {to, static_cast<std::byte*>(const_cast<void*>(page)), access, false};
    return GrantRef(fake::next_grant++);
}
Result<> revoke(GrantRef ref)
{
    const auto found = fake::grants.find(static_cast<uint32_t>(ref));
    if (found == fake::grants.end())
        return failure(XEN_EINVAL);
    if (found->second.held)
        return failure(XEN_EBUSY);
    fake::grants.erase(found);
    return {};
}

Result<Port> allocate_unbound(Domain, EventHandler handler)
{
    fake::ports[fake::next_port] = handler;
    return Port(fake::next_port++);
}
Result<> unbind(Port port)
{
    fake::ports.erase(static_cast<uint32_t>(port));
    return {};
}
Result<> notify(Port port)
{
    ++fake::notified[static_cast<uint32_t>(port)];
    return {};
}

Result<std::span<std::byte>> allocate_pages(size_t count)
{
    auto* pages = static_cast<std::byte*>(std::aligned_alloc(page_bytes, count * page_bytes));
    std::memset(pages, 0, count * page_bytes);
    return std::span(pages, count * page_bytes);
}
void free_pages(std::span<std::byte> pages) { std::free(pages.data()); }

Time Clock::now() { return fake::now; }
void Timer::start(Time deadline)
{
    deadline_ = deadline;
    running_ = true;
    fake::timers.insert(this);
}
void Timer::stop()
{
    running_ = false;
    fake::timers.erase(this);
}
class TimerQueue {
public:
    // Those that are due by then, each once.
    static void run(Time until)
    {
        fake::now = std::max(fake::now, until);
        for (Timer* timer : std::set(fake::timers)) {
            if (!timer->running_ || timer->deadline_ > until)
                continue;
            timer->stop();
            timer->function_(timer->context_);
        }
    }
};

namespace net {
void poll_network() {}
}  // namespace net

class FrontBox {
public:
    static constexpr const char* backend = "/local/domain/2/data/b";

    FrontBox()
    {
        fake::reset();
        lwip_host::start_once();
        box.plans[0].nodes = front_nodes_;
        box.plans[1].nodes = back_nodes_;
        box.guests[0]->reads = false;
        box.start();
        link.answer = [this] { box.server->turn(); };
    }
    ~FrontBox()
    {
        for (auto& [ref, granted] : fake::grants)
            granted.held = false;
        delete card;
        fake::reset();
    }

    // The card, as a program opens it; connected, if the back end waits.
    Result<> open()
    {
        const auto opened = net::Netfront::open(store, 0);
        if (!opened)
            return failure(opened.error());
        card = *opened;
        settle();
        return {};
    }
    // What the store has to tell is told.
    void settle()
    {
        for (int i = 0; i < 5; ++i) {
            box.settle();
            store.deliver();
        }
    }
    void set(const char* node, std::string_view value) { box.write(1, std::string(backend) + "/" + node, value); }
    std::string front(const char* node) { return box.read(1, "/local/domain/1/device/vif/0/"s + node); }
    uint32_t front_number(const char* node)
    {
        return static_cast<uint32_t>(std::strtoul(front(node).c_str(), nullptr, 10));
    }
    void state(XenbusState state)
    {
        set("state", std::to_string(state));
        settle();
    }
    void pass(std::chrono::milliseconds time)
    {
        TimerQueue::run(fake::now + time);
        settle();
    }
    bool connect()
    {
        if (card == nullptr && !open())
            return false;
        state(XenbusStateInitWait);
        if (front("state") != "4")
            return false;
        tx = static_cast<netif_tx_sring*>(page(front_number("tx-ring-ref")));
        rx = static_cast<netif_rx_sring*>(page(front_number("rx-ring-ref")));
        tx_taken = rx_taken = 0;
        state(XenbusStateConnected);
        return true;
    }

    // --- The back end's side of the rings ---

    static void* page(uint32_t ref) { return fake::grants.at(ref).page; }
    template <class Ring>
    static auto& slot(Ring* ring, uint32_t position)
    {
        using Slot = std::remove_extent_t<decltype(Ring::ring)>;
        return *reinterpret_cast<Slot*>(reinterpret_cast<std::byte*>(ring) + 64 + position % 256 * sizeof(Slot));
    }
    [[nodiscard]] uint32_t rx_requests() const { return rx->req_prod - rx_taken; }
    struct Piece {
        std::string bytes;
        uint16_t offset = 0;
    };
    // A slot of a frame for the partition.
    void put_piece(const Piece& piece, unsigned flags)
    {
        const auto request = slot(rx, rx_taken++).req;
        auto* at = static_cast<std::byte*>(page(request.gref));
        std::memcpy(at + piece.offset, piece.bytes.data(), piece.bytes.size());
        slot(rx, rx->rsp_prod).rsp = {request.id, piece.offset, static_cast<uint16_t>(flags),
                                      static_cast<int16_t>(piece.bytes.size())};
        ++rx->rsp_prod;
    }
    void put_extra(const netif_extra_info& extra)
    {
        ++rx_taken;
        std::memcpy(&slot(rx, rx->rsp_prod++), &extra, sizeof(extra));
    }
    void put_frame(const std::vector<Piece>& pieces, unsigned flags = 0)
    {
        for (size_t i = 0; i < pieces.size(); ++i)
            put_piece(pieces[i], (i == 0 ? flags : 0) | (i + 1 < pieces.size() ? NETRXF_more_data : 0u));
    }
    void event(const char* node)
    {
        const auto found = fake::ports.find(front_number(node));
        if (found != fake::ports.end())
            found->second.function(found->second.context, Port(found->first));
    }
    void rx_event() { event("event-channel-rx"); }
    void tx_event() { event("event-channel-tx"); }
    // A frame that the partition has sent, answered.
    std::string take_frame(int16_t status = NETIF_RSP_OKAY, unsigned* flags = nullptr)
    {
        std::string frame;
        for (bool more = true, first = true; more && tx_taken != tx->req_prod; first = false) {
            const auto request = slot(tx, tx_taken++).req;
            more = (request.flags & NETTXF_more_data) != 0;
            if (first) {
                whole = request.size;
                if (flags != nullptr)
                    *flags = request.flags;
            }
            const size_t bytes = first && more ? std::min<size_t>(whole, 4096) : request.size;
            const auto* at = static_cast<const char*>(page(request.gref));
            frame.append(at + request.offset, bytes);
            slot(tx, tx->rsp_prod).rsp = {request.id, status};
            ++tx->rsp_prod;
        }
        return frame;
    }

    store::StoreBox box{2, 1 << 20};
    TestLink link{box.guests[0]->ring};
    Store store{link};
    net::Netfront* card = nullptr;
    netif_tx_sring* tx = nullptr;
    netif_rx_sring* rx = nullptr;
    uint32_t tx_taken = 0;
    uint32_t rx_taken = 0;
    size_t whole = 0;       // what the first slot of the last frame said

private:
    const std::string front_nodes_ =
        "\0n0,r1\0\0data\0n1\0\0name\0n0,r1\0front\0"
        "device/vif/0\0n1,r2\0\0device/vif/0/backend\0n1,r2\0/local/domain/2/data/b\0"
        "device/vif/0/backend-id\0n1,r2\0""2\0device/vif/0/mac\0n1,r2\0""02:00:00:00:00:0a\0"
        "device/vif/0/state\0n1,r2\0""1\0"s;
    const std::string back_nodes_ =
        "\0n0,r2\0\0data\0n2\0\0name\0n0,r2\0back\0data/b\0n2,r1\0\0data/b/state\0n2,r1\0""1\0"
        "data/b/feature-rx-copy\0n2,r1\0""1\0data/b/feature-sg\0n2,r1\0""1\0"
        "data/b/feature-split-event-channels\0n2,r1\0""1\0data/b/feature-ipv6-csum-offload\0n2,r1\0""1\0"s;
};

}  // namespace bulkhead
