// SPDX-License-Identifier: BSD-2-Clause
// A switch with some cards. Guests drive their rings as Linux's netfront does and check what it checks:
// every response in the slot of its request, with its id.
#pragma once

#include "pvdrivers/net/stop_point.hpp"
#include "pvdrivers/switch/data_path.hpp"

#include <bulkhead/time.hpp>
#include <bulkhead/traps.hpp>

#include <algorithm>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace fake {

struct Granted {
    std::byte* page;
    bool writable;
};
inline std::map<std::pair<unsigned, uint32_t>, Granted> grants;     // (domain, reference)
inline std::map<uint32_t, unsigned> notifications;                  // by port
inline std::vector<std::string> console;
inline int64_t now_ns = 1'000'000'000;
inline std::vector<bulkhead::Timer*> timers;                        // that run
inline uint64_t copy_calls = 0;
inline uint64_t copies_done = 0;

}  // namespace fake

namespace bulkhead {

inline std::byte* side_bytes(const CopySide& side, bool by_reference, bool write, uint32_t length, int16_t& status)
{
    status = GNTST_okay;
    if (uint32_t{side.offset} + length > page_bytes) {
        status = GNTST_bad_copy_arg;
        return nullptr;
    }
    if (!by_reference)
        return reinterpret_cast<std::byte*>(side.u.gmfn * page_bytes) + side.offset;
    const auto found = fake::grants.find({side.domid, side.u.ref});
    if (found == fake::grants.end() || (write && !found->second.writable)) {
        status = GNTST_bad_gntref;
        return nullptr;
    }
    return found->second.page + side.offset;
}

Result<> copy_grants(std::span<gnttab_copy_t> copies)
{
    ++fake::copy_calls;
    for (gnttab_copy_t& copy : copies) {
        ++fake::copies_done;
        int16_t status = 0;
        std::byte* from = side_bytes(copy.source, (copy.flags & GNTCOPY_source_gref) != 0, false, copy.len, status);
        copy.status = status;
        if (from == nullptr)
            continue;
        std::byte* to = side_bytes(copy.dest, (copy.flags & GNTCOPY_dest_gref) != 0, true, copy.len, status);
        copy.status = status;
        if (to != nullptr)
            std::memcpy(to, from, copy.len);
    }
    return {};
}

CopySide foreign_side(Domain domain, GrantRef ref, uint16_t offset)
{
    CopySide side{};
    side.u.ref = static_cast<uint32_t>(ref);
    side.domid = static_cast<domid_t>(domain);
    side.offset = offset;
    return side;
}

CopySide own_side(const void* address)
{
    CopySide side{};
    side.u.gmfn = reinterpret_cast<uint64_t>(address) / page_bytes;
    side.domid = DOMID_SELF;
    side.offset = static_cast<uint16_t>(reinterpret_cast<uint64_t>(address) % page_bytes);
    return side;
}

Result<> notify(Port port)
{
    ++fake::notifications[static_cast<uint32_t>(port)];
    return {};
}

void mask(Port) {}

void Timer::start(Time deadline)
{
    stop();
    deadline_ = deadline;
    running_ = true;
    fake::timers.push_back(this);
}
void Timer::stop()
{
    std::erase(fake::timers, this);
    running_ = false;
}
class TimerQueue {
public:
    // Runs what is due.
    static void run()
    {
        const auto timers = fake::timers;
        for (Timer* timer : timers) {
            if (timer->deadline_ > Clock::now())
                continue;
            timer->stop();
            timer->function_(timer->context_);
        }
    }
};

Result<std::span<std::byte>> allocate_pages(size_t count)
{
    auto* pages = static_cast<std::byte*>(std::aligned_alloc(page_bytes, count * page_bytes));
    std::memset(pages, 0, count * page_bytes);
    static std::vector<std::unique_ptr<std::byte, decltype(&std::free)>> all;
    all.emplace_back(pages, &std::free);
    return std::span<std::byte>{pages, count * page_bytes};
}

Time Clock::now() { return Time(Duration(fake::now_ns)); }
const char* name_of(Errno) { return "an error"; }

void print(const char* format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    fake::console.emplace_back(text);
}

void crash(const char* format, ...)
{
    fprintf(stderr, "crash: %s\n", format);
    abort();
}

void GrantMapping::unmap() {}

}  // namespace bulkhead

namespace bulkhead::net {

using Bytes = std::vector<uint8_t>;

struct Received {
    Bytes bytes;
    uint16_t flags;
    uint8_t gso_type;
    uint16_t gso_size;
    std::vector<uint16_t> slot_sizes;
};

// A partition with one card. What it granted stays where it is over lives of the switch.
class FakeGuest {
public:
    static constexpr uint32_t rx_refs = 1000;
    static constexpr uint32_t tx_refs = 5000;

    FakeGuest(unsigned domain_id, Mac card) : domain(domain_id), mac(card)
    {
        memory_ = static_cast<std::byte*>(std::aligned_alloc(4096, most_pages * 4096));
        std::memset(memory_, 0, most_pages * 4096);
        for (auto* page : {&tx_page, &rx_page})
            *page = allocate();
        tx = reinterpret_cast<netif_tx_sring_t*>(tx_page);
        rx = reinterpret_cast<netif_rx_sring_t*>(rx_page);
        init_ring(tx);
        init_ring(rx);
        for (uint32_t i = 0; i < 256; ++i) {
            rx_buffer[i] = allocate();
            tx_buffer[i] = allocate();
            fake::grants[{domain, rx_refs + i}] = {rx_buffer[i], true};
            fake::grants[{domain, tx_refs + i}] = {tx_buffer[i], false};
        }
    }
    ~FakeGuest()
    {
        std::free(memory_);
        std::erase_if(fake::grants, [this](const auto& item) { return item.first.first == domain; });
    }
    FakeGuest(const FakeGuest&) = delete;
    FakeGuest& operator=(const FakeGuest&) = delete;

    // Posts until so many slots are there.
    void post(uint32_t slots = 256)
    {
        while (rx_req_prod - rx_rsp_cons < slots) {
            const uint32_t slot = rx_req_prod % 256;
            (&rx->ring[0])[slot].req = {static_cast<uint16_t>(slot), 0, rx_refs + slot};
            ++rx_req_prod;
        }
        rx->req_prod = rx_req_prod;
    }

    // A packet cut into slots of these sizes; offsets within their pages.
    struct Shape {
        std::vector<uint16_t> sizes;
        uint16_t offset = 0;
        uint16_t flags = 0;
        uint8_t gso_type = 0;
        uint16_t gso_size = 0;
    };
    bool send(const Bytes& bytes) { return send(bytes, Shape{{}, 0, 0, 0, 0}); }
    bool send(const Bytes& bytes, Shape shape)
    {
        if (shape.sizes.empty())
            shape.sizes = {static_cast<uint16_t>(bytes.size())};
        const bool has_gso = shape.gso_type != 0;
        if (256 - (tx_req_prod - tx_rsp_cons) < shape.sizes.size() + has_gso)
            return false;
        size_t done = 0;
        for (size_t i = 0; i < shape.sizes.size(); ++i) {
            const uint16_t size = shape.sizes[i];
            const uint32_t slot = tx_req_prod % 256;
            std::memcpy(tx_buffer[slot] + shape.offset, bytes.data() + done, size);
            done += size;
            uint16_t flags = i + 1 < shape.sizes.size() ? NETTXF_more_data : 0;
            if (i == 0)
                flags |= shape.flags | (has_gso ? NETTXF_extra_info : 0);
            request({tx_refs + slot, shape.offset, flags, 0,
                     static_cast<uint16_t>(i == 0 ? bytes.size() : size)});
            if (i == 0 && has_gso) {
                netif_extra_info_t extra{};
                extra.type = XEN_NETIF_EXTRA_TYPE_GSO;
                extra.u.gso.size = shape.gso_size;
                extra.u.gso.type = shape.gso_type;
                put_extra(extra);
            }
        }
        tx->req_prod = tx_req_prod;
        return true;
    }
    // One request as it is; its id is the slot's.
    void request(netif_tx_request_t request)
    {
        const uint32_t slot = tx_req_prod % 256;
        request.id = static_cast<uint16_t>(0x100 + slot);
        tx_expected[slot] = request.id;
        (&tx->ring[0])[slot].req = request;
        ++tx_req_prod;
    }
    void put_extra(const netif_extra_info_t& extra)
    {
        const uint32_t slot = tx_req_prod % 256;
        tx_expected[slot] = -1;
        std::memcpy(&(&tx->ring[0])[slot], &extra, sizeof(extra));
        ++tx_req_prod;
    }
    void push() { tx->req_prod = tx_req_prod; }

    // Takes what has come. False: netfront would give the card up.
    bool pull()
    {
        bool sound = rx->rsp_prod - rx_rsp_cons <= rx_req_prod - rx_rsp_cons &&
                     tx->rsp_prod - tx_rsp_cons <= tx_req_prod - tx_rsp_cons;
        while (sound && tx_rsp_cons != tx->rsp_prod) {
            const uint32_t slot = tx_rsp_cons++ % 256;
            const netif_tx_response_t response = (&tx->ring[0])[slot].rsp;
            if (tx_expected[slot] < 0) {
                sound = response.status == NETIF_RSP_NULL;
                continue;
            }
            sound = response.id == tx_expected[slot] && response.status != NETIF_RSP_NULL;
            ++(response.status == NETIF_RSP_OKAY ? tx_done : tx_failed);
        }
        tx->rsp_event = tx_rsp_cons + 1;
        while (sound && rx_rsp_cons != rx->rsp_prod)
            sound = pull_frame();
        rx->rsp_event = rx_rsp_cons + 1;
        return sound;
    }

    unsigned domain;
    Mac mac;
    uint32_t life = 1;
    std::byte* tx_page = nullptr;
    std::byte* rx_page = nullptr;
    netif_tx_sring_t* tx;
    netif_rx_sring_t* rx;
    std::array<std::byte*, 256> rx_buffer{};
    std::array<std::byte*, 256> tx_buffer{};
    std::array<int, 256> tx_expected{};
    uint32_t tx_req_prod = 0, tx_rsp_cons = 0, rx_req_prod = 0, rx_rsp_cons = 0;
    uint32_t tx_done = 0, tx_failed = 0, rx_failed = 0;
    std::vector<Received> received;

private:
    std::byte* allocate()
    {
        return memory_ + 4096 * pages_++;
    }
    template <class Ring>
    static void init_ring(Ring* ring)
    {
        ring->req_event = ring->rsp_event = 1;
    }
    bool pull_frame()
    {
        Received frame{};
        bool more = true;
        for (bool first = true; more; first = false) {
            if (rx_rsp_cons == rx->rsp_prod)
                return false;
            const uint32_t slot = rx_rsp_cons++ % 256;
            const netif_rx_response_t response = (&rx->ring[0])[slot].rsp;
            if (response.id != slot)
                return false;
            more = (response.flags & NETRXF_more_data) != 0;
            if (response.status < 0) {
                ++rx_failed;
                return !more && first;
            }
            if (response.offset + response.status > 4096)
                return false;
            if (first)
                frame.flags = response.flags;
            frame.slot_sizes.push_back(static_cast<uint16_t>(response.status));
            const auto* bytes = reinterpret_cast<const uint8_t*>(rx_buffer[slot] + response.offset);
            frame.bytes.insert(frame.bytes.end(), bytes, bytes + response.status);
            if (first && (response.flags & NETRXF_extra_info) != 0) {
                if (rx_rsp_cons == rx->rsp_prod)
                    return false;
                netif_extra_info_t extra;
                std::memcpy(&extra, &(&rx->ring[0])[rx_rsp_cons++ % 256], sizeof(extra));
                if (extra.type != XEN_NETIF_EXTRA_TYPE_GSO || extra.flags != 0)
                    return false;
                frame.gso_type = extra.u.gso.type;
                frame.gso_size = extra.u.gso.size;
            }
        }
        received.push_back(std::move(frame));
        return true;
    }
    static constexpr size_t most_pages = 2 * 256 + 2;
    std::byte* memory_ = nullptr;
    size_t pages_ = 0;
};

// The switch over some guests: each has card 0, connected, with one queue.
class SwitchBox {
public:
    static constexpr size_t region_pages = 10;

    explicit SwitchBox(std::vector<VifPlan> cards)
        : plans(std::move(cards)),
          region_(static_cast<std::byte*>(std::aligned_alloc(page_bytes, region_pages * page_bytes)))
    {
        std::memset(region_, 0, region_pages * page_bytes);
        fake::notifications.clear();
        fake::console.clear();
        fake::copy_calls = fake::copies_done = 0;
        for (VifPlan& plan : plans)
            guests.push_back(std::make_unique<FakeGuest>(static_cast<unsigned>(plan.domain), plan.mac));
        start();
    }
    ~SwitchBox()
    {
        stop();
        std::free(region_);
    }

    // A life of the switch: the first, or the next one over the same rings and region.
    void start()
    {
        stop();
        journal = std::make_unique<Journal>();
        (void)journal->open({region_, region_pages * page_bytes});
        path = std::make_unique<DataPath>(*journal);
        (void)path->open();
        bridge = std::make_unique<Bridge>();
        bridge->name = "lan0";
        for (uint32_t i = 0; i < plans.size(); ++i) {
            vifs.push_back(std::make_unique<Vif>(plans[i], i, *journal));
            (void)bridge->add(*vifs[i]);
            path->add(*vifs[i]);
            connect(i);
        }
    }
    void connect(uint32_t i, Abilities abilities = {true, true, true, true, true})
    {
        delete vifs[i]->queues[0];
        auto* queue = new Queue;
        vifs[i]->queues[0] = queue;
        const FakeGuest& guest = *guests[i];
        queue->tx.domain = queue->rx.domain = Domain(static_cast<uint16_t>(guest.domain));
        queue->tx.name = {static_cast<uint16_t>(i), 0, false, guest.life, 10};
        queue->rx.name = {static_cast<uint16_t>(i), 0, true, guest.life, 11};
        queue->tx.ring.attach(guest.tx_page);
        queue->rx.ring.attach(guest.rx_page);
        journal->take_over(queue->tx.ring, queue->tx.name);
        journal->take_over(queue->rx.ring, queue->rx.name);
        queue->tx_event = bulkhead::Port{100 + 2 * i};
        queue->rx_event = bulkhead::Port{101 + 2 * i};
        queue->path = path.get();
        vifs[i]->connect(1, abilities, guest.life);
        path->sender_has_frames(*queue);
    }
    // Until nothing moves.
    void run()
    {
        for (size_t i = 0; i < vifs.size(); ++i) {
            for (Queue* queue : vifs[i]->active()) {
                path->sender_has_frames(*queue);
                path->receiver_has_room(queue->rx);
            }
        }
        for (unsigned turns = 0; turns < 1000 && path->turn(); ++turns) {
        }
        TimerQueue::run();
    }
    bool pull()
    {
        bool sound = true;
        for (auto& guest : guests)
            sound = guest->pull() && sound;
        return sound;
    }

    std::vector<VifPlan> plans;
    std::vector<std::unique_ptr<FakeGuest>> guests;
    std::unique_ptr<Journal> journal;
    std::unique_ptr<Bridge> bridge;
    std::unique_ptr<DataPath> path;
    std::vector<std::unique_ptr<Vif>> vifs;

private:
    void stop()
    {
        for (auto& vif : vifs)
            delete vif->queues[0];
        vifs.clear();
        path.reset();
        bridge.reset();
        journal.reset();
    }
    std::byte* region_;
};

inline constexpr Mac mac_of(unsigned number) { return 0x0000'3e16'0002 | uint64_t{number} << 40; }

inline Bytes frame_bytes(Mac to, Mac from, size_t bytes, uint16_t type = 0x0800, uint8_t seed = 1)
{
    Bytes frame(bytes);
    for (size_t i = 0; i < bytes; ++i)
        frame[i] = static_cast<uint8_t>(i * 7 + seed);
    std::memcpy(frame.data(), &to, 6);
    std::memcpy(frame.data() + 6, &from, 6);
    frame[12] = static_cast<uint8_t>(type >> 8);
    frame[13] = static_cast<uint8_t>(type);
    return frame;
}

inline std::vector<VifPlan> some_cards(unsigned count)
{
    static const std::array<std::string, 16> names = {"a/0", "b/0", "c/0", "d/0", "e/0", "f/0", "g/0", "h/0"};
    std::vector<VifPlan> plans(count);
    for (unsigned i = 0; i < count; ++i) {
        plans[i].name = names[i];
        plans[i].domain = Domain(static_cast<uint16_t>(i + 1));
        plans[i].mac = mac_of(i + 1);
    }
    return plans;
}

}  // namespace bulkhead::net
