// SPDX-License-Identifier: BSD-2-Clause
// The store as a service partition: the XenStore protocol for every partition that the slice names.
// Follows the lives of its clients by the core's page of their states, maps the ring of each that
// runs, and lets the server work. Its own life may end at any instruction; the next goes on.
#include "pvdrivers/abi/bulkhead.h"
#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/store/server.hpp"

#include <bulkhead/console.hpp>
#include <bulkhead/events.hpp>
#include <bulkhead/grants.hpp>
#include <bulkhead/memory.hpp>
#include <bulkhead/slice.hpp>
#include <bulkhead/time.hpp>
#include <bulkhead/traps.hpp>

#include <algorithm>
#include <array>
#include <utility>

extern "C" {
#include <xen/io/xs_wire.h>
}

namespace {

using namespace bulkhead;

struct Client {
    Domain domain{};
    Port port{};
    GrantRef ring_grant{};
    Domain backend{};       // of its devices, if it has any
    uint32_t life = 0;      // of the ring that is mapped, if one is
    GrantPage ring;
};

std::array<store::ClientPlan, STORE_MAX_CLIENTS> plans;
std::array<Client, STORE_MAX_CLIENTS> clients;
uint32_t client_count = 0;

// The core's page of states; each entry is read at once.
const uint64_t* states = nullptr;
uint32_t state_count = 0;

struct Core final : store::Surroundings {
    void notify(uint32_t client) override
    {
        // A port that is gone belongs to a life that is over, which the page of states tells.
        (void)bulkhead::notify(clients[client].port);
    }
    void report(std::string_view text) override { print("%.*s\n", static_cast<int>(text.size()), text.data()); }
};

std::string_view text_of(std::span<const std::byte> bytes)
{
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

store::ClientPlan plan_of(SliceNode node)
{
    store_quota quota = store::default_quota();
    const auto read = [&](const char* name, uint32_t& value) {
        value = static_cast<uint32_t>(std::min<uint64_t>(node.number(name, value), UINT32_MAX));
    };
    read("quota-nodes", quota.nodes);
    read("quota-watches", quota.watches);
    read("quota-transactions", quota.transactions);
    read("quota-transaction-nodes", quota.transaction_nodes);
    read("quota-node-size", quota.node_bytes);
    read("quota-permissions", quota.permissions);
    read("quota-events", quota.messages);
    return {.domain = static_cast<uint32_t>(node.number("domain-id", 0)),
            .flags = node.has("keeps-nodes") ? STORE_CLIENT_KEEPS_NODES : 0U,
            .name = node.text("name").value_or("?"),
            .quota = quota,
            .nodes = text_of(node.bytes("nodes")),
            .devices = text_of(node.bytes("device-nodes"))};
}

// The ports are the plan's and exist in every life. Handlers have nothing to do: that one ran ends
// the wait, and the server looks at every ring.
void woken(void*, Port) {}

bool lives_changed = true;
void note_change(void*, Port) { lives_changed = true; }

void read_slice()
{
    for (SliceNode node = slice().child("clients").first_child(); node; node = node.next_sibling()) {
        if (client_count == clients.size())
            crash("the slice has more than %u clients", STORE_MAX_CLIENTS);
        Client& client = clients[client_count];
        plans[client_count++] = plan_of(node);
        client.domain = Domain{static_cast<uint16_t>(plans[client_count - 1].domain)};
        client.backend = Domain{static_cast<uint16_t>(node.number("device-backend", 0))};
        client.port = Port{static_cast<uint32_t>(node.number("port", 0))};
        client.ring_grant = GrantRef{static_cast<uint32_t>(node.number("ring-grant", GNTTAB_RESERVED_XENSTORE))};
        if (const auto done = adopt_port(client.port, {woken, nullptr}); !done)
            crash("port %u: %s", static_cast<unsigned>(client.port), name_of(done.error()));
    }
}

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

bulkhead_client state_of(Domain domain)
{
    bulkhead_client none{};
    for (uint32_t i = 0; i < state_count; ++i) {
        const uint64_t raw = __atomic_load_n(&states[i], __ATOMIC_ACQUIRE);
        bulkhead_client state;
        static_assert(sizeof(state) == sizeof(raw));
        __builtin_memcpy(&state, &raw, sizeof(state));
        if (state.domain == static_cast<uint16_t>(domain))
            return state;
    }
    return none;
}

bool is_alive(const bulkhead_client& state)
{
    return state.state == BULKHEAD_CLIENT_running || state.state == BULKHEAD_CLIENT_paused;
}

// A guest waits minutes for a back end that does not come. One that has not begun yet will.
bool is_coming(const bulkhead_client& state)
{
    return is_alive(state) || state.state == BULKHEAD_CLIENT_building || state.state == BULKHEAD_CLIENT_shut_down ||
           (state.state == BULKHEAD_CLIENT_stopped && state.generation == 0);
}

void begin(store::Server& server, uint32_t index, uint32_t life)
{
    Client& client = clients[index];
    auto ring = map_grant_page(client.domain, client.ring_grant, Access::writable);
    if (!ring) {
        print("the ring of %s cannot be mapped: %s\n", plans[index].name.data(), name_of(ring.error()));
        return;
    }
    client.ring = std::move(*ring);
    client.life = life;
    server.begin_life(index, life, client.ring.as<xenstore_domain_interface>());
}

// Brings each client to what the core says of it. What changes meanwhile raises the event again.
void follow_lives(store::Server& server)
{
    for (uint32_t i = 0; i < client_count; ++i) {
        Client& client = clients[i];
        const bulkhead_client state = state_of(client.domain);
        const bool alive = is_alive(state);
        if (!alive || !client.ring || client.life != state.generation) {
            if (client.ring || !alive)
                server.end_life(i);
            client.ring.unmap();
            if (alive)
                begin(server, i, state.generation);
        }
        if (client.ring && is_coming(state_of(client.backend)))
            server.make_devices(i);
    }
}

}  // namespace

int main()
{
    const auto memory = persistent_region();
    if (!memory)
        crash("the region that restarts do not clear: %s", name_of(memory.error()));
    static store::Region region(memory->data(), memory->size());
    read_slice();
    map_states();

    static Core core;
    static store::Server server(region, {plans.data(), client_count}, text_of(slice().bytes("nodes")), core);
    const auto seed = static_cast<uint32_t>(Clock::now().time_since_epoch().count());
    if (!server.enter(seed))
        crash("the region has %zu bytes, too few for %u clients", memory->size(), client_count);
    for (;;) {
        if (std::exchange(lives_changed, false))
            follow_lives(server);
        if (server.turn())
            dispatch_events();
        else
            wait();
    }
}
