// SPDX-License-Identifier: BSD-2-Clause
// A disk that somebody else wrote: its partition table, the selector's state, the slots' headers, and
// the note of the last run. The selector reads it all before it has checked any signature; here every
// signature is good, so that what comes behind it is reached too.
#include "boot/loader/select_slot.hpp"

#include "boot/loader/boot_state.cpp"
#include "boot/loader/disk_store.cpp"
#include "boot/loader/gpt.cpp"
#include "boot/loader/load.cpp"
#include "boot/loader/select_slot.cpp"
#include "boot/loader/selector.cpp"
#include "boot/loader/slot.cpp"

#include <cstdlib>
#include <deque>
#include <span>
#include <vector>

using namespace bulkhead;
using namespace bulkhead::loader;

namespace bulkhead::loader {

bool slot_is_signed(const SlotHeader&, const PublicKey&) { return true; }
ContentHash::ContentHash() : state_{} {}
void ContentHash::add(const void*, uint64_t) {}
Sha256 ContentHash::finish() { return {}; }

}  // namespace bulkhead::loader

namespace {

std::vector<uint8_t> disk_bytes;
std::deque<std::vector<uint8_t>> allocated;

bool read_disk(void*, uint64_t sector, uint32_t count, void* to)
{
    const uint64_t sectors = disk_bytes.size() / sector_bytes;
    if (sector >= sectors || count > sectors - sector)
        return false;
    memcpy(to, disk_bytes.data() + sector * sector_bytes, size_t{count} * sector_bytes);
    return true;
}

bool write_disk(void*, uint64_t sector, uint32_t count, const void* from)
{
    const uint64_t sectors = disk_bytes.size() / sector_bytes;
    if (sector >= sectors || count > sectors - sector)
        std::abort();
    memcpy(disk_bytes.data() + sector * sector_bytes, from, size_t{count} * sector_bytes);
    return true;
}

// No more than the content of a small disk; what asks for more is refused, as by a box.
uint64_t allocate(uint64_t bytes, uint64_t, uint64_t)
{
    constexpr uint64_t most = 4 << 20;
    if (bytes > most)
        return 0;
    allocated.emplace_back(bytes + sector_bytes);
    return reinterpret_cast<uint64_t>(allocated.back().data());
}

void say(const char*) {}

// A table whose checksums are right, so that what it says is looked at.
void make_table_sound()
{
    GptHeader header;
    if (disk_bytes.size() < 34 * sector_bytes)
        return;
    memcpy(&header, disk_bytes.data() + sector_bytes, sizeof(header));
    header.signature = {'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T'};
    header.header_bytes = gpt_header_bytes;
    header.this_sector = 1;
    header.entry_bytes = sizeof(GptEntry);
    header.entry_count = 4 * (1 + header.entry_count % 4);
    header.entries_sector = 2;
    header.entries_crc32 = crc32(std::span(disk_bytes).subspan(2 * sector_bytes, header.entry_count * sizeof(GptEntry)));
    header.crc32 = 0;
    header.crc32 = crc32({reinterpret_cast<const uint8_t*>(&header), gpt_header_bytes});
    memcpy(disk_bytes.data() + sector_bytes, &header, sizeof(header));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (size < 1 + sizeof(boot::Mailbox))
        return 0;
    const bool sound = (data[0] & 1) != 0;
    const bool sealed = (data[0] & 2) != 0;
    boot::Mailbox mailbox;
    memcpy(&mailbox, data + 1, sizeof(mailbox));
    if (sealed)
        mailbox.seal();
    disk_bytes.assign(data + 1 + sizeof(mailbox), data + size);
    disk_bytes.resize((disk_bytes.size() + sector_bytes - 1) / sector_bytes * sector_bytes + sector_bytes);
    if (sound)
        make_table_sound();
    allocated.clear();

    const Disk disk{read_disk, write_disk, nullptr, disk_bytes.size() / sector_bytes - 1};
    DiskStore store(disk);
    if (store.open() != nullptr)
        return 0;
    LoadedSlot loaded{};
    boot::HandoverSlot slot{};
    if (select_slot(store.store(), {}, {allocate, say}, mailbox, loaded, slot) == nullptr) {
        const uint64_t core_end = loaded.core.to + loaded.core.memory_bytes;
        if (slot.number > 1 || loaded.core.to < most_core_bytes || core_end > 3 * most_core_bytes
            || loaded.core.bytes > loaded.core.memory_bytes)
            std::abort();
    }
    return 0;
}
