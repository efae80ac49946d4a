// SPDX-License-Identifier: BSD-2-Clause
// The ROM loader in 64-bit mode: the only firmware of its box. Starts a slot of the flash.
#include "boot/loader/mailbox.hpp"
#include "boot/loader/pool.hpp"
#include "boot/loader/rom/acpi_loader.hpp"
#include "boot/loader/rom/chipset.hpp"
#include "boot/loader/rom/flash_store.hpp"
#include "boot/loader/rom/fw_cfg.hpp"
#include "boot/loader/serial.hpp"
#include "boot/loader/slot_key.hpp"
#include "platform/x86/instructions.hpp"

extern "C" [[noreturn]] void rom_main();

namespace bulkhead::loader::rom {

namespace {

constinit Pool pool{};
constinit boot::Handover memory_map{};

constexpr uint32_t acpi_reclaimable = 3;

uint64_t take(uint64_t bytes) { return pool.take(bytes); }
uint64_t allocate(uint64_t bytes, uint64_t, uint64_t) { return pool.take(bytes); }

void say(const char* text)
{
    for (; *text != '\0'; ++text)
        serial_put(*text);
}

[[noreturn]] void refuse(const char* problem)
{
    say("Bulkhead cannot start: ");
    say(problem);
    say(".\n");
    x86::halt_for_ever();
}

}  // namespace

}  // namespace bulkhead::loader::rom

void rom_main()
{
    using namespace bulkhead::loader;
    using namespace bulkhead::loader::rom;
    serial_start();
    if (!rom::read_memory_map(memory_map))
        refuse("nothing says how much memory there is");
    set_up_chipset(memory_map);
    pool.open(memory_map, 2 * most_core_bytes);

    SlotStore store{};
    if (const char* problem = open_flash(store); problem != nullptr)
        refuse(problem);
    bulkhead::boot::Mailbox mailbox = take_mailbox();
    LoadedSlot loaded{};
    bulkhead::boot::HandoverSlot slot{};
    if (const char* problem = select_slot(store, slot_key(), {allocate, say}, mailbox, loaded, slot); problem != nullptr)
        refuse(problem);

    bulkhead::boot::Handover& handover = handover_in(loaded.work);
    begin_handover(handover, "ROM", loaded);
    handover.slot = slot;
    uint64_t tables_begin = 0;
    uint64_t tables_end = 0;
    handover.rsdp = fw_cfg_present() ? load_acpi_tables(take, tables_begin, tables_end) : 0;
    add_range(memory_map, tables_begin, tables_end - tables_begin, acpi_reclaimable);
    copy_ranges(handover, memory_map);
    enter_core(loaded.work, loaded.core);
}
