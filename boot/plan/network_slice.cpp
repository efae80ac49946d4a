// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/network_slice.hpp"

#include "boot/plan/node_writer.hpp"
#include "boot/plan/services.hpp"
#include "boot/plan/text.hpp"

namespace bulkhead::tool {

namespace {

Bytes bytes_of(const MacAddress& mac) { return {mac.begin(), mac.end()}; }

// What the switch itself is on the network.
void put_host(const NetworkModel& network, Node& node)
{
    if (network.address.stated)
        put_text(node, "address", network.address.value);
    if (network.gateway.stated)
        put_text(node, "gateway", network.gateway.value);
    if (network.ipv6.stated)
        put_text(node, "ipv6", network.ipv6.value);
    if (!has_host(network))
        return;
    put_text(node, "host-name", network.host_name.value);
    if (network.http.value != 0)
        put_number(node, "http", network.http.value);
    if (!network.diagnosis_port.stated)
        return;
    Node& diagnosis = add_child(node, "diagnosis");
    put_number(diagnosis, "port", network.diagnosis_port.value);
    put_texts(diagnosis, "from", network.diagnosis_from.value);
}

void add_network(const NetworkModel& network, Node& networks)
{
    Node& node = add_child(networks, network.name);
    put(node, "mac", bytes_of(network.mac));
    put_number(node, "mtu", network.mtu.value);
    if (network.device)
        put_number(node, "device", *network.device);
    put_host(network, node);
}

void put_policies(const Vif& vif, Node& node)
{
    if (vif.rate) {
        put_number(node, "rate-bytes-per-second", vif.rate->bytes_per_second, 2);
        put_number(node, "rate-interval-us", vif.rate->interval_us);
    }
    if (vif.vlan)
        put_number(node, "vlan", *vif.vlan);
    if (vif.isolated)
        put_flag(node, "isolated");
    if (vif.storm)
        put_number(node, "storm", *vif.storm);
}

void add_vifs(const SystemModel& system, const PartitionModel& partition, Node& vifs)
{
    for (size_t handle = 0; handle < partition.vifs.value.size(); ++handle) {
        const auto& vif = partition.vifs.value[handle];
        Node& node = add_child(vifs, sentence("vif@", vifs.children.size()));
        put_number(node, "domain-id", partition.domain);
        put_number(node, "handle", handle);
        put_text(node, "network", vif.bridge);
        put_text(node, "name", vif.name.empty() ? sentence(partition.name.value, '/', handle) : vif.name);
        put(node, "mac", bytes_of(*vif.mac));
        put_number(node, "mtu", mtu_of(system, vif));
        put_policies(vif, node);
    }
}

}  // namespace

void add_networks(const SystemModel& system, Node& root)
{
    Node networks{"networks", {}, {}, {}};
    for (const auto& network : system.networks)
        add_network(network, networks);
    Node vifs{"vifs", {}, {}, {}};
    Node clients{"clients", {}, {}, {}};
    for (const auto& partition : system.partitions) {
        add_vifs(system, partition, vifs);
        Node& client = add_child(clients, sentence("client@", partition.domain));
        put_number(client, "domain-id", partition.domain);
        put_text(client, "name", partition.name.value);
    }
    Node devices{"devices", {}, {}, {}};
    for (size_t i = 0; i < system.devices.size(); ++i) {
        Node& device = add_child(devices, sentence("device@", i));
        put_text(device, "match", system.devices[i].wanted);
        put_text(device, "network", system.devices[i].network);
    }
    for (Node* node : {&networks, &vifs, &clients, &devices})
        if (!node->children.empty())
            root.children.push_back(std::move(*node));
}

}  // namespace bulkhead::tool
