// SPDX-License-Identifier: BSD-2-Clause
// bulkhead.efi: starts the image that it carries in its section .slot or, without one, a slot of the
// disk that it was started from. What is wrong is said on the firmware's console, graphic or serial.
#include "boot/loader/disk_store.hpp"
#include "boot/loader/mailbox.hpp"
#include "boot/loader/slot_key.hpp"
#include "boot/loader/uefi/firmware.hpp"

#include <cstring>

namespace bulkhead::loader::uefi {

namespace {

struct Embedded {
    const uint8_t* content;
    uint64_t bytes;
};

bool read_embedded(void* context, uint64_t offset, void* to, uint64_t bytes)
{
    const auto* from = static_cast<const Embedded*>(context);
    if (offset > from->bytes || bytes > from->bytes - offset)
        return false;
    memcpy(to, from->content + offset, bytes);
    return true;
}

// The section .slot of this very program as the firmware has loaded it; null: it has none.
Embedded find_embedded(const uint8_t* base, uint64_t size)
{
    uint32_t at;
    pe::FileHeader file;
    memcpy(&at, base + pe::header_offset_at, sizeof(at));
    memcpy(&file, base + at, sizeof(file));
    const uint8_t* sections = base + at + sizeof(file) + file.optional_bytes;
    for (unsigned i = 0; i < file.section_count; ++i) {
        pe::Section section;
        memcpy(&section, sections + i * sizeof(section), sizeof(section));
        const bool inside = section.address <= size && section.file_bytes <= size - section.address;
        if (memcmp(section.name.data(), pe::slot_section.data(), section.name.size()) == 0 && inside)
            return {base + section.address, section.file_bytes};
    }
    return {nullptr, 0};
}

const char* load_embedded(Embedded& embedded, LoadedSlot& loaded)
{
    const SlotReader reader{read_embedded, &embedded, embedded.bytes};
    SlotHeader header;
    if (const char* problem = open_slot(reader, slot_key(), header); problem != nullptr)
        return problem;
    return load_slot(reader, header, services(), loaded);
}

const char* load_from_disk(LoadedSlot& loaded, boot::HandoverSlot& slot)
{
    Disk disk{};
    if (const char* problem = open_boot_disk(disk); problem != nullptr)
        return problem;
    DiskStore slots(disk);
    if (const char* problem = slots.open(); problem != nullptr)
        return problem;
    boot::Mailbox mailbox = take_mailbox();
    return select_slot(slots.store(), slot_key(), services(), mailbox, loaded, slot);
}

Status refuse(const char* problem)
{
    say("Bulkhead cannot start: ");
    say(problem);
    say(".\n");
    return load_error;
}

}  // namespace

}  // namespace bulkhead::loader::uefi

extern "C" EFI_CALL bulkhead::loader::uefi::Status efi_main(bulkhead::loader::uefi::Handle image,
                                                            bulkhead::loader::uefi::SystemTable* system)
{
    using namespace bulkhead::loader;
    using namespace bulkhead::loader::uefi;
    if (!open_firmware(image, system))
        return load_error;
    LoadedSlot loaded{};
    bulkhead::boot::HandoverSlot slot{.number = no_slot, .on_trial = 0, .version = 0, .other_version = 0,
                                      .health_seconds = 0, .reserved = 0};
    Embedded embedded = find_embedded(own_image().base, own_image().size);
    const char* problem = embedded.content != nullptr ? load_embedded(embedded, loaded) : load_from_disk(loaded, slot);
    if (problem != nullptr)
        return refuse(problem);

    bulkhead::boot::Handover& handover = handover_in(loaded.work);
    begin_handover(handover, "UEFI", loaded);
    handover.slot = slot;
    describe_firmware(handover);
    problem = leave_firmware(loaded.core, handover);
    if (problem != nullptr)
        return refuse(problem);
    enter_core(loaded.work, loaded.core);
}
