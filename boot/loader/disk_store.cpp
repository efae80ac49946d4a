// SPDX-License-Identifier: BSD-2-Clause
#include "boot/loader/disk_store.hpp"

#include <cstring>

namespace bulkhead::loader {

namespace {

constexpr uint64_t sectors_a_copy = state_block_bytes / sector_bytes;

}  // namespace

const char* DiskStore::open()
{
    DiskLayout layout;
    if (const char* problem = find_slots(disk_, layout); problem != nullptr)
        return problem;
    for (size_t i = 0; i < slots_.size(); ++i)
        slots_[i] = {&disk_, layout.slots[i]};
    state_ = layout.state;
    return nullptr;
}

SlotStore DiskStore::store()
{
    SlotStore store{};
    for (size_t i = 0; i < slots_.size(); ++i)
        store.slots[i] = {read_slot, &slots_[i], slots_[i].range.count * sector_bytes};
    store.read_state = read_state;
    store.write_state = write_state;
    store.context = this;
    return store;
}

bool DiskStore::read_slot(void* context, uint64_t offset, void* to, uint64_t bytes)
{
    const auto* slot = static_cast<const Slot*>(context);
    const uint64_t first = offset / sector_bytes;
    const uint64_t count = (bytes + sector_bytes - 1) / sector_bytes;
    if (offset % sector_bytes != 0 || first > slot->range.count || count > slot->range.count - first)
        return false;
    return slot->disk->read(slot->disk->context, slot->range.first + first, static_cast<uint32_t>(count), to);
}

bool DiskStore::read_state(void* context, uint32_t copy, BootState& state)
{
    auto* self = static_cast<DiskStore*>(context);
    alignas(8) std::array<uint8_t, sector_bytes> sector;
    if ((copy + 1) * sectors_a_copy > self->state_.count
        || !self->disk_.read(self->disk_.context, self->state_.first + copy * sectors_a_copy, 1, sector.data()))
        return false;
    memcpy(&state, sector.data(), sizeof(state));
    return true;
}

bool DiskStore::write_state(void* context, uint32_t copy, const BootState& state)
{
    auto* self = static_cast<DiskStore*>(context);
    alignas(8) std::array<uint8_t, sector_bytes> sector{};
    memcpy(sector.data(), &state, sizeof(state));
    return self->disk_.write != nullptr && (copy + 1) * sectors_a_copy <= self->state_.count
        && self->disk_.write(self->disk_.context, self->state_.first + copy * sectors_a_copy, 1, sector.data());
}

}  // namespace bulkhead::loader
