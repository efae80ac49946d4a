// SPDX-License-Identifier: BSD-2-Clause
// The split virtqueue.
#include "pvdrivers/nic/virtqueue.hpp"

#include <atomic>

namespace bulkhead::nic {

using namespace virtio;

namespace {

// Stores stay in order, as do loads; only a load after a store needs an instruction.
void order() { std::atomic_signal_fence(std::memory_order_seq_cst); }
void store_before_load() { std::atomic_thread_fence(std::memory_order_seq_cst); }

}  // namespace

void Virtqueue::init(DmaRange memory, unsigned entries)
{
    memory_ = memory;
    entries_ = free_ = entries;
    for (unsigned i = 0; i < entries; ++i)
        state_[i] = {.next = i + 1 < entries ? static_cast<uint16_t>(i + 1) : none, .tag = none, .head = false};
    free_head_ = 0;
    available_ = shown_ = used_ = 0;
    want_interrupts(false);
}

void Virtqueue::add(std::span<const Part> parts)
{
    const uint16_t head = free_head_;
    uint16_t entry = head;
    uint16_t last = head;
    for (size_t i = 0; i < parts.size(); ++i) {
        const Part& part = parts[i];
        const bool more = i + 1 < parts.size();
        State& state = state_[entry];
        auto& descriptor = at<Descriptor>(entry * sizeof(Descriptor));
        descriptor.address = part.address;
        descriptor.length = part.bytes;
        descriptor.flags = static_cast<uint16_t>((part.device_writes ? DESCRIPTOR_WRITE : 0) |
                                                 (more ? DESCRIPTOR_NEXT : 0));
        descriptor.next = more ? state.next : uint16_t{0};
        state.tag = part.tag;
        last = entry;
        entry = state.next;
    }
    free_head_ = state_[last].next;
    state_[last].next = none;
    state_[head].head = true;
    free_ -= static_cast<unsigned>(parts.size());
    at<uint16_t>(available_at + 4 + 2 * (available_ % entries_)) = head;
    ++available_;
}

bool Virtqueue::publish()
{
    if (shown_ == available_)
        return false;
    order();
    at<uint16_t>(available_at + 2) = available_;
    shown_ = available_;
    store_before_load();
    return (at<uint16_t>(used_at) & USED_NO_NOTIFY) == 0;
}

bool Virtqueue::used_waits() const { return at<uint16_t>(used_at + 2) != used_; }

Virtqueue::Used Virtqueue::next_used()
{
    const uint16_t theirs = at<uint16_t>(used_at + 2);
    if (theirs == used_)
        return {};
    if (static_cast<uint16_t>(theirs - used_) > entries_)
        return {.got = Got::nonsense};
    order();
    const size_t element = used_at + 4 + sizeof(UsedElement) * (used_ % entries_);
    const uint32_t id = at<uint32_t>(element);
    const uint32_t bytes = at<uint32_t>(element + 4);
    if (id >= entries_ || !state_[id].head)
        return {.got = Got::nonsense};
    ++used_;
    return {.got = Got::chain, .head = static_cast<uint16_t>(id), .bytes = bytes};
}

void Virtqueue::want_interrupts(bool wanted)
{
    at<uint16_t>(available_at) = wanted ? uint16_t{0} : AVAILABLE_NO_INTERRUPT;
    if (wanted)
        store_before_load();        // the caller looks at the used ring next
}

}  // namespace bulkhead::nic
