// SPDX-License-Identifier: BSD-2-Clause
// The BIOS loader in 64-bit mode: starts a slot of the disk that the BIOS started.
#include "boot/loader/bios/bios.hpp"
#include "boot/loader/disk_store.hpp"
#include "boot/loader/mailbox.hpp"
#include "boot/loader/pool.hpp"
#include "boot/loader/serial.hpp"
#include "boot/loader/slot_key.hpp"
#include "platform/x86/instructions.hpp"

#include <cstring>

extern "C" {
[[noreturn]] void bios_main(uint8_t drive);
extern char loader_bss_begin[], loader_bss_end[];
}

namespace bulkhead::loader::bios {

namespace {

constinit Pool pool{};
constinit boot::Handover memory_map{};

uint64_t allocate(uint64_t bytes, uint64_t, uint64_t) { return pool.take(bytes); }

[[noreturn]] void refuse(const char* problem)
{
    say("Bulkhead cannot start: ");
    say(problem);
    say(".\n");
    x86::halt_for_ever();
}

[[noreturn]] void start(uint8_t drive)
{
    serial_start();
    if (!read_memory_map(memory_map))
        refuse("the BIOS has no memory map (INT 15h, E820)");
    pool.open(memory_map, 2 * most_core_bytes);

    Disk disk{};
    if (const char* problem = open_drive(drive, disk); problem != nullptr)
        refuse(problem);
    DiskStore slots(disk);
    if (const char* problem = slots.open(); problem != nullptr)
        refuse(problem);
    boot::Mailbox mailbox = take_mailbox();
    LoadedSlot loaded{};
    boot::HandoverSlot slot{};
    if (const char* problem = select_slot(slots.store(), slot_key(), {allocate, say}, mailbox, loaded, slot);
        problem != nullptr)
        refuse(problem);

    boot::Handover& handover = handover_in(loaded.work);
    begin_handover(handover, "BIOS disk", loaded);
    handover.slot = slot;
    copy_ranges(handover, memory_map);
    enter_core(loaded.work, loaded.core);
}

}  // namespace

}  // namespace bulkhead::loader::bios

void bios_main(uint8_t drive)
{
    memset(loader_bss_begin, 0, static_cast<size_t>(loader_bss_end - loader_bss_begin));
    bulkhead::loader::bios::start(drive);
}
