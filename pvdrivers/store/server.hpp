// SPDX-License-Identifier: BSD-2-Clause
// The store between its clients' rings and its region: takes requests in turn, answers them, sends
// events, and follows the lives of the clients. Everything that must survive is in the region, so a
// new server over the region of a former one goes on where that stopped.
//
// A ring is trusted in nothing: each of the client's positions is read once and checked, the store's
// own are kept in the region and only shown in the ring.
// Source: xen/docs/misc/xenstore-ring.txt.
#pragma once

#include "pvdrivers/store/region.hpp"

#include <string_view>

struct xenstore_domain_interface;
struct xsd_sockmsg;

namespace bulkhead::store {

// What the plan says about a client.
struct ClientPlan {
    uint32_t domain;
    uint32_t flags;              // STORE_CLIENT_*
    std::string_view name;
    store_quota quota;           // cells: 0 for a fair share of what is free
    std::string_view nodes;      // made at the start of each of its lives; see node_list.hpp
    std::string_view devices = {};   // the same for front ends, made when their back end is there
};

// What the server needs of the world.
class Surroundings {
public:
    // Something new is in the client's ring.
    virtual void notify(uint32_t client) = 0;
    // A line for the log.
    virtual void report(std::string_view text) = 0;

protected:
    ~Surroundings() = default;
};

[[nodiscard]] store_quota default_quota();

class Server {
public:
    // `clients` and what it names live as long as the server.
    Server(Region& region, std::span<const ClientPlan> clients, std::string_view nodes, Surroundings& surroundings)
        : region_(region), plans_(clients), nodes_(nodes), surroundings_(surroundings)
    {
    }

    // Takes the region over, or makes it anew when it is no region of this plan or is damaged. False:
    // it is too small for the plan.
    [[nodiscard]] bool enter(uint32_t hash_seed);

    // The client lives, in this life, and this is its ring. A new life starts from the plan's nodes;
    // a known one goes on, and so does its ring.
    void begin_life(uint32_t client, uint32_t life, xenstore_domain_interface* ring);
    // The client's life is over: its ring is not touched again, and what belonged to the life goes.
    void end_life(uint32_t client);

    // The back end of a client's devices is there: makes what is missing of their nodes. The client lives.
    void make_devices(uint32_t client) { make_planned(plans_[client].devices, plans_[client].domain, true); }

    // Gives every client its turn. True: somebody has more to do now.
    bool turn();

    [[nodiscard]] bool is_connected(uint32_t client) const { return rings_[client] != nullptr; }

private:
    [[nodiscard]] bool matches_plan();
    [[nodiscard]] bool make_anew(uint32_t hash_seed);
    [[nodiscard]] uint32_t fair_share();
    void make_planned(std::string_view list, uint32_t domain, bool unless_there = false);
    [[nodiscard]] bool is_made(std::string_view list, uint32_t domain);
    void take_apart_all();
    void drop_all(uint32_t index);
    bool drop_one(store_client& client);
    void remove_nodes(uint32_t domain, std::string_view list);
    void remove_path(std::string_view path);
    void adopt_positions(store_client& client, const xenstore_domain_interface& ring);
    void show_positions(uint32_t index);
    void set_state(store_client& client, store_client_state state);

    bool serve(uint32_t index);
    bool take_request(uint32_t index);
    bool take_part(uint32_t index, uint32_t available);
    [[nodiscard]] bool is_acceptable(uint32_t index, const xsd_sockmsg& head);
    void process(uint32_t index, const char* message, uint32_t taken);
    void put_reply(uint32_t index, size_t bytes);
    void send(uint32_t index);
    void send_piece(uint32_t index, uint32_t room);
    [[nodiscard]] bool available_input(uint32_t index, uint32_t& bytes);
    [[nodiscard]] bool room_for_output(uint32_t index, uint32_t& bytes);
    void close(uint32_t index, uint32_t error, const char* why);
    void reset(uint32_t index);

    Region& region_;
    std::span<const ClientPlan> plans_;
    std::string_view nodes_;
    Surroundings& surroundings_;
    std::array<xenstore_domain_interface*, STORE_MAX_CLIENTS> rings_{};
    uint32_t first_ = 0;       // whose turn it is first
    uint64_t changed_ = 0;     // bit mask of the clients whose rings have news for them
};

}  // namespace bulkhead::store
