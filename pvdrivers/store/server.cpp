// SPDX-License-Identifier: BSD-2-Clause
// Entering a region and the lives of clients. The rings are in rings.cpp.
#include "pvdrivers/store/server.hpp"

#include "pvdrivers/store/check.hpp"
#include "pvdrivers/store/line.hpp"
#include "pvdrivers/store/node_list.hpp"
#include "pvdrivers/store/transactions.hpp"
#include "pvdrivers/store/watches.hpp"

#include <algorithm>
#include <cstring>

namespace bulkhead::store {

namespace {

constexpr std::string_view introduce = "@introduceDomain";
constexpr std::string_view release = "@releaseDomain";

// What one operation can carry out whatever the client does: see log_reserve in region.cpp.
constexpr uint32_t most_watches = 256;
constexpr uint32_t most_transaction_nodes = 256;

void copy_name(store_client& client, std::string_view name)
{
    const size_t bytes = std::min(name.size(), sizeof(client.name) - 1);
    std::memcpy(client.name, name.data(), bytes);
    client.name[bytes] = '\0';
}

bool is_own(const Path& path, uint32_t domain)
{
    char own[domain_path_bytes];
    return is_below(path.text(), {own, domain_path(domain, own)});
}

}  // namespace

store_quota default_quota()
{
    return {.nodes = 1000,
            .watches = 128,
            .transactions = 10,
            .transaction_nodes = 256,
            .node_bytes = 2048,
            .permissions = 5,
            .messages = 64,
            .cells = 0};
}

bool Server::matches_plan()
{
    if (region_.header().client_count != plans_.size())
        return false;
    for (size_t i = 0; i < plans_.size(); ++i) {
        if (region_.client(static_cast<uint32_t>(i)).domain != plans_[i].domain)
            return false;
    }
    return region_.header().ready != 0;
}

bool Server::enter(uint32_t hash_seed)
{
    const bool blank = region_.header().magic == 0;
    const char* problem = region_.attach();
    if (problem == nullptr)
        problem = matches_plan() ? check(region_) : "it belongs to another plan or was never finished";
    if (problem == nullptr) {
        take_apart_all();
        return true;
    }
    if (!blank)
        surroundings_.report((Line() << "the region is made anew from the plan: " << problem).text());
    return make_anew(hash_seed);
}

// A crash in here leaves a region that is not ready, and it is made once more.
bool Server::make_anew(uint32_t hash_seed)
{
    if (!region_.format(static_cast<uint32_t>(plans_.size()), hash_seed))
        return false;
    for (uint32_t i = 0; i < plans_.size(); ++i) {
        store_client& client = region_.client(i);
        client.domain = plans_[i].domain;
        client.target = plans_[i].domain;
        client.flags = plans_[i].flags;
        client.quota = plans_[i].quota;
        client.quota.watches = std::min(client.quota.watches, most_watches);
        client.quota.transaction_nodes = std::min(client.quota.transaction_nodes, most_transaction_nodes);
        client.quota.permissions = std::min<uint32_t>(client.quota.permissions, STORE_MAX_PERMISSIONS);
        client.quota.node_bytes = std::min<uint32_t>(client.quota.node_bytes, XENSTORE_PAYLOAD_MAX);
        copy_name(client, plans_[i].name);
    }
    region_.begin();
    const Error error = make_first_nodes(region_);
    region_.commit();
    if (error != 0)
        return false;
    make_planned(nodes_, plan_domain);
    for (store_client& client : region_.clients()) {
        if (client.quota.cells == 0)
            client.quota.cells = fair_share();
    }
    region_.put(region_.header().ready, 1);
    return true;
}

// An eighth stays for the nodes that the plan makes for the clients and owns itself, and room for one
// event beyond each client's quota.
uint32_t Server::fair_share()
{
    const auto clients = std::max(static_cast<uint32_t>(plans_.size()), 1U);
    const uint32_t share = region_.header().free_count / 8 * 7 / clients;
    const uint32_t event = record_cells(STORE_BUFFER_BYTES);
    return share > event ? share - event : 0;
}

void Server::take_apart_all()
{
    while (take_apart(region_)) {
    }
}

// They are made in order, so the last one tells.
bool Server::is_made(std::string_view list, uint32_t domain)
{
    PlannedNode node;
    bool there = list.empty();
    while (!list.empty() && next_planned_node(list, domain, node))
        there = find_exact(region_, node.path.text()) != 0;
    return there;
}

void Server::make_planned(std::string_view list, uint32_t domain, bool unless_there)
{
    PlannedNode node;
    if (unless_there && is_made(list, domain))
        return;
    while (!list.empty()) {
        const bool readable = next_planned_node(list, domain, node);
        region_.begin();
        const Error error = readable ? make_planned_node(region_, node) : EINVAL;
        if (error == 0) {
            region_.commit();
            continue;
        }
        region_.undo();
        Line line;
        if (readable)
            line << "the plan's node " << node.path.text().substr(0, 80) << " cannot be made: error "
                 << static_cast<uint32_t>(error);
        else
            line << "the plan's nodes for domain " << domain << " end early: the list is malformed";
        surroundings_.report(line.text());
        if (!readable)
            return;
    }
}

void Server::set_state(store_client& client, store_client_state state)
{
    region_.begin();
    region_.set(client.state, state);
    region_.commit();
}

// An operation: removes one thing that the client holds. False: nothing is left.
bool Server::drop_one(store_client& client)
{
    if (client.watches == 0 && client.transactions == 0 && client.messages == 0)
        return false;
    region_.begin();
    if (client.watches != 0)
        drop_watch(region_, client, client.watches);
    else if (client.transactions != 0)
        drop_transaction(region_, client, client.transactions);
    else
        drop_message(region_, client);
    region_.commit();
    return true;
}

void Server::remove_path(std::string_view path)
{
    const Reference node = find_exact(region_, path);
    if (node == 0)
        return;
    region_.begin();
    fire_removed(region_, path, node);
    remove_node(region_, node);
    region_.commit();
    take_apart_all();
}

// A life's nodes, and those that the plan has made for it elsewhere.
void Server::remove_nodes(uint32_t domain, std::string_view list)
{
    char own[domain_path_bytes];
    remove_path({own, domain_path(domain, own)});
    PlannedNode node;
    while (!list.empty() && next_planned_node(list, domain, node)) {
        if (!is_own(node.path, domain) && !node.path.is_special() && !node.path.is_root())
            remove_path(node.path.text());
    }
}

// All that a life leaves behind.
void Server::drop_all(uint32_t index)
{
    store_client& client = region_.client(index);
    while (drop_one(client)) {
    }
    if ((client.flags & STORE_CLIENT_KEEPS_NODES) == 0)
        remove_nodes(client.domain, plans_[index].nodes);
    region_.begin();
    region_.set(client.request_bytes, 0);
    region_.set(client.reply_bytes, 0);
    region_.set(client.reply_sent, 0);
    region_.set(client.target, client.domain);
    region_.set(client.error, XENSTORE_ERROR_NONE);
    region_.commit();
}

void Server::end_life(uint32_t index)
{
    store_client& client = region_.client(index);
    rings_[index] = nullptr;
    if (client.state == STORE_CLIENT_ABSENT)
        return;
    set_state(client, STORE_CLIENT_DROPPING);
    drop_all(index);
    region_.begin();
    region_.set(client.state, STORE_CLIENT_ABSENT);
    fire_special(region_, release);
    region_.commit();
}

void Server::begin_life(uint32_t index, uint32_t life, xenstore_domain_interface* ring)
{
    store_client& client = region_.client(index);
    const bool goes_on = client.life == life && (client.state == STORE_CLIENT_RUNNING ||
                                                 client.state == STORE_CLIENT_RESETTING ||
                                                 client.state == STORE_CLIENT_CLOSED);
    if (!goes_on) {
        end_life(index);
        region_.begin();
        region_.set(client.life, life);
        region_.set(client.state, STORE_CLIENT_BUILDING);
        region_.commit();
        make_planned(plans_[index].nodes, client.domain, (client.flags & STORE_CLIENT_KEEPS_NODES) != 0);
        region_.begin();
        adopt_positions(client, *ring);
        region_.set(client.state, STORE_CLIENT_RUNNING);
        fire_special(region_, introduce);
        region_.commit();
    }
    rings_[index] = ring;
    ring->server_features = XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR;
    ring->error = client.error;
    if (client.state == STORE_CLIENT_RESETTING)
        reset(index);
    else if (client.state == STORE_CLIENT_RUNNING)
        show_positions(index);
    // The former life may have ended between a change of the ring and saying so.
    surroundings_.notify(index);
}

}  // namespace bulkhead::store
