// SPDX-License-Identifier: BSD-2-Clause
// The commands of the diagnosis port, named as the monitor's.
#include "pvdrivers/switch/host/diagnosis.hpp"
#include "pvdrivers/switch/host/history.hpp"

#include <algorithm>

namespace bulkhead::net {

namespace {

bool help(const Sources&, Cursor& cursor, Text& out);

bool version(const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.item++ != 0)
        return false;
    const BoxFigures box = sources.box.box();
    out << "Bulkhead " << Plain{box.version.view()} << "\nplan: " << Plain{box.model.view()} << "\nup for "
        << Span{box.uptime_ns / 1'000'000'000} << '\n';
    return true;
}

bool parts(const Sources& sources, Cursor& cursor, Text& out)
{
    PartitionFigures partition;
    if (!sources.box.partition(cursor.item, partition))
        return false;
    if (cursor.item == 0)
        out << " #  name              state          vCPUs      memory  lives  crashes     CPU    CPU time\n";
    const size_t start = out.size();
    out << Right{cursor.item + 1, 2} << "  " << Plain{partition.name.view()};
    out.column(start, 22) << state_name(partition.state);
    out.column(start, 37) << Right{partition.vcpus, 5} << "  " << Right{partition.memory_bytes >> 10, 6} << " KiB"
                          << Right{partition.lives, 7} << Right{partition.crashes, 9} << "  ";
    const uint32_t share = sources.history.share(cursor.item);
    out << Right{share / 10, 3} << '.' << share % 10 << " %" << Right{partition.cpu_ns / 1'000'000'000, 8} << '.';
    const uint64_t ms = partition.cpu_ns / 1'000'000 % 1000;
    out << ms / 100 << ms / 10 % 10 << ms % 10 << " s\n";
    ++cursor.item;
    return true;
}

void card_line(const PortFigures& port, Text& out)
{
    const size_t start = out.size();
    out << "  card " << Plain{port.name};
    out.column(start, 24) << "on " << Plain{port.network} << ", " << Mac{port.mac} << ", " << Plain{port.state} << '\n';
}

bool part(const Sources& sources, Cursor& cursor, Text& out)
{
    PartitionFigures partition;
    if (!sources.box.partition(cursor.subject, partition))
        return false;
    if (cursor.item == 0) {
        out << Plain{partition.name.view()} << ", domain " << partition.domain << ", type " << Plain{partition.type.view()}
            << "\n  state        " << state_name(partition.state) << "\n  memory       " << Bytes{partition.memory_bytes}
            << "\n  vCPUs        " << partition.vcpus << "\n  CPU time     " << Decimal{partition.cpu_ns, 9, 3} << " s, now "
            << Decimal{sources.history.share(cursor.subject), 1, 1} << " % of one CPU\n  lives        " << partition.lives
            << " starts, " << partition.crashes << " crashes, " << partition.watchdogs << " watchdog\n";
        cursor.item = 1;
        return true;
    }
    if (cursor.item > sources.figures.ports())
        return false;
    const PortFigures port = sources.figures.port(cursor.item++ - 1);
    if (port.kind == PortKind::vif && port.domain == partition.domain)
        card_line(port, out);
    return true;
}

bool cpus(const Sources& sources, Cursor& cursor, Text& out)
{
    CpuFigures cpu;
    if (!sources.box.cpu(cursor.item, cpu))
        return false;
    if (cursor.item == 0)
        out << "CPU  in use      used so far  runs now\n";
    const uint32_t busy = sources.history.busy(cursor.item);
    out << Right{cursor.item, 3} << Right{busy / 10, 4} << '.' << busy % 10 << " %" << Right{cpu.used_ns / 1'000'000'000, 16}
        << " s  ";
    PartitionFigures partition;
    if (sources.box.partition(cpu.partition, partition))
        out << Plain{partition.name.view()} << '\n';
    else
        out << "idle\n";
    ++cursor.item;
    return true;
}

// A port's figures, then its counters that are not zero.
bool vifs(const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.item >= sources.figures.ports())
        return false;
    const PortFigures port = sources.figures.port(cursor.item);
    if (cursor.position == 0) {
        out << Plain{port.network} << ": " << Plain{port.name} << ", " << Mac{port.mac} << ", " << Plain{port.state};
        if (port.kind == PortKind::vif)
            out << ", " << port.queues << " queues";
        if (port.kind == PortKind::uplink)
            out << ", " << Plain{port.driver} << ' ' << Plain{port.device} << ", " << port.link_mbits << " Mbit/s";
        out << "\n  from it " << Right{port.in.frames, 14} << " frames " << Right{port.in.bytes, 18} << " bytes\n  to it   "
            << Right{port.out.frames, 14} << " frames " << Right{port.out.bytes, 18} << " bytes\n";
    }
    const auto names = sources.figures.counter_names();
    const size_t count = std::min(names.size(), port.counters.size());
    for (; cursor.position < count && out.left() > 256; ++cursor.position)
        if (const uint64_t value = port.counters[cursor.position]; value != 0)
            out << Right{value, 24} << "  " << names[cursor.position].text << '\n';
    if (cursor.position >= count) {
        cursor.position = 0;
        ++cursor.item;
    }
    return true;
}

bool fdb(const Sources& sources, Cursor& cursor, Text& out)
{
    if (cursor.item++ == 0)
        out << "address            VLAN    age/s  network and port\n";
    FdbFigures entry;
    const size_t next = sources.figures.next_fdb(cursor.position, entry);
    if (next == 0)
        return cursor.item == 1;    // of an empty table the head is all
    cursor.position = next;
    out << Mac{entry.mac} << Right{entry.vlan, 6};
    if (entry.fixed)
        out << "    fixed  ";
    else
        out << Right{entry.age_s, 9} << "  ";
    out << Plain{entry.network} << ' ' << Plain{entry.port} << '\n';
    return true;
}

// Lines that are written while it is read come, too, up to a bound.
bool log(const Sources& sources, Cursor& cursor, Text& out)
{
    constexpr uint32_t most_parts = 5000;
    LogPart part;
    if (cursor.item++ == most_parts || !sources.box.log(cursor.subject, cursor.position, part))
        return false;
    if (part.is_stamped) {
        const uint64_t us = part.time_ns / 1000;
        out << '[' << Right{us / 1'000'000, 5} << '.';
        for (uint64_t unit = 100'000, rest = us % 1'000'000; unit != 0; unit /= 10)
            out << static_cast<char>('0' + rest / unit % 10);
        out << "] ";
    }
    std::string_view text = part.text.view();
    if (part.ends_line && text.ends_with('\r'))
        text.remove_suffix(1);
    out << Plain{text};
    if (part.ends_line)
        out << '\n';
    return true;
}

enum class Takes : uint8_t { nothing, a_partition, perhaps_a_partition };

struct Command {
    std::string_view word;
    Takes takes;
    Render render;          // null: quit
    std::string_view help;
};
constexpr Command commands[] = {
    {"help", Takes::nothing, help, "help           what there is"},
    {"parts", Takes::nothing, parts, "parts          all partitions in a table"},
    {"part", Takes::a_partition, part, "part NAME      one partition, and its network cards"},
    {"cpus", Takes::nothing, cpus, "cpus           CPUs: what they run, time used"},
    {"vifs", Takes::nothing, vifs, "vifs           ports of the switch, and their counters that are not zero"},
    {"fdb", Takes::nothing, fdb, "fdb            addresses that the switch knows"},
    {"log", Takes::perhaps_a_partition, log, "log [NAME]     the core's log, or a partition's"},
    {"version", Takes::nothing, version, "version        what runs here, and for how long"},
    {"quit", Takes::nothing, nullptr, "quit           end of the connection"},
};

bool help(const Sources&, Cursor& cursor, Text& out)
{
    if (cursor.item >= std::size(commands))
        return false;
    out << "  " << commands[cursor.item++].help << '\n';
    return true;
}

std::string_view next_word(std::string_view& line)
{
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    const std::string_view word = line.substr(0, line.find_first_of(" \t"));
    line.remove_prefix(word.size());
    return word;
}

bool find_partition(const Sources& sources, std::string_view name, uint32_t& index)
{
    PartitionFigures partition;
    for (uint32_t i = 0; sources.box.partition(i, partition); ++i)
        if (partition.name.view() == name) {
            index = i;
            return true;
        }
    return false;
}

}  // namespace

Answer understand(const Sources& sources, std::string_view line)
{
    const std::string_view word = next_word(line);
    const std::string_view name = next_word(line);
    if (word.empty())
        return {};
    const auto command = std::ranges::find(commands, word, &Command::word);
    if (command == std::end(commands))
        return {.text = "no such command; help lists them\n"};
    if (!next_word(line).empty() || (command->takes == Takes::nothing && !name.empty()))
        return {.text = "too many words\n"};
    if (command->render == nullptr)
        return {.ends = true};
    Answer answer{.render = command->render};
    if (name.empty()) {
        if (command->takes == Takes::a_partition)
            return {.text = "which partition?\n"};
        answer.cursor.subject = Box::core_log;
    } else if (!find_partition(sources, name, answer.cursor.subject)) {
        return {.text = "no such partition; parts lists them\n"};
    }
    return answer;
}

}  // namespace bulkhead::net
