// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/uplinks.hpp"

#include "pvdrivers/nic/make.hpp"

#include <bulkhead/console.hpp>
#include <bulkhead/traps.hpp>

#include <cstdio>
#include <new>

namespace bulkhead::net {

namespace {

using namespace std::chrono_literals;
constexpr Duration maintenance = 1s;

void on_interrupt(void* context, bulkhead::Port) { static_cast<Uplink*>(context)->look(); }

size_t device_count()
{
    size_t count = 0;
    for (SliceNode node = slice().child("devices").first_child(); node; node = node.next_sibling())
        ++count;
    return count;
}

using Text = std::array<char, 128>;

// "00:03.0 8086:10d3", or why there is none.
void describe(const DeviceInfo& info, Text& text)
{
    if (!info.present)
        (void)sniprintf(text.data(), text.size(), "%.*s", static_cast<int>(info.why.size()), info.why.data());
    else
        (void)sniprintf(text.data(), text.size(), "%02x:%02x.%x %04x:%04x", info.address >> 8, info.address >> 3 & 31,
                        info.address & 7, info.vendor, info.device);
}

// This device's part of the memory that devices reach.
nic::DmaArena part_of_arena(uint32_t index)
{
    const nic::DmaArena all = nic::dma_arena();
    const size_t bytes = all.memory.size() / device_count() / page_bytes * page_bytes;
    return {all.memory.subspan(index * bytes, bytes), all.address + index * bytes};
}

// Lives as long as the program.
struct Card {
    Device device;
    Text place;
};

}  // namespace

void Uplinks::add(SliceNode network, Bridge& bridge)
{
    const auto index = network.number("device");
    if (!index || *index >= device_count() || count_ == uplinks_.size())
        return;
    const auto number = static_cast<uint32_t>(*index);
    const char* const name = bridge.name.data();
    const auto opened = Device::open(number);
    if (!opened) {
        print("network %s: no uplink: %s\n", name, name_of(opened.error()));
        return;
    }
    auto* card = new (std::nothrow) Card{*opened, {}};
    if (card == nullptr)
        crash("too little memory for an uplink");
    describe(card->device.info(), card->place);
    auto* uplink = new (std::nothrow) Uplink(card->place.data());
    if (uplink == nullptr || !bridge.add(*uplink))
        crash("too little memory for an uplink");
    uplinks_[count_++] = uplink;
    if (!card->device.info().present) {
        print("network %s: no uplink: %s\n", name, card->place.data());
        return;
    }
    const auto nic = nic::make_nic(card->device, part_of_arena(number), {on_interrupt, uplink});
    if (!nic) {
        print("network %s: the card %s does not come up: %s\n", name, card->place.data(), name_of(nic.error()));
        return;
    }
    uplink->attach(**nic);
    print("network %s: uplink %s at %s\n", name, (*nic)->name(), card->place.data());
    const Duration every = (*nic)->poll_every();
    if (every != Duration::zero() && (poll_every_ == Duration::zero() || every < poll_every_))
        poll_every_ = every;
}

void Uplinks::start()
{
    if (count_ != 0)
        second_.start(Clock::now() + maintenance);
    if (poll_every_ != Duration::zero())
        poll_.start(Clock::now() + poll_every_);
}

bool Uplinks::serve(Copies& copies)
{
    bool more = false;
    for (Uplink* uplink : all())
        more = uplink->serve(copies) || more;
    return more;
}

void Uplinks::each_second(void* context)
{
    auto& self = *static_cast<Uplinks*>(context);
    const Time now = Clock::now();
    for (Uplink* uplink : self.all()) {
        uplink->bridge->fdb.age(now);
        uplink->maintain();
    }
    self.second_.start(now + maintenance);
}

void Uplinks::poll_cards(void* context)
{
    auto& self = *static_cast<Uplinks*>(context);
    for (Uplink* uplink : self.all())
        uplink->look();
    self.poll_.start(Clock::now() + self.poll_every_);
}

}  // namespace bulkhead::net
