// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/fdb.hpp"

namespace bulkhead::net {

bool Fdb::fix(Mac mac, Port& port)
{
    for (size_t i = start(mac), end = i + probes; i < end; ++i) {
        Entry& entry = entries_[i];
        if (entry.mac == 0 || entry.mac == mac) {
            entry = {mac, &port, {}, 0, true};
            return true;
        }
    }
    return false;
}

void Fdb::learn(Mac mac, uint16_t vlan, Port& port, Time now)
{
    Entry* place = nullptr;
    for (size_t i = start(mac), end = i + probes; i < end; ++i) {
        Entry& entry = entries_[i];
        if (entry.mac == mac) {
            if (!entry.fixed)
                entry = {mac, &port, now, vlan, false};
            return;
        }
        if (!entry.fixed && (place == nullptr || entry.seen < place->seen))
            place = &entry;
    }
    if (place != nullptr)
        *place = {mac, &port, now, vlan, false};
}

bool Fdb::is_fixed(Mac mac) const
{
    for (size_t i = start(mac), end = i + probes; i < end; ++i) {
        if (entries_[i].mac == mac)
            return entries_[i].fixed;
    }
    return false;
}

void Fdb::age(Time now)
{
    for (Entry& entry : entries_) {
        if (entry.mac != 0 && !entry.fixed && now - entry.seen > lifetime)
            entry = {};
    }
}

uint32_t Fdb::count() const
{
    uint32_t count = 0;
    for (const Entry& entry : entries_)
        count += entry.mac != 0;
    return count;
}

}  // namespace bulkhead::net
