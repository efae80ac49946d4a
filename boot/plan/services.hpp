// SPDX-License-Identifier: BSD-2-Clause
// Services: partitions that the tool adds to a plan because others need them, with what the plan says
// about them or else defaults.
#pragma once

#include "boot/plan/model.hpp"
#include "boot/plan/report.hpp"

namespace bulkhead::tool {

// Adds the service partitions behind the plan's own, which have their domain ids and placement.
void add_services(SystemModel& system, Report& report);

// Whether the store serves the partition. Services are among its clients.
[[nodiscard]] bool is_store_client(const PartitionModel& partition);
// The store's end of a client's connection.
[[nodiscard]] uint32_t store_remote_port(const PartitionModel& client);
// Whether it has cards on the networks.
[[nodiscard]] bool is_switch_client(const PartitionModel& partition);
[[nodiscard]] bool is_switch(const PartitionModel& partition);
// Whether it decodes instructions for a hardware partition; each such partition has one of its own.
[[nodiscard]] bool is_machine(const PartitionModel& partition);
// Bit n: it is a client of service plan::first_service_domain + n.
[[nodiscard]] uint8_t services_of(const PartitionModel& partition);

// Services that rank where a client waits for them in vain, or where a realtime partition waits.
void check_services(const SystemModel& system, Report& report);

}  // namespace bulkhead::tool
