// SPDX-License-Identifier: BSD-2-Clause
// A switch and a box that tests make up, and whole documents from them.
#pragma once

#include "pvdrivers/abi/bulkhead.h"
#include "pvdrivers/switch/host/history.hpp"
#include "pvdrivers/switch/host/sources.hpp"

#include <string>
#include <vector>

namespace bulkhead::net {

struct FakeFigures final : Figures {
    std::vector<CounterName> names{{"spoofed_source", "source address is not the card's"}, {"runt", "shorter than <60> bytes"}};
    std::vector<NetworkFigures> all_networks{{"lan0", 1500, 2, 1024}};
    std::vector<std::vector<uint64_t>> counters;
    std::vector<PortFigures> all_ports;
    std::vector<FdbFigures> entries;

    FakeFigures()
    {
        add({.kind = PortKind::vif, .name = "gateway/0", .network = "lan0", .state = "connected", .up = true,
             .mac = {0, 0x16, 0x3e, 1, 2, 3}, .in = {10, 1000}, .out = {20, 2000}, .domain = 1, .queues = 2});
        add({.kind = PortKind::uplink, .name = "uplink", .network = "lan0", .state = "link up", .up = true,
             .driver = "e1000e", .device = "00:03.0 8086:10d3", .link_mbits = 1000});
        add({.kind = PortKind::host, .name = "host", .network = "lan0", .state = "up", .up = true});
        entries.push_back({.network = "lan0", .port = "gateway/0", .mac = {0, 0x16, 0x3e, 1, 2, 3}, .fixed = true});
        entries.push_back({.network = "lan0", .port = "uplink", .mac = {2, 0, 0, 0, 0, 9}, .vlan = 7, .age_s = 12});
    }
    void add(PortFigures port)
    {
        all_ports.push_back(port);
        counters.emplace_back(names.size());
    }
    [[nodiscard]] std::span<const CounterName> counter_names() const override { return names; }
    [[nodiscard]] size_t networks() const override { return all_networks.size(); }
    [[nodiscard]] NetworkFigures network(size_t index) const override { return all_networks.at(index); }
    [[nodiscard]] size_t ports() const override { return all_ports.size(); }
    [[nodiscard]] PortFigures port(size_t index) const override
    {
        PortFigures port = all_ports.at(index);
        port.counters = counters.at(index);
        return port;
    }
    [[nodiscard]] size_t next_fdb(size_t position, FdbFigures& entry) const override
    {
        if (position >= entries.size())
            return 0;
        entry = entries[position];
        return position + 1;
    }
};

struct FakeBox final : Box {
    BoxFigures figures{"v1.2", "edge demo", 3'723'500'000'000, 2, 2};
    std::vector<CpuFigures> cpus{{1'000'000'000, 0}, {2'000'000'000, 99}};
    std::vector<PartitionFigures> partitions{
        {"gateway", "pv", 1, BULKHEAD_CLIENT_running, 2, 256 << 20, 13'525'000'000, 1, 0, 0},
        {"control", "pv", 2, BULKHEAD_CLIENT_crashed, 1, 128 << 20, 2'000'000, 3, 2, 1}};
    std::string core_text = "core line one\ncore line two\n";

    [[nodiscard]] BoxFigures box() const override { return figures; }
    [[nodiscard]] bool cpu(uint32_t index, CpuFigures& cpu) const override
    {
        if (index >= cpus.size())
            return false;
        cpu = cpus[index];
        return true;
    }
    [[nodiscard]] bool partition(uint32_t index, PartitionFigures& partition) const override
    {
        if (index >= partitions.size())
            return false;
        partition = partitions[index];
        return true;
    }
    [[nodiscard]] bool log(uint32_t partition, uint64_t& position, LogPart& part) const override
    {
        const std::string text = partition == core_log ? core_text : "log of " + std::to_string(partition) + "\n";
        if (position >= text.size())
            return false;
        const size_t end = text.find('\n', position);
        part.ends_line = end != text.npos;
        part.text = std::string_view(text).substr(position, end - position);
        part.is_stamped = true;
        part.time_ns = 1'234'567'000;
        position = part.ends_line ? end + 1 : text.size();
        return true;
    }
};

struct FakeSources {
    FakeFigures figures;
    FakeBox box;
    History history;
    HostCounters counters;
    Sources sources{figures, box, history, counters};

    // The whole of it; the longest item goes to `longest`.
    std::string document(Render render, Cursor cursor = {})
    {
        std::string all;
        for (size_t items = 0; items < 1'000'000; ++items) {
            std::array<char, item_bytes> room;
            Text item(room);
            const bool more = render(sources, cursor, item);
            overflowed = overflowed || item.overflowed();
            longest = std::max(longest, item.size());
            if (!more)
                return item.size() == 0 ? all : "text in the end";
            all += item.view();
        }
        return "no end";
    }
    size_t longest = 0;
    bool overflowed = false;
};

}  // namespace bulkhead::net
