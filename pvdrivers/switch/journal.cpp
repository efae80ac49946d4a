// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/journal.hpp"

namespace bulkhead::net {

namespace {

void order()
{
    asm volatile("" ::: "memory");
}

}  // namespace

Result<> Journal::open(std::span<std::byte> region)
{
    if (region.size() < sizeof(JournalRegion))
        return failure(XEN_ENOSPC);
    region_ = reinterpret_cast<JournalRegion*>(region.data());
    const bool can_be_right = region_->magic == JournalRegion::right_magic && region_->count <= RxRing::slots &&
                              region_->ring.vif < most_vifs && region_->ring.queue < most_queues;
    if (!can_be_right) {
        region_->magic = 0;
        order();
        std::memset(&region_->count, 0, sizeof(JournalRegion) - offsetof(JournalRegion, count));
        order();
        region_->magic = JournalRegion::right_magic;
    }
    return {};
}

void Journal::set(uint64_t& word, uint64_t value)
{
    stop_point();
    __atomic_store_n(&word, value, __ATOMIC_RELEASE);
}

void Journal::seal(const RingName& name, uint32_t begin, uint32_t count)
{
    stop_point();
    region_->begin = begin;
    region_->ring = name;
    order();
    set(region_->count, count);
    order();
}

void Journal::clear()
{
    order();
    set(region_->count, 0);
    order();
}

GroupWords& Journal::groups(uint32_t vif, uint32_t life, uint32_t connection)
{
    JournalRegion::Card& card = region_->cards[vif];
    if (card.life != life || card.connection != connection) {
        card.life = 0;
        order();
        card.groups.fill(0);
        card.connection = connection;
        order();
        card.life = life;
    }
    return card.groups;
}

}  // namespace bulkhead::net
