// SPDX-License-Identifier: BSD-2-Clause
// The switch as a service partition: networks and cards as its slice says, connected and disconnected
// as their partitions live and die. Its own life may end at any instruction; the next goes on under
// the same rings.
#include "pvdrivers/abi/bulkhead.h"
#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/net/stack.hpp"
#include "pvdrivers/switch/handshake.hpp"
#include "pvdrivers/switch/host/core_box.hpp"
#include "pvdrivers/switch/host/host.hpp"
#include "pvdrivers/switch/host/host_port.hpp"
#include "pvdrivers/switch/host/switch_figures.hpp"
#include "pvdrivers/switch/uplinks.hpp"

#include <bulkhead/console.hpp>
#include <bulkhead/events.hpp>
#include <bulkhead/memory.hpp>
#include <bulkhead/slice.hpp>
#include <bulkhead/time.hpp>
#include <bulkhead/traps.hpp>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

namespace {

using namespace bulkhead;

constexpr size_t most_networks = 16;

std::array<net::Bridge*, most_networks> bridges;
size_t bridge_count = 0;
std::array<net::Handshake*, net::most_vifs> handshakes;
size_t vif_count = 0;
// Made by main(), since nothing runs before it.
alignas(net::DataPath) std::byte data_path_bytes[sizeof(net::DataPath)];
alignas(net::Uplinks) std::byte uplinks_bytes[sizeof(net::Uplinks)];

// The core's page of states; each entry is read at once.
const uint64_t* states = nullptr;
uint32_t state_count = 0;
bool lives_changed = true;
void note_change(void*, Port) { lives_changed = true; }

void map_states()
{
    bulkhead_service_info info{};
    const long error = hypercall<__HYPERVISOR_arch_2>(BULKHEADOP_service_info, as_argument(&info));
    if (error != 0)
        crash("the hypervisor does not tell what clients do: error %ld", error);
    const auto page = map_shared_frame(info.clients_mfn, Access::read_only);
    if (!page)
        crash("the page of clients' states: %s", name_of(page.error()));
    states = reinterpret_cast<const uint64_t*>(page->data());
    state_count = info.clients;
    if (const auto port = bind_virq(VIRQ_DOM_EXC, {note_change, nullptr}); !port)
        crash("the event of clients' changes: %s", name_of(port.error()));
}

// The life that the partition is in; 0: it is not alive.
uint32_t life_of(Domain domain)
{
    for (uint32_t i = 0; i < state_count; ++i) {
        const uint64_t raw = __atomic_load_n(&states[i], __ATOMIC_ACQUIRE);
        bulkhead_client state;
        static_assert(sizeof(state) == sizeof(raw));
        __builtin_memcpy(&state, &raw, sizeof(state));
        if (state.domain != static_cast<uint16_t>(domain))
            continue;
        const bool is_alive = state.state == BULKHEAD_CLIENT_running || state.state == BULKHEAD_CLIENT_paused;
        return is_alive ? state.generation : 0;
    }
    return 0;
}

// Brings each card to what the core says of its partition. What changes meanwhile raises the event again.
void follow_lives()
{
    for (size_t i = 0; i < vif_count; ++i) {
        net::Handshake& handshake = *handshakes[i];
        const uint32_t life = life_of(handshake.domain());
        if (life == handshake.life())
            continue;
        if (handshake.life() != 0)
            handshake.end();
        if (life != 0)
            handshake.begin(life);
    }
}

net::Bridge* find_bridge(std::string_view name)
{
    for (size_t i = 0; i < bridge_count; ++i) {
        if (bridges[i]->name == name)
            return bridges[i];
    }
    return nullptr;
}

void read_networks(net::Uplinks& uplinks)
{
    for (SliceNode node = slice().child("networks").first_child(); node; node = node.next_sibling()) {
        auto* bridge = bridge_count < bridges.size() ? new (std::nothrow) net::Bridge : nullptr;
        if (bridge == nullptr)
            crash("too many networks, or too little memory for them");
        bridge->name = node.name();
        bridge->mtu = static_cast<uint16_t>(node.number("mtu", 1500));
        bridges[bridge_count++] = bridge;
        uplinks.add(node, *bridge);
    }
    uplinks.start();
}

net::VifPlan plan_of(SliceNode node, const net::Bridge& bridge)
{
    net::VifPlan plan;
    plan.name = node.text("name").value_or("?");
    plan.domain = Domain{static_cast<uint16_t>(node.number("domain-id", 0))};
    plan.handle = static_cast<uint32_t>(node.number("handle", 0));
    const auto mac = node.bytes("mac");
    __builtin_memcpy(&plan.mac, mac.data(), std::min<size_t>(mac.size(), 6));
    plan.vlan = static_cast<uint16_t>(node.number("vlan", 0));
    plan.mtu = static_cast<uint16_t>(node.number("mtu", bridge.mtu));
    plan.is_isolated = node.has("isolated");
    plan.rate_bytes_per_second = node.number("rate-bytes-per-second", 0);
    plan.rate_interval_us = node.number("rate-interval-us", plan.rate_interval_us);
    plan.storm_frames_per_second = node.number("storm", 0);
    return plan;
}

void read_vifs(net::DataPath& path, net::Journal& journal, Store& store)
{
    for (SliceNode node = slice().child("vifs").first_child(); node; node = node.next_sibling()) {
        net::Bridge* bridge = find_bridge(node.text("network").value_or(""));
        if (bridge == nullptr || vif_count == handshakes.size())
            crash("a card without a network, or too many cards");
        auto* vif = new (std::nothrow) net::Vif(plan_of(node, *bridge), static_cast<uint32_t>(vif_count), journal);
        if (vif == nullptr || !bridge->add(*vif))
            crash("too little memory for the cards, or too many on a network");
        path.add(*vif);
        auto* handshake = new (std::nothrow) net::Handshake(*vif, path, journal, store);
        if (handshake == nullptr)
            crash("too little memory for the cards");
        if (const auto done = handshake->watch(); !done)
            crash("the store sets no watch: %s", name_of(done.error()));
        handshakes[vif_count++] = handshake;
    }
}

// --- The switch's own hosts ---------------------------------------------------------

std::array<net::HostPort*, net::most_hosts> host_ports;
size_t host_count = 0;

net::Mac mac_of(SliceNode node)
{
    net::Mac mac = 0;
    const auto bytes = node.bytes("mac");
    __builtin_memcpy(&mac, bytes.data(), std::min<size_t>(bytes.size(), 6));
    return mac;
}

// What cannot be had is said, and the network goes on without a host.
void add_host_of(SliceNode node, net::DataPath& path, net::HostBuffers& buffers)
{
    net::Bridge* bridge = find_bridge(node.name());
    auto* port = host_count == host_ports.size()
                     ? nullptr
                     : new (std::nothrow) net::HostPort(*bridge, mac_of(node), path.copies, buffers);
    const Result<> done = port == nullptr ? failure(XEN_ENOMEM) : port->open();
    if (!done) {
        print("network %s: the switch has no host of its own: %s\n", bridge->name.data(), name_of(done.error()));
        return;
    }
    host_ports[host_count++] = port;
    (void)net::add_host(port->card(), node);
}

// lwIP runs only if there is a host.
void start_hosts(net::DataPath& path)
{
    static net::HostBuffers buffers;
    static net::CoreBox box;
    static net::SwitchFigures figures({bridges.data(), bridge_count});
    for (SliceNode node = slice().child("networks").first_child(); node; node = node.next_sibling()) {
        if (!node.has("address") && !node.has("ipv6"))
            continue;
        if (host_count == 0) {
            if (const auto done = buffers.open(); !done)
                crash("memory for frames to the switch itself: %s", name_of(done.error()));
            net::start_network();
            net::start_hosts(figures, box);
        }
        add_host_of(node, path, buffers);
    }
}

// Gives lwIP the frames that the last batches had for it. False: there were none.
bool hosts_turn()
{
    bool any = false;
    for (size_t i = 0; i < host_count; ++i)
        any = host_ports[i]->turn() || any;
    if (any)
        net::poll_network();
    return any;
}

void wait_for_work(const net::DataPath& path)
{
    if (const auto deadline = path.next_deadline())
        (void)wait_until(*deadline);
    else
        (void)wait();
}

}  // namespace

int main()
{
    const auto memory = persistent_region();
    if (!memory)
        crash("the region that restarts do not clear: %s", name_of(memory.error()));
    static net::Journal journal;
    if (!journal.open(*memory))
        crash("the region that restarts do not clear is too small: %zu bytes", memory->size());
    auto& path = *new (data_path_bytes) net::DataPath(journal);
    if (const auto done = path.open(); !done)
        crash("memory for headers: %s", name_of(done.error()));
    const auto store = Store::open();
    if (!store)
        crash("the store: %s", name_of(store.error()));
    auto& uplinks = *new (uplinks_bytes) net::Uplinks;
    read_networks(uplinks);
    read_vifs(path, journal, **store);
    start_hosts(path);
    map_states();
    for (;;) {
        if (std::exchange(lives_changed, false))
            follow_lives();
        const bool more_outside = uplinks.serve(path.copies);
        const bool more_inside = path.turn();
        if (hosts_turn() || more_inside || more_outside) {
            dispatch_events();
            continue;
        }
        wait_for_work(path);
        path.resume_due();
    }
}
