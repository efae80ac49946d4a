// SPDX-License-Identifier: BSD-2-Clause
#include "boot/loader/selector.hpp"

namespace bulkhead::loader {

namespace {

constexpr uint32_t slot_count = 2;

// A new image in a slot; the operator's choice was about what was there before.
bool begin_anew(BootState& state, uint32_t slot, const Candidate& candidate)
{
    if (!candidate.usable || state.slots[slot].version == candidate.version)
        return false;
    state.slots[slot] = {candidate.version, SlotStatus::trial, candidate.tries};
    state.preferred = no_slot;
    return true;
}

bool note_health(BootState& state, const Candidates& candidates, const boot::Mailbox& mailbox)
{
    if (mailbox.slot >= slot_count)
        return false;
    SlotRecord& record = state.slots[mailbox.slot];
    const Candidate& candidate = candidates[mailbox.slot];
    if (!candidate.usable || candidate.version != mailbox.version)
        return false;
    if (mailbox.health == boot::Health::healthy) {
        const bool news = record.status != SlotStatus::confirmed || candidate.minimum_version > state.lowest_version;
        record.status = SlotStatus::confirmed;
        if (candidate.minimum_version > state.lowest_version)
            state.lowest_version = candidate.minimum_version;
        return news;
    }
    if (record.status != SlotStatus::confirmed)
        return false;
    // One that had proved itself gets the tries of a new one; this run was the first of them.
    record.status = SlotStatus::trial;
    record.tries_left = candidate.tries == 0 ? 0 : candidate.tries - 1;
    return true;
}

bool note_request(BootState& state, const Candidates& candidates, uint32_t request)
{
    if (request >= slot_count || !candidates[request].usable)
        return false;
    SlotRecord& record = state.slots[request];
    state.preferred = request;
    if (record.status == SlotStatus::failed)
        record = {record.version, SlotStatus::trial, candidates[request].tries};
    return true;
}

bool may_start(const BootState& state, const Candidate& candidate)
{
    return candidate.usable && candidate.version >= state.lowest_version;
}

bool is_only_one(const Candidates& candidates, uint32_t slot) { return !candidates[1 - slot].usable; }

// Smaller starts first.
uint32_t rank(const BootState& state, uint32_t slot)
{
    if (state.slots[slot].status == SlotStatus::failed)
        return 2;
    return state.preferred == slot ? 0 : 1;
}

}  // namespace

bool note_last_run(BootState& state, const Candidates& candidates, const boot::Mailbox& mailbox)
{
    bool changed = false;
    for (uint32_t slot = 0; slot < slot_count; ++slot)
        changed |= begin_anew(state, slot, candidates[slot]);
    if (mailbox.is_sound()) {
        changed |= note_health(state, candidates, mailbox);
        changed |= note_request(state, candidates, mailbox.request);
    }
    // Only now: the last of the tries may have been the one that went well.
    for (uint32_t slot = 0; slot < slot_count; ++slot) {
        SlotRecord& record = state.slots[slot];
        if (record.status == SlotStatus::trial && record.tries_left == 0 && candidates[slot].usable) {
            record.status = SlotStatus::failed;
            changed = true;
        }
    }
    return changed;
}

Order start_order(const BootState& state, const Candidates& candidates)
{
    Order order{};
    for (uint32_t slot = 0; slot < slot_count; ++slot) {
        if (may_start(state, candidates[slot]))
            order.slots[order.count++] = slot;
    }
    if (order.count < slot_count)
        return order;
    const uint32_t first = rank(state, 0);
    const uint32_t second = rank(state, 1);
    const bool swap = first != second ? second < first : candidates[1].version > candidates[0].version;
    if (swap)
        order.slots = {1, 0};
    return order;
}

bool note_start(BootState& state, const Candidates& candidates, uint32_t slot)
{
    SlotRecord& record = state.slots[slot];
    if (record.status != SlotStatus::trial || is_only_one(candidates, slot))
        return false;
    if (record.tries_left > 0)
        --record.tries_left;
    else
        record.status = SlotStatus::failed;
    return true;
}

}  // namespace bulkhead::loader
