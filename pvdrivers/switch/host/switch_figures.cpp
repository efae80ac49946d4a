// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/switch_figures.hpp"

#include "pvdrivers/switch/counters.hpp"

namespace bulkhead::net {

std::span<const CounterName> SwitchFigures::counter_names() const { return net::counter_names; }

NetworkFigures SwitchFigures::network(size_t index) const
{
    const Bridge& bridge = *bridges_[index];
    return {bridge.name, bridge.mtu, bridge.fdb.count(), static_cast<uint32_t>(Fdb::slots)};
}

size_t SwitchFigures::ports() const
{
    size_t count = 0;
    for (const Bridge* bridge : bridges_)
        count += bridge->ports().size();
    return count;
}

PortFigures SwitchFigures::port(size_t index) const
{
    for (const Bridge* bridge : bridges_) {
        if (index < bridge->ports().size())
            return bridge->ports()[index]->figures();
        index -= bridge->ports().size();
    }
    return {};
}

size_t SwitchFigures::next_fdb(size_t position, FdbFigures& figures) const
{
    if (bridges_.empty())
        return 0;
    const size_t slots = bridges_[0]->fdb.size();
    for (; position < bridges_.size() * slots; ++position) {
        const Bridge& bridge = *bridges_[position / slots];
        const Fdb::Entry& entry = bridge.fdb.at(position % slots);
        if (entry.mac == 0)
            continue;
        figures.network = bridge.name;
        figures.port = entry.port->name;
        std::memcpy(figures.mac.data(), &entry.mac, figures.mac.size());
        figures.vlan = entry.vlan;
        figures.fixed = entry.fixed;
        figures.age_s = entry.fixed ? 0
                                    : static_cast<uint32_t>(
                                          std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - entry.seen).count());
        return position + 1;
    }
    return 0;
}

}  // namespace bulkhead::net
