// SPDX-License-Identifier: BSD-2-Clause
#include "core/slot_health.hpp"

#include "core/slot_mailbox.hpp"
#include "core/boot_allocator.hpp"
#include "core/log.hpp"
#include "core/partition.hpp"
#include "core/schedule.hpp"
#include "machine/clock.hpp"
#include "machine/memory.hpp"
#include "machine/power.hpp"

namespace bulkhead {

namespace {

constexpr uint64_t ns_per_s = 1'000'000'000;

struct State {
    BootSlot slot;
    uint64_t health_s;
    SlotHealth health{SlotHealth::no_slot};
    boot::Mailbox* note;        // null: the memory for it is not ours
    Nanoseconds judged_at{never};
    Nanoseconds restart_at{never};
};
constinit State state{};
constinit bool note_reserved{false};

char slot_letter(uint32_t slot) { return slot == 0 ? 'A' : 'B'; }

void write_note(boot::Health health)
{
    if (state.note == nullptr)
        return;
    const uint32_t request = state.note->is_sound() ? state.note->request : boot::no_request;
    *state.note = {0, 0, state.slot.number, state.slot.version, health, request};
    state.note->seal();
}

// Null: all is well. A partition that switched itself off is none of the image's failures.
const Partition* failed_partition()
{
    for (const Partition& partition : all_partitions()) {
        if (partition.health.crashes != 0 || partition.health.watchdog_fires != 0)
            return &partition;
    }
    return nullptr;
}

// A moment later, so that the console gets the reason out.
void restart_soon(const char* why)
{
    constexpr uint64_t delay_ns = ns_per_s;
    log("slot %c, version %lu: the box is being reset %s", slot_letter(state.slot.number), state.slot.version, why);
    state.restart_at = machine::now() + delay_ns;
}

// An image that fails on trial gives way at once; one that had proved itself goes on, and the selector
// counts it. One that has passed its trial restarts once, because only the selector can write down for
// good that it did: without that, cold starts would use up its tries.
void judge()
{
    const Partition* failed = failed_partition();
    state.health = failed == nullptr ? SlotHealth::healthy : SlotHealth::unhealthy;
    write_note(failed == nullptr ? boot::Health::healthy : boot::Health::unhealthy);
    const bool replaceable = state.slot.on_trial && state.slot.other_version != 0 && state.note != nullptr;
    if (failed != nullptr)
        log("slot %c, version %lu: not healthy: %s has crashed", slot_letter(state.slot.number), state.slot.version,
            failed->name());
    else if (state.slot.on_trial)
        log("slot %c, version %lu: healthy", slot_letter(state.slot.number), state.slot.version);
    if (replaceable)
        restart_soon(failed == nullptr ? "once, to confirm it" : "to let the other slot take over");
}

}  // namespace

void reserve_slot_note()
{
    note_reserved = take_free_memory({frame_of(HostPhysical(boot::mailbox_physical)), frames_for(boot::mailbox_bytes)});
}

void init_slot_health(const BootInfo& info, uint32_t health_s)
{
    state = {};
    state.slot = info.slot;
    if (info.slot.number >= BootSlot::none)
        return;
    state.health_s = health_s;
    state.health = SlotHealth::waiting;
    if (!note_reserved) {
        log("slot %c: the memory for its report is the firmware's; it cannot report itself healthy",
            slot_letter(info.slot.number));
        return;
    }
    state.note = machine::physical_pointer<boot::Mailbox>(HostPhysical(boot::mailbox_physical));
    state.note->magic = 0;
    write_note(boot::Health::unknown);
}

void start_slot_health()
{
    if (state.health != SlotHealth::waiting)
        return;
    state.judged_at = machine::now() + state.health_s * ns_per_s;
    set_watchdog_event(state.judged_at);
}

Nanoseconds check_slot_health(Nanoseconds now)
{
    if (now >= state.restart_at)
        machine::reboot();
    const bool decided = now >= state.judged_at || (state.slot.on_trial && failed_partition() != nullptr);
    if (state.health == SlotHealth::waiting && decided)
        judge();
    return state.health == SlotHealth::waiting ? state.judged_at : state.restart_at;
}

SlotView slot_view()
{
    const bool asked = state.note != nullptr && state.note->is_sound();
    return {state.slot, state.health, asked ? state.note->request : BootSlot::none, state.judged_at};
}

bool request_slot(uint32_t slot)
{
    if (state.note == nullptr || slot >= BootSlot::none)
        return false;
    state.note->request = slot;
    state.note->seal();
    return true;
}

void forget_unjudged_slot()
{
    if (state.health != SlotHealth::waiting || state.note == nullptr)
        return;
    // The request stays: a note about no slot.
    state.note->slot = boot::no_request;
    state.note->seal();
}

}  // namespace bulkhead
