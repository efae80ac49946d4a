// SPDX-License-Identifier: BSD-2-Clause
#include "boot/loader/rom/fw_cfg.hpp"

#include "platform/x86/instructions.hpp"

#include <array>
#include <cstring>

namespace bulkhead::loader::rom {

namespace {

constexpr uint16_t selector_port = 0x510;
constexpr uint16_t data_port = 0x511;
constexpr uint16_t key_signature = 0x00;
constexpr uint16_t key_directory = 0x19;
constexpr uint32_t most_files = 256;

struct DirectoryEntry {
    uint32_t bytes;         // big-endian, as the selector
    uint16_t selector;
    uint16_t reserved;
    std::array<char, 56> name;
};
static_assert(sizeof(DirectoryEntry) == 64);

void select(uint16_t key) { x86::out16(selector_port, key); }

void read_selected(void* to, uint32_t bytes)
{
    asm volatile("rep insb" : "+D"(to), "+c"(bytes) : "d"(data_port) : "memory");
}

}  // namespace

bool fw_cfg_present()
{
    std::array<char, 4> signature{};
    select(key_signature);
    read_selected(signature.data(), signature.size());
    return std::string_view(signature.data(), signature.size()) == "QEMU";
}

ConfigFile find_config_file(std::string_view name)
{
    uint32_t count;
    select(key_directory);
    read_selected(&count, sizeof(count));
    count = __builtin_bswap32(count);
    for (uint32_t i = 0; i < count && i < most_files; ++i) {
        DirectoryEntry entry;
        read_selected(&entry, sizeof(entry));
        entry.name.back() = '\0';
        if (name == entry.name.data())
            return {__builtin_bswap32(entry.bytes), __builtin_bswap16(entry.selector)};
    }
    return {0, 0};
}

void read_config_file(const ConfigFile& file, void* to)
{
    select(file.selector);
    read_selected(to, file.bytes);
}

}  // namespace bulkhead::loader::rom
