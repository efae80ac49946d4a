// SPDX-License-Identifier: BSD-2-Clause
// Source: QEMU, hw/acpi/bios-linker-loader.c (the form of the script).
#include "boot/loader/rom/acpi_loader.hpp"

#include "boot/loader/rom/fw_cfg.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

namespace bulkhead::loader::rom {

namespace {

constexpr size_t name_bytes = 56;
constexpr uint32_t most_blobs = 8;
constexpr uint32_t most_table_bytes = 4 << 20;
constexpr uint32_t most_script_bytes = 64 << 10;

enum class Command : uint32_t { allocate = 1, add_pointer = 2, add_checksum = 3 };

using Name = std::array<char, name_bytes>;
struct [[gnu::packed]] AddPointer {
    Name in;
    Name to;
    uint32_t offset;
    uint8_t bytes;
};
struct [[gnu::packed]] AddChecksum {
    Name in;
    uint32_t result;
    uint32_t start;
    uint32_t length;
};
struct [[gnu::packed]] Entry {
    Command command;
    union {
        Name allocate;
        AddPointer pointer;
        AddChecksum checksum;
        std::array<uint8_t, 124> room;
    };
};
static_assert(sizeof(Entry) == 128);

struct Blob {
    Name name;
    uint8_t* at;
    uint32_t bytes;
};

struct Blobs {
    std::array<Blob, most_blobs> list;
    uint32_t count;

    Blob* find(const Name& name)
    {
        for (uint32_t i = 0; i < count; ++i) {
            if (memcmp(list[i].name.data(), name.data(), name_bytes) == 0)
                return &list[i];
        }
        return nullptr;
    }
};

std::string_view text_of(const Name& name)
{
    size_t length = 0;
    while (length < name.size() && name[length] != '\0')
        ++length;
    return {name.data(), length};
}

bool inside(const Blob& blob, uint32_t offset, uint32_t bytes)
{
    return offset <= blob.bytes && bytes <= blob.bytes - offset;
}

bool do_allocate(Blobs& blobs, const Name& name, uint64_t (*allocate)(uint64_t), uint64_t& begin, uint64_t& end)
{
    const ConfigFile file = find_config_file(text_of(name));
    if (file.bytes == 0 || file.bytes > most_table_bytes || blobs.count == blobs.list.size())
        return false;
    const uint64_t at = allocate(file.bytes);
    if (at == 0)
        return false;
    begin = begin == 0 ? at : std::min(begin, at);
    end = std::max(end, (at + file.bytes + 0xfff) & ~uint64_t{0xfff});
    Blob& blob = blobs.list[blobs.count++];
    blob = {name, reinterpret_cast<uint8_t*>(at), file.bytes};
    read_config_file(file, blob.at);
    return true;
}

bool do_pointer(Blobs& blobs, const AddPointer& pointer)
{
    const Blob* in = blobs.find(pointer.in);
    const Blob* to = blobs.find(pointer.to);
    if (in == nullptr || to == nullptr || pointer.bytes > 8 || !inside(*in, pointer.offset, pointer.bytes))
        return false;
    uint64_t value = 0;
    memcpy(&value, in->at + pointer.offset, pointer.bytes);
    value += reinterpret_cast<uint64_t>(to->at);
    memcpy(in->at + pointer.offset, &value, pointer.bytes);
    return true;
}

bool do_checksum(Blobs& blobs, const AddChecksum& checksum)
{
    const Blob* in = blobs.find(checksum.in);
    if (in == nullptr || !inside(*in, checksum.start, checksum.length) || !inside(*in, checksum.result, 1))
        return false;
    uint8_t sum = 0;
    for (uint32_t i = 0; i < checksum.length; ++i)
        sum = static_cast<uint8_t>(sum + in->at[checksum.start + i]);
    in->at[checksum.result] = static_cast<uint8_t>(in->at[checksum.result] - sum);
    return true;
}

}  // namespace

uint64_t load_acpi_tables(uint64_t (*allocate)(uint64_t bytes), uint64_t& begin, uint64_t& end)
{
    constexpr std::string_view rsdp = "etc/acpi/rsdp";
    begin = end = 0;
    const ConfigFile script = find_config_file("etc/table-loader");
    if (script.bytes == 0 || script.bytes > most_script_bytes)
        return 0;
    const auto* entries = reinterpret_cast<const uint8_t*>(allocate(script.bytes));
    if (entries == nullptr)
        return 0;
    read_config_file(script, const_cast<uint8_t*>(entries));
    Blobs blobs{};
    for (uint32_t at = 0; at + sizeof(Entry) <= script.bytes; at += sizeof(Entry)) {
        Entry entry;
        memcpy(&entry, entries + at, sizeof(entry));
        bool done = true;       // other commands are about memory that the emulator wants to know
        if (entry.command == Command::allocate)
            done = do_allocate(blobs, entry.allocate, allocate, begin, end);
        else if (entry.command == Command::add_pointer)
            done = do_pointer(blobs, entry.pointer);
        else if (entry.command == Command::add_checksum)
            done = do_checksum(blobs, entry.checksum);
        if (!done)
            return 0;
    }
    for (uint32_t i = 0; i < blobs.count; ++i) {
        if (text_of(blobs.list[i].name) == rsdp)
            return reinterpret_cast<uint64_t>(blobs.list[i].at);
    }
    return 0;
}

}  // namespace bulkhead::loader::rom
