// SPDX-License-Identifier: BSD-2-Clause
// The figures in Prometheus' text format. Source: "Exposition formats", text format, version 0.0.4.
#include "pvdrivers/switch/host/sources.hpp"

#include <algorithm>

namespace bulkhead::net {

namespace {

struct Family;
// Writes one sample, or some, or none, and moves the cursor. False: that was the last.
using Samples = bool (*)(const Family& family, const Sources& sources, Cursor& cursor, Text& out);

struct Family {
    std::string_view name;
    std::string_view type;
    std::string_view help;
    Samples samples;
};

constexpr size_t line_bytes = 512;

Text& seconds(Text& out, uint64_t ns) { return out << Decimal{ns, 9, 9}; }

// --- The box and its CPUs --------------------------------------------------------

bool info(const Family& family, const Sources& sources, Cursor&, Text& out)
{
    const BoxFigures box = sources.box.box();
    out << family.name << "{version=\"" << Label{box.version.view()} << "\",model=\"" << Label{box.model.view()} << "\"} 1\n";
    return false;
}

bool uptime(const Family& family, const Sources& sources, Cursor&, Text& out)
{
    seconds(out << family.name << ' ', sources.box.box().uptime_ns) << '\n';
    return false;
}

bool cpu_used(const Family& family, const Sources& sources, Cursor& cursor, Text& out)
{
    CpuFigures cpu;
    if (!sources.box.cpu(cursor.item, cpu))
        return false;
    seconds(out << family.name << "{cpu=\"" << cursor.item++ << "\"} ", cpu.used_ns) << '\n';
    return true;
}

// --- Partitions --------------------------------------------------------------------

template <auto value>
bool partitions(const Family& family, const Sources& sources, Cursor& cursor, Text& out)
{
    PartitionFigures partition;
    if (!sources.box.partition(cursor.item, partition))
        return false;
    ++cursor.item;
    out << family.name << "{partition=\"" << Label{partition.name.view()} << "\"} ";
    value(partition, out);
    out << '\n';
    return true;
}

// All states of a partition at once, so that a query can name one.
bool states(const Family& family, const Sources& sources, Cursor& cursor, Text& out)
{
    PartitionFigures partition;
    if (!sources.box.partition(cursor.item, partition))
        return false;
    ++cursor.item;
    for (uint8_t state = 0; !state_name(state).empty(); ++state)
        out << family.name << "{partition=\"" << Label{partition.name.view()} << "\",state=\"" << state_name(state) << "\"} "
            << (state == partition.state ? '1' : '0') << '\n';
    return true;
}

constexpr auto vcpus = [](const PartitionFigures& partition, Text& out) { out << partition.vcpus; };
constexpr auto memory = [](const PartitionFigures& partition, Text& out) { out << partition.memory_bytes; };
constexpr auto cpu_time = [](const PartitionFigures& partition, Text& out) { seconds(out, partition.cpu_ns); };
constexpr auto lives = [](const PartitionFigures& partition, Text& out) { out << partition.lives; };
constexpr auto crashes = [](const PartitionFigures& partition, Text& out) { out << partition.crashes; };
constexpr auto watchdogs = [](const PartitionFigures& partition, Text& out) { out << partition.watchdogs; };

// --- Ports --------------------------------------------------------------------------

void port_labels(const Family& family, const PortFigures& port, Text& out)
{
    out << family.name << "{network=\"" << Label{port.network} << "\",port=\"" << Label{port.name} << '"';
}

template <auto value>
bool ports(const Family& family, const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.item >= sources.figures.ports())
        return false;
    const PortFigures port = sources.figures.port(cursor.item++);
    port_labels(family, port, out);
    out << "} " << value(port) << '\n';
    return true;
}

constexpr auto frames_in = [](const PortFigures& port) { return port.in.frames; };
constexpr auto bytes_in = [](const PortFigures& port) { return port.in.bytes; };
constexpr auto frames_out = [](const PortFigures& port) { return port.out.frames; };
constexpr auto bytes_out = [](const PortFigures& port) { return port.out.bytes; };
constexpr auto is_up = [](const PortFigures& port) { return port.up ? 1u : 0u; };

bool dropped(const Family& family, const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.item >= sources.figures.ports())
        return false;
    const PortFigures port = sources.figures.port(cursor.item);
    const auto names = sources.figures.counter_names();
    const size_t count = std::min(names.size(), port.counters.size());
    for (; cursor.position < count && out.left() > line_bytes; ++cursor.position) {
        port_labels(family, port, out);
        out << ",reason=\"" << Label{names[cursor.position].name} << "\"} " << port.counters[cursor.position] << '\n';
    }
    if (cursor.position >= count) {
        cursor.position = 0;
        ++cursor.item;
    }
    return true;
}

bool link_speed(const Family& family, const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.item >= sources.figures.ports())
        return false;
    const PortFigures port = sources.figures.port(cursor.item++);
    if (port.kind == PortKind::uplink) {
        port_labels(family, port, out);
        out << ",driver=\"" << Label{port.driver} << "\"} " << (port.up ? port.link_mbits * uint64_t{1'000'000} : 0) << '\n';
    }
    return true;
}

// --- Networks ------------------------------------------------------------------------

template <auto value>
bool networks(const Family& family, const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.item >= sources.figures.networks())
        return false;
    const NetworkFigures network = sources.figures.network(cursor.item++);
    out << family.name << "{network=\"" << Label{network.name} << "\"} " << value(network) << '\n';
    return true;
}

constexpr auto fdb_entries = [](const NetworkFigures& network) { return network.fdb_entries; };
constexpr auto fdb_limit = [](const NetworkFigures& network) { return network.fdb_limit; };

// --- The hosts themselves -------------------------------------------------------------

bool answered(const Family& family, const Sources& sources, Cursor&, Text& out)
{
    for (size_t i = 2; i < std::size(sources.counters.answered); ++i)
        if (i != 3)
            out << family.name << "{status=\"" << i << "xx\"} " << sources.counters.answered[i] << '\n';
    return false;
}

template <auto member>
bool counter(const Family& family, const Sources& sources, Cursor&, Text& out)
{
    out << family.name << ' ' << sources.counters.*member << '\n';
    return false;
}

constexpr Family families[] = {
    {"bulkhead_info", "gauge", "Which Bulkhead runs here, and its plan.", info},
    {"bulkhead_uptime_seconds", "gauge", "Time since the box was started.", uptime},
    {"bulkhead_cpu_used_seconds_total", "counter", "Time for which virtual CPUs ran on the CPU.", cpu_used},
    {"bulkhead_partition_state", "gauge", "1 for the state that the partition is in, 0 for the others.", states},
    {"bulkhead_partition_vcpus", "gauge", "Virtual CPUs of the partition.", partitions<vcpus>},
    {"bulkhead_partition_memory_bytes", "gauge", "Memory that the partition owns.", partitions<memory>},
    {"bulkhead_partition_cpu_seconds_total", "counter", "CPU time that the partition's vCPUs have used in this life.",
     partitions<cpu_time>},
    {"bulkhead_partition_lives_total", "counter", "How often the partition has been started.", partitions<lives>},
    {"bulkhead_partition_crashes_total", "counter", "How often the partition has crashed.", partitions<crashes>},
    {"bulkhead_partition_watchdogs_total", "counter", "How often the partition's watchdog has ended it.", partitions<watchdogs>},
    {"bulkhead_port_up", "gauge", "1 if frames can pass the port of the switch.", ports<is_up>},
    {"bulkhead_port_received_frames_total", "counter", "Frames that the switch accepted from the port.", ports<frames_in>},
    {"bulkhead_port_received_bytes_total", "counter", "Bytes that the switch accepted from the port.", ports<bytes_in>},
    {"bulkhead_port_sent_frames_total", "counter", "Frames that the switch delivered to the port.", ports<frames_out>},
    {"bulkhead_port_sent_bytes_total", "counter", "Bytes that the switch delivered to the port.", ports<bytes_out>},
    {"bulkhead_port_dropped_total", "counter", "What the switch did not forward, and other trouble of the port, by reason.",
     dropped},
    {"bulkhead_uplink_speed_bits_per_second", "gauge", "Speed of the uplink's link, 0 while it is down.", link_speed},
    {"bulkhead_fdb_entries", "gauge", "Addresses in the network's forwarding table.", networks<fdb_entries>},
    {"bulkhead_fdb_limit", "gauge", "Most addresses that the table holds.", networks<fdb_limit>},
    {"bulkhead_http_answers_total", "counter", "HTTP requests answered, by status.", answered},
    {"bulkhead_host_refused_connections_total", "counter", "Connections refused: too many, or not allowed from that address.",
     counter<&HostCounters::refused>},
    {"bulkhead_host_timed_out_connections_total", "counter", "Connections ended because the client took too long.",
     counter<&HostCounters::timed_out>},
    {"bulkhead_diagnosis_lines_total", "counter", "Commands received by the diagnosis port.",
     counter<&HostCounters::diagnosis_lines>},
};

}  // namespace

bool render_metrics(const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.section >= std::size(families))
        return false;
    const Family& family = families[cursor.section];
    if (cursor.item == 0 && cursor.position == 0)
        out << "# HELP " << family.name << ' ' << family.help << "\n# TYPE " << family.name << ' ' << family.type << '\n';
    if (!family.samples(family, sources, cursor, out))
        cursor.next_section();
    return true;
}

}  // namespace bulkhead::net
