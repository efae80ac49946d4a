// SPDX-License-Identifier: BSD-2-Clause
// See services.hpp.
#include "core/services.hpp"

#include "core/boot_allocator.hpp"
#include "core/events.hpp"
#include "core/frames.hpp"
#include "core/lifecycle.hpp"
#include "core/log.hpp"
#include "machine/memory.hpp"
#include "pvdrivers/abi/bulkhead.h"

#include <bit>
#include <utility>

extern "C" {
#include <xen/sched.h>
}

namespace bulkhead {

namespace {

static_assert(sizeof(bulkhead_client) == sizeof(uint64_t) && sizeof(bulkhead_service_info) == 24);
static_assert(plan::max_partitions * sizeof(bulkhead_client) <= page_size);
static_assert(plan::first_service_domain == BULKHEAD_DOMAIN_STORE);

// The ABI's numbers are the states' own.
static_assert(std::to_underlying(PartitionState::left_out) == BULKHEAD_CLIENT_left_out);
static_assert(std::to_underlying(PartitionState::stopped) == BULKHEAD_CLIENT_stopped);
static_assert(std::to_underlying(PartitionState::building) == BULKHEAD_CLIENT_building);
static_assert(std::to_underlying(PartitionState::running) == BULKHEAD_CLIENT_running);
static_assert(std::to_underlying(PartitionState::paused) == BULKHEAD_CLIENT_paused);
static_assert(std::to_underlying(PartitionState::shut_down) == BULKHEAD_CLIENT_shut_down);
static_assert(std::to_underlying(PartitionState::crashed) == BULKHEAD_CLIENT_crashed);

uint8_t reason_of(const Partition& partition)
{
    const uint32_t reason = partition.lifecycle.shutdown_reason.load(std::memory_order_relaxed);
    if (reason == no_shutdown)
        return BULKHEAD_REASON_none;
    if (reason == ended_by_operator)
        return BULKHEAD_REASON_operator;
    return reason <= SHUTDOWN_MAX ? static_cast<uint8_t>(reason) : uint8_t{SHUTDOWN_crash};
}

uint64_t client_entry(const Partition& partition)
{
    const bulkhead_client client{partition.generation, partition.id.raw(),
                                 static_cast<uint8_t>(partition.state.load(std::memory_order_relaxed)),
                                 reason_of(partition)};
    return std::bit_cast<uint64_t>(client);
}

size_t index_of(const Partition& partition)
{
    return static_cast<size_t>(&partition - all_partitions().data());
}

void make_page(Partition& service)
{
    ServiceState& state = service.service;
    state.clients_frame = boot_allocate_frame();
    init_shared_frame(state.clients_frame, service.id, SharedAccess::read_only);
    state.clients = machine::frame_pointer<std::atomic<uint64_t>>(state.clients_frame);
    for (const Partition& partition : all_partitions())
        state.clients[index_of(partition)].store(client_entry(partition), std::memory_order_relaxed);
}

// True if this crash is one too many; the count begins anew then.
bool crashes_too_often(ServiceState& state, Nanoseconds now)
{
    state.crashes[state.crash_next] = now;
    state.crash_next = (state.crash_next + 1) % region_crashes;
    const Nanoseconds oldest = state.crashes[state.crash_next];
    if (oldest.raw() == 0 || now - oldest >= region_window_ns)
        return false;
    state.crashes = {};
    return true;
}

}  // namespace

void init_services()
{
    for (Partition& partition : all_partitions()) {
        if (!is_service(partition) || partition.vcpus.empty())
            continue;
        make_page(partition);
        if (partition.plan->domain >= BULKHEAD_DOMAIN_MACHINE)
            init_machine_service(partition);
    }
}

void publish_state(const Partition& partition)
{
    const uint64_t entry = client_entry(partition);
    for (Partition& service : all_partitions()) {
        if (service.service.clients == nullptr)
            continue;
        // Release: a service that sees the partition run finds its grants and ports made.
        service.service.clients[index_of(partition)].store(entry, std::memory_order_release);
        send_virq(service.vcpus[0], VIRQ_DOM_EXC);
    }
    if (partition.service.machine.client != nullptr)
        machine_service_changed(partition);
}

void connect_store_ports(Partition& partition)
{
    const plan::Partition& plan = *partition.plan;
    if (Partition* store = store_of(partition); store != nullptr)
        open_static_port(partition, Port(plan.store_port), *store, Port(plan.store_remote_port));
    if (!is_service(partition))
        return;
    for (Partition& client : all_partitions()) {
        if (client.plan->store_domain == plan.domain && !client.vcpus.empty())
            open_static_port(partition, Port(client.plan->store_remote_port), client, Port(client.plan->store_port));
    }
}

void note_service_crash(Partition& partition, Nanoseconds now)
{
    if (!crashes_too_often(partition.service, now))
        return;
    partition.memory.region_kept = false;
    log("%s: crashed %u times in %u s: what its lives have in common is cleared and its clients are restarted",
        partition.name(), region_crashes, static_cast<unsigned>(region_window_ns / 1'000'000'000));
    for (Partition& client : all_partitions()) {
        if (is_client_of(client, partition))
            request_renewal(client);
    }
}

}  // namespace bulkhead
