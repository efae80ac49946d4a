// SPDX-License-Identifier: BSD-2-Clause
// events [NAME]: the open event channels of all partitions or of one.
#include "core/events.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/partition.hpp"
#include "core/shared_memory.hpp"

#include <algorithm>
#include <array>

namespace bulkhead {

namespace {

constexpr size_t ports_a_step = 32;
constexpr int port_lines_a_step = 2;

// Source: xen/include/public/xen.h, VIRQ_*.
constexpr std::array<const char*, 4> virq_names{"timer", "debug", "console", "dom_exc"};

void put_peer(const PortInfo& info, TextOut& out)
{
    switch (info.state) {
    case PortState::unbound:
        out.print("for domain %u", unsigned{info.peer_domain.raw()});
        break;
    case PortState::interdomain: {
        const Partition* peer = find_partition(info.peer_domain);
        out.print("%s port %u", peer != nullptr ? peer->name() : "?", info.peer);
        break;
    }
    case PortState::virq:
        out.print("virq %u%s%s", info.peer, info.peer < virq_names.size() ? ", " : "",
                  info.peer < virq_names.size() ? virq_names[info.peer] : "");
        break;
    case PortState::pirq:
        out.print("interrupt %u of a device", info.peer);
        break;
    case PortState::core:
        out.put("the core");
        break;
    case PortState::bell:
        out.print("shared memory %s", bell_name(info.peer));
        break;
    default:
        break;
    }
}

bool step_events(CommandRun& run, TextOut& out)
{
    const Partition* partition = chosen_partition(run);
    if (partition == nullptr)
        return false;
    if (run.inner == 0)
        out.print("%s\n", partition->name());
    const size_t stop = std::min<size_t>(run.inner + ports_a_step, partition->events.count);
    for (int lines = 0; run.inner < stop && lines < port_lines_a_step; ++run.inner) {
        const PortInfo info = event_port_info(*partition, Port(static_cast<uint32_t>(run.inner)));
        if (info.state == PortState::closed)
            continue;
        if (run.shown++ == 0)
            out.put("  port  kind          vCPU  pending  masked  other end\n");
        out.print("  %4zu  %-12s  %4u  %-7s  %-6s  ", run.inner, port_state_name(info.state), unsigned{info.vcpu},
                  info.pending ? "yes" : "", info.masked ? "yes" : "");
        put_peer(info, out);
        out.put("\n");
        ++lines;
    }
    if (run.inner < partition->events.count)
        return true;
    if (run.shown == 0)
        out.put("  no open port\n");
    return next_partition(run);
}

}  // namespace

void start_events(CommandRun& run, const Words& words, TextOut& out)
{
    start_for_partitions(run, words, out, step_events);
}

}  // namespace bulkhead
