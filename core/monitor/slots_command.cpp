// SPDX-License-Identifier: BSD-2-Clause
// slots: which slot runs, whether it has proved itself, and which one starts next.
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/slot_health.hpp"
#include "machine/clock.hpp"

namespace bulkhead {

namespace {

const char* slot_name(uint32_t slot) { return slot == 0 ? "A" : "B"; }

void put_health(const SlotView& view, TextOut& out)
{
    switch (view.health) {
    case SlotHealth::waiting:
        if (view.judged_at > machine::now())
            out.print("not yet judged: in %s\n", duration_text(view.judged_at - machine::now()).data());
        else
            out.put("not yet judged\n");
        break;
    case SlotHealth::healthy:
        out.put("healthy\n");
        break;
    default:
        out.put("not healthy\n");
        break;
    }
}

void show(TextOut& out)
{
    const SlotView view = slot_view();
    if (view.health == SlotHealth::no_slot) {
        out.put("This image was not started from a slot.\n");
        return;
    }
    const BootSlot& slot = view.slot;
    out.print("slot %s runs: version %llu, %s, ", slot_name(slot.number), wide(slot.version),
              slot.on_trial ? "on trial" : "proved");
    put_health(view, out);
    if (slot.other_version != 0)
        out.print("slot %s could start: version %llu\n", slot_name(1 - slot.number), wide(slot.other_version));
    else
        out.print("slot %s holds nothing that could start\n", slot_name(1 - slot.number));
    if (view.requested < BootSlot::none)
        out.print("slot %s is to start next\n", slot_name(view.requested));
}

void choose(std::string_view word, TextOut& out)
{
    const bool first = word == "a" || word == "A";
    if (!first && word != "b" && word != "B") {
        out.put("slots use A, or slots use B\n");
        return;
    }
    const SlotView view = slot_view();
    const uint32_t wanted = first ? 0 : 1;
    if (view.health == SlotHealth::no_slot)
        out.put("This image was not started from a slot.\n");
    else if (wanted != view.slot.number && view.slot.other_version == 0)
        out.print("Slot %s holds nothing that could start.\n", slot_name(wanted));
    else if (request_slot(wanted))
        out.print("Slot %s starts from the next reboot on.\n", slot_name(wanted));
    else
        out.put("The note for the next start cannot be left: its memory is in use.\n");
}

}  // namespace

void start_slots(CommandRun&, const Words& words, TextOut& out)
{
    if (words.count == 1)
        show(out);
    else if (words[1] == "use")
        choose(words[2], out);
    else
        out.put("slots, or slots use A|B\n");
}

}  // namespace bulkhead
