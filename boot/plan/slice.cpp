// SPDX-License-Identifier: BSD-2-Clause
// Source of the format: devicetree specification v0.3, "Flattened Devicetree (DTB) Format"; libfdt
// writes it.
#include "boot/plan/slice.hpp"

#include <algorithm>
#include <stdexcept>

#include "boot/plan/network_slice.hpp"
#include "boot/plan/node_writer.hpp"
#include "boot/plan/services.hpp"
#include "boot/plan/store_nodes.hpp"
#include "boot/plan/value.hpp"
#include "pvdrivers/abi/bulkhead.h"

extern "C" {
#include <libfdt.h>
#include <xen/xen.h>
#include <xen/grant_table.h>
}

namespace bulkhead::tool {

namespace {

// What fits into 2 MiB, and what a client may have of it, as Xen's store has it by default.
constexpr uint64_t nodes_in_region = 10'000;
constexpr uint64_t region_frames = 2 * frames_per_mib;
constexpr uint64_t most_nodes_a_client = 1'000;
constexpr uint64_t nodes_of_vif = 40;
constexpr uint64_t watches_of_switch = 256;

void add_shared_memory(const SystemModel& system, const PartitionModel& partition, Node& root)
{
    Node all{"shared-memory", {}, {}, {}};
    for (const auto& region : system.shared_memory) {
        for (const auto& member : region.members) {
            if (system.partitions[member.partition].domain != partition.domain)
                continue;
            Node& node = add_child(all, region.name);
            put_number(node, "size", region.size_bytes.value, 2);
            put_number(node, "domain-id", 0);
            put_number(node, "grant", region.first_grant);
            put_number(node, "port", region.port);
            if (member.writable)
                put_flag(node, "writable");
        }
    }
    if (!all.children.empty())
        root.children.push_back(std::move(all));
}

// The switch has nodes for the cards of all others.
uint64_t node_quota(const SystemModel& system, const PartitionModel& store, const PartitionModel& client)
{
    if (client.is_service)
        return most_nodes_a_client + nodes_of_vif * plan::max_vifs;
    const auto clients = static_cast<uint64_t>(
        std::count_if(system.partitions.begin(), system.partitions.end(), is_store_client));
    const uint64_t room = nodes_in_region * store.persistent_frames / region_frames;
    return std::min(most_nodes_a_client, room / std::max<uint64_t>(clients, 1));
}

void add_clients(const SystemModel& system, const PartitionModel& store, Node& root)
{
    put(root, "nodes", common_nodes());
    Node& clients = add_child(root, "clients");
    for (const auto& partition : system.partitions) {
        if (!is_store_client(partition))
            continue;
        Node& client = add_child(clients, sentence("client@", partition.domain));
        put_number(client, "domain-id", partition.domain);
        put_text(client, "name", partition.name.value);
        put_number(client, "port", store_remote_port(partition));
        put_number(client, "ring-grant", GNTTAB_RESERVED_XENSTORE);
        put_number(client, "quota-nodes", node_quota(system, store, partition));
        if (partition.is_service) {
            put_number(client, "quota-watches", watches_of_switch);
            put_flag(client, "keeps-nodes");
        }
        put(client, "nodes", partition.is_service ? service_nodes(system, partition) : client_nodes(system, partition));
        if (is_switch_client(partition)) {
            put_number(client, "device-backend", BULKHEAD_DOMAIN_SWITCH);
            put(client, "device-nodes", device_nodes(system, partition));
        }
    }
}

void add_frames(Node& root, std::string name, uint64_t first, uint64_t frames)
{
    if (frames == 0)
        return;
    Node& node = add_child(root, std::move(name));
    put_number(node, "first-frame", first, 2);
    put_number(node, "frames", frames, 2);
}

void check(int error)
{
    if (error != 0)
        throw std::runtime_error(sentence("a slice cannot be written: ", fdt_strerror(error)));
}

void write_node(const Node& node, void* to)
{
    check(fdt_begin_node(to, node.name.c_str()));
    for (const auto& property : node.properties)
        check(fdt_property(to, property.name.c_str(), property.value.data(), static_cast<int>(property.value.size())));
    for (const auto& child : node.children)
        write_node(child, to);
    check(fdt_end_node(to));
}

// More than it takes: names are stored twice at most, and every number is padded to a cell.
size_t bytes_for(const Node& node)
{
    size_t size = node.name.size() + 64;
    for (const auto& property : node.properties)
        size += property.name.size() + property.value.size() + 32;
    for (const auto& child : node.children)
        size += bytes_for(child);
    return size;
}

std::string value_text(View value)
{
    if (value.empty())
        return "yes";
    std::vector<std::string> items;
    if (const auto words = texts(value)) {
        for (const auto& word : *words)
            items.push_back(sentence(Quoted{word}));
    } else if (const auto numbers = cells(value)) {
        for (const auto number : *numbers)
            items.push_back(sentence(Hex{number}));
    } else {
        return sentence(Count{value.size(), "byte"});
    }
    std::string out;
    for (const auto& item : items)
        out += (out.empty() ? "" : " ") + item;
    return out;
}

// Store nodes: path, permissions and value make a line.
std::string nodes_text(View value, const std::string& indent)
{
    std::string out;
    const std::string_view all(reinterpret_cast<const char*>(value.data()), value.size());
    const auto words = split(all, '\0');
    for (size_t i = 0; i + 2 < words.size(); i += 3)
        out += sentence(indent, words[i], " = ", Quoted{words[i + 2]}, " (", words[i + 1], ")\n");
    return out;
}

std::string node_text(const Node& node, const std::string& indent, bool of_config)
{
    std::string out;
    for (const auto& property : node.properties)
        out += (property.name == "nodes" || property.name == "device-nodes") && !of_config
                   ? nodes_text(property.value, indent)
                   : sentence(indent, property.name, " = ", value_text(property.value), '\n');
    for (const auto& child : node.children)
        out += indent + child.name + '\n' + node_text(child, indent + "  ", of_config || child.name == "config");
    return out;
}

}  // namespace

Bytes make_slice(const SystemModel& system, const PartitionModel& partition)
{
    Node root;
    put_text(root, "compatible", "bulkhead,slice");
    put_text(root, "name", partition.name.value);
    put_number(root, "domain-id", partition.domain);
    put_text(root, "uuid", uuid_text(partition.uuid.value));
    if (partition.config)
        root.children.push_back(*partition.config);
    add_shared_memory(system, partition, root);
    if (partition.is_service) {
        const uint64_t special = first_special_frame(partition);
        add_frames(root, "dma", special, partition.dma_frames);
        add_frames(root, "persistent", special + partition.dma_frames, partition.persistent_frames);
        if (is_switch(partition))
            add_networks(system, root);
        else
            add_clients(system, partition, root);
    }
    return flatten(root);
}

Bytes flatten(const Node& root)
{
    Bytes bytes(bytes_for(root) + 512);
    check(fdt_create(bytes.data(), static_cast<int>(bytes.size())));
    check(fdt_finish_reservemap(bytes.data()));
    write_node(root, bytes.data());
    check(fdt_finish(bytes.data()));
    bytes.resize(fdt_totalsize(bytes.data()));
    return bytes;
}

Outcome<std::string> slice_text(View slice, const std::string& indent)
{
    const Node root = ATTEMPT(parse_tree(slice));
    return node_text(root, indent, false);
}

}  // namespace bulkhead::tool
