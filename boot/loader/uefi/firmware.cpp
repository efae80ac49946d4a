// SPDX-License-Identifier: BSD-2-Clause
#include "boot/loader/uefi/firmware.hpp"

#include <algorithm>
#include <cstring>

namespace bulkhead::loader::uefi {

namespace {

constexpr uint64_t page_bytes = 4096;
constexpr uint64_t last_32bit = 0xffff'ffff;

struct Firmware {
    Handle image;
    SystemTable* system;
    LoadedImage* own;
};
constinit Firmware firmware{};

BootServices& boot_services() { return *firmware.system->boot; }

uint64_t pages_for(uint64_t bytes) { return (bytes + page_bytes - 1) / page_bytes; }

// What lies in the forbidden range stays taken, so that the next try brings something else. Code, because
// firmware may forbid execution in what is allocated as data.
uint64_t allocate(uint64_t bytes, uint64_t not_from, uint64_t not_to)
{
    constexpr unsigned most_tries = 16;
    for (unsigned i = 0; i < most_tries; ++i) {
        uint64_t address = last_32bit;
        if (failed(boot_services().allocate_pages(Allocate::max_address, MemoryType::loader_code, pages_for(bytes), &address)))
            return 0;
        if (address >= not_to || address + bytes <= not_from)
            return address;
    }
    return 0;
}

void narrow(char* to, size_t to_bytes, const char16_t* from, size_t from_count)
{
    size_t length = 0;
    while (from != nullptr && length + 1 < to_bytes && length < from_count && from[length] != 0) {
        to[length] = from[length] < 0x7f && from[length] >= ' ' ? static_cast<char>(from[length]) : '?';
        ++length;
    }
    to[length] = '\0';
}

void* configuration(const EfiGuid& guid)
{
    for (uint64_t i = 0; i < firmware.system->table_count; ++i) {
        if (firmware.system->tables[i].guid == guid)
            return firmware.system->tables[i].table;
    }
    return nullptr;
}

uint64_t first_of(const EfiGuid& better, const EfiGuid& other)
{
    void* found = configuration(better);
    return reinterpret_cast<uint64_t>(found != nullptr ? found : configuration(other));
}

bool read_block_io(void* context, uint64_t sector, uint32_t count, void* to)
{
    auto* device = static_cast<BlockIo*>(context);
    return !failed(device->read_blocks(device, device->media->id, sector, uint64_t{count} * sector_bytes, to));
}

bool write_block_io(void* context, uint64_t sector, uint32_t count, const void* from)
{
    auto* device = static_cast<BlockIo*>(context);
    return !device->media->read_only
        && !failed(device->write_blocks(device, device->media->id, sector, uint64_t{count} * sector_bytes, from))
        && !failed(device->flush_blocks(device));
}

}  // namespace

bool open_firmware(Handle image, SystemTable* system)
{
    firmware = {image, system, nullptr};
    void* own = nullptr;
    if (failed(boot_services().handle_protocol(image, &loaded_image, &own)))
        return false;
    firmware.own = static_cast<LoadedImage*>(own);
    // Loading may take longer than the firmware's patience of five minutes on a slow disk.
    static_cast<void>(boot_services().set_watchdog_timer(0, 0, 0, nullptr));
    return true;
}

const LoadedImage& own_image() { return *firmware.own; }
Handle own_image_handle() { return firmware.image; }

void say(const char* text)
{
    TextOutput* out = firmware.system->console_out;
    if (out == nullptr)
        return;
    std::array<char16_t, 3> letters{};
    for (; *text != '\0'; ++text) {
        letters = *text == '\n' ? std::array<char16_t, 3>{u'\r', u'\n', 0}
                                : std::array<char16_t, 3>{static_cast<char16_t>(*text), 0, 0};
        static_cast<void>(out->output_string(out, letters.data()));
    }
}

LoaderServices services() { return {allocate, say}; }

// The device path of the partition, cut at the partition's node, leads to the whole disk.
const char* open_boot_disk(Disk& disk)
{
    constexpr uint8_t media_type = 4;
    constexpr uint8_t end_type = 0x7f;
    constexpr size_t most_path_bytes = 1024;
    alignas(8) static constinit std::array<uint8_t, most_path_bytes> path;
    void* found = nullptr;
    if (failed(boot_services().handle_protocol(firmware.own->device, &device_path, &found)))
        return "the firmware does not say which disk this program is from";
    const auto* from = static_cast<const uint8_t*>(found);
    size_t at = 0;
    for (;;) {
        DevicePath node;
        memcpy(&node, from + at, sizeof(node));
        const size_t bytes = node.length[0] + size_t{node.length[1]} * 256;
        if (bytes < sizeof(node) || at + bytes + sizeof(node) > path.size())
            return "the device path of this program cannot be understood";
        if (node.type == end_type || node.type == media_type)
            break;
        memcpy(path.data() + at, from + at, bytes);
        at += bytes;
    }
    const DevicePath end{end_type, 0xff, {sizeof(DevicePath), 0}};
    memcpy(path.data() + at, &end, sizeof(end));

    auto* rest = reinterpret_cast<DevicePath*>(path.data());
    Handle handle = nullptr;
    if (failed(boot_services().locate_device_path(&block_io, &rest, &handle))
        || failed(boot_services().handle_protocol(handle, &block_io, &found)))
        return "this program carries no image, and was not started from a disk";
    auto* device = static_cast<BlockIo*>(found);
    if (!device->media->present || device->media->block_bytes != sector_bytes || device->media->io_align > page_bytes)
        return "the disk that this program is from has no sectors of 512 bytes";
    disk = {read_block_io, write_block_io, device, device->media->last_block};
    return nullptr;
}

void describe_firmware(boot::Handover& handover)
{
    narrow(handover.firmware.data(), handover.firmware.size(), firmware.system->vendor, handover.firmware.size());
    narrow(handover.command_line.data(), handover.command_line.size(), firmware.own->options,
           firmware.own->options_bytes / sizeof(char16_t));
    handover.rsdp = first_of(acpi_20_table, acpi_10_table);
    handover.smbios = first_of(smbios3_table, smbios_table);
}

}  // namespace bulkhead::loader::uefi
