// SPDX-License-Identifier: BSD-2-Clause
#include "boot/loader/select_slot.hpp"

#include <cstring>

namespace bulkhead::loader {

namespace {

const char* slot_name(uint32_t slot) { return slot == 0 ? "slot A" : "slot B"; }

void say_problem(const LoaderServices& services, uint32_t slot, const char* problem)
{
    services.say("Bulkhead: ");
    services.say(slot_name(slot));
    services.say(" is not started: ");
    services.say(problem);
    services.say(".\n");
}

BootState read_state(const SlotStore& store)
{
    std::array<BootState, 2> copies;
    for (uint32_t i = 0; i < copies.size(); ++i) {
        if (!store.read_state(store.context, i, copies[i]))
            copies[i] = {};
    }
    return newest_state(copies[0], copies[1]);
}

// A state that cannot be kept must not stop the box; it is said.
void keep_state(const SlotStore& store, const LoaderServices& services, BootState& state)
{
    const uint32_t copy = seal_state(state);
    if (store.write_state == nullptr || !store.write_state(store.context, copy, state))
        services.say("Bulkhead: the state of the slots cannot be written; tries are not counted.\n");
}

struct Slots {
    std::array<SlotHeader, 2> headers;
    Candidates candidates;
};

void open_slots(const SlotStore& store, const PublicKey& key, const LoaderServices& services, Slots& slots)
{
    for (uint32_t i = 0; i < 2; ++i) {
        const SlotHeader& header = slots.headers[i];
        const char* problem = open_slot(store.slots[i], key, slots.headers[i]);
        if (problem != nullptr) {
            if (problem != slot_is_empty)
                say_problem(services, i, problem);
            slots.candidates[i] = {};
            continue;
        }
        slots.candidates[i] = {true, header.version, header.minimum_version, header.tries};
    }
}

boot::HandoverSlot describe(const BootState& state, const Slots& slots, const Order& order, uint32_t slot)
{
    const uint32_t other = 1 - slot;
    bool other_could_start = false;
    for (uint32_t i = 0; i < order.count; ++i)
        other_could_start |= order.slots[i] == other && state.slots[other].status != SlotStatus::failed;
    const SlotHeader& header = slots.headers[slot];
    return {slot, state.slots[slot].status != SlotStatus::confirmed ? 1U : 0U, header.version,
            other_could_start ? slots.candidates[other].version : 0, header.health_seconds, 0};
}

}  // namespace

const char* select_slot(const SlotStore& store, const PublicKey& key, const LoaderServices& services,
                        boot::Mailbox& mailbox, LoadedSlot& loaded, boot::HandoverSlot& slot)
{
    Slots slots;
    open_slots(store, key, services, slots);
    BootState state = read_state(store);
    bool changed = note_last_run(state, slots.candidates, mailbox);
    memset(&mailbox, 0, sizeof(mailbox));

    const Order order = start_order(state, slots.candidates);
    for (uint32_t i = 0; i < order.count; ++i) {
        const uint32_t chosen = order.slots[i];
        changed |= note_start(state, slots.candidates, chosen);
        if (changed)
            keep_state(store, services, state);
        changed = false;
        const char* problem = load_slot(store.slots[chosen], slots.headers[chosen], services, loaded);
        if (problem == nullptr) {
            slot = describe(state, slots, order, chosen);
            return nullptr;
        }
        say_problem(services, chosen, problem);
        state.slots[chosen].status = SlotStatus::failed;
        changed = true;
    }
    if (changed)
        keep_state(store, services, state);
    return "no slot holds an image that may start";
}

}  // namespace bulkhead::loader
