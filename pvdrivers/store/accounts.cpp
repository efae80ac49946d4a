// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/accounts.hpp"

#include <cerrno>

namespace bulkhead::store {

store_client* client_of(Region& region, uint32_t domain)
{
    // Partitions are numbered from 1 in the order of the table, so most are where they are expected.
    const std::span<store_client> clients = region.clients();
    if (domain - 1 < clients.size() && clients[domain - 1].domain == domain)
        return &clients[domain - 1];
    for (store_client& client : clients) {
        if (client.domain == domain)
            return &client;
    }
    return nullptr;
}

namespace {

void add(Region& region, store_client* client, uint32_t nodes, uint32_t cells)
{
    uint32_t& node_account = client != nullptr ? client->nodes : region.header().plan_nodes;
    uint32_t& cell_account = client != nullptr ? client->cells : region.header().plan_cells;
    region.set(node_account, node_account + nodes);
    region.set(cell_account, cell_account + cells);
}

}  // namespace

Error pay(Region& region, store_client* client, uint32_t nodes, uint32_t cells)
{
    if (client != nullptr &&
        ((nodes != 0 && client->nodes + nodes > client->quota.nodes) || client->cells + cells > client->quota.cells))
        return ENOSPC;
    add(region, client, nodes, cells);
    return 0;
}

void charge(Region& region, store_client* client, uint32_t nodes, uint32_t cells)
{
    add(region, client, nodes, cells);
}

void refund(Region& region, store_client* client, uint32_t nodes, uint32_t cells)
{
    add(region, client, 0U - nodes, 0U - cells);
}

}  // namespace bulkhead::store
