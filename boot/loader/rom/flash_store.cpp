// SPDX-License-Identifier: BSD-2-Clause
// Writing needs a parallel flash with Intel's command set, which is what QEMU's pflash is; a plain ROM
// answers none of it. Source: JEDEC JEP137 and Intel's "Common Flash Interface" command set 1.
#include "boot/loader/rom/flash_store.hpp"

#include <cstring>

namespace bulkhead::loader::rom {

namespace {

constexpr uint64_t four_gib = uint64_t{1} << 32;

enum FlashCommand : uint8_t {
    read_array = 0xff,
    read_query = 0x98,
    clear_status = 0x50,
    block_erase = 0x20,
    confirm = 0xd0,
    program = 0x40,
};
constexpr uint8_t status_ready = 0x80;
constexpr uint8_t status_errors = 0x3a;
constexpr unsigned patience = 10'000'000;

[[gnu::section(".flash_layout"), gnu::used]] constinit const FlashLayout compiled_layout{
    {'B', 'U', 'L', 'K', 'H', 'E', 'A', 'D', '-', 'F', 'L', 'A', 'S', 'H', '-', ':'}, 0, 0, 0, 0};

struct Flash {
    uint64_t base;
    uint64_t slot_bytes;
    uint64_t state;
};
constinit Flash flash{};

FlashLayout layout()
{
    FlashLayout copy;
    const volatile auto* from = reinterpret_cast<const volatile uint8_t*>(&compiled_layout);
    for (size_t i = 0; i < sizeof(copy); ++i)
        reinterpret_cast<uint8_t*>(&copy)[i] = from[i];
    return copy;
}

volatile uint8_t& cell(uint64_t address) { return *reinterpret_cast<volatile uint8_t*>(address); }

bool read_slot(void* context, uint64_t offset, void* to, uint64_t bytes)
{
    const auto slot = reinterpret_cast<uint64_t>(context);
    if (offset > flash.slot_bytes || bytes > flash.slot_bytes - offset)
        return false;
    memcpy(to, reinterpret_cast<const void*>(flash.base + slot * flash.slot_bytes + offset), bytes);
    return true;
}

bool read_state(void*, uint32_t copy, BootState& state)
{
    memcpy(&state, reinterpret_cast<const void*>(flash.state + copy * state_block_bytes), sizeof(state));
    return true;
}

// A chip that understands queries shows its mark instead of its content meanwhile.
bool can_be_written()
{
    cell(flash.state + 0x55) = read_query;
    const bool answers = cell(flash.state + 0x10) == 'Q' && cell(flash.state + 0x11) == 'R' && cell(flash.state + 0x12) == 'Y';
    cell(flash.state) = read_array;
    return answers;
}

bool finished(uint64_t address)
{
    for (unsigned i = 0; i < patience; ++i) {
        const uint8_t status = cell(address);
        if ((status & status_ready) != 0)
            return (status & status_errors) == 0;
    }
    return false;
}

bool write_state(void*, uint32_t copy, const BootState& state)
{
    const uint64_t block = flash.state + copy * state_block_bytes;
    const auto* bytes = reinterpret_cast<const uint8_t*>(&state);
    if (!can_be_written())
        return false;
    cell(block) = clear_status;
    cell(block) = block_erase;
    cell(block) = confirm;
    bool good = finished(block);
    for (size_t i = 0; i < sizeof(state) && good; ++i) {
        cell(block + i) = program;
        cell(block + i) = bytes[i];
        good = finished(block + i);
    }
    cell(block) = clear_status;
    cell(block) = read_array;
    return good && memcmp(reinterpret_cast<const void*>(block), bytes, sizeof(state)) == 0;
}

}  // namespace

const char* open_flash(SlotStore& store)
{
    const FlashLayout from = layout();
    if (from.flash_bytes == 0 || from.state_offset > from.flash_bytes
        || uint64_t{from.slot_bytes} * 2 > from.state_offset)
        return "this loader was not put into an image by bulkhead-image";
    flash = {four_gib - from.flash_bytes, from.slot_bytes, four_gib - from.flash_bytes + from.state_offset};
    for (uint64_t i = 0; i < 2; ++i)
        store.slots[i] = {read_slot, reinterpret_cast<void*>(i), flash.slot_bytes};
    store.read_state = read_state;
    store.write_state = write_state;
    store.context = nullptr;
    return nullptr;
}

}  // namespace bulkhead::loader::rom
