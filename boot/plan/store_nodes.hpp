// SPDX-License-Identifier: BSD-2-Clause
// What the store holds before anybody writes to it: the nodes that a toolstack would make for each
// partition, with the permissions that Xen's gives them. Source: xl of Xen 4.17 (libxl__domain_make,
// libxl__device_generic_add, console and store rings); docs/misc/xenstore-paths.pandoc there.
#pragma once

#include <string>
#include <string_view>

#include "boot/plan/bytes.hpp"
#include "boot/plan/model.hpp"

namespace bulkhead::tool {

// A sequence of path, permissions ("n0,r1" as the store's tools write them) and value, each with a
// terminating zero; a node comes behind the one above it.
class StoreNodes {
public:
    void add(std::string_view path, std::string_view permissions, std::string_view value);
    [[nodiscard]] Bytes take() { return std::move(bytes_); }

private:
    Bytes bytes_;
};

// Nodes of no partition's life.
[[nodiscard]] Bytes common_nodes();
// The nodes of one client, made anew with each life of it.
[[nodiscard]] Bytes client_nodes(const SystemModel& system, const PartitionModel& client);
// The front ends of one client, which are there when their back ends are.
[[nodiscard]] Bytes device_nodes(const SystemModel& system, const PartitionModel& client);
// The nodes of the switch, back ends among them, which outlive its lives.
[[nodiscard]] Bytes service_nodes(const SystemModel& system, const PartitionModel& service);

}  // namespace bulkhead::tool
