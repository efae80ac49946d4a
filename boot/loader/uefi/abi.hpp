// SPDX-License-Identifier: BSD-2-Clause
// The little of UEFI that the loader uses. Source: UEFI Specification 2.10, "EFI System Table",
// "Boot Services Table", "Block I/O Protocol", "Simple Text Output Protocol", "EFI Loaded Image Protocol".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#define EFI_CALL [[gnu::ms_abi]]

namespace bulkhead::loader::uefi {

using Status = uint64_t;
using Handle = void*;
inline constexpr Status error_bit = uint64_t{1} << 63;
inline constexpr Status success = 0;
inline constexpr Status load_error = error_bit | 1;
inline constexpr Status buffer_too_small = error_bit | 5;
inline constexpr bool failed(Status status) { return (status & error_bit) != 0; }

struct EfiGuid {
    uint32_t a;
    uint16_t b;
    uint16_t c;
    std::array<uint8_t, 8> d;
    bool operator==(const EfiGuid&) const = default;
};
inline constexpr EfiGuid acpi_20_table{0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}};
inline constexpr EfiGuid acpi_10_table{0xeb9d2d30, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};
inline constexpr EfiGuid smbios_table{0xeb9d2d31, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};
inline constexpr EfiGuid smbios3_table{0xf2fd1544, 0x9794, 0x4a2c, {0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3, 0x94}};
inline constexpr EfiGuid loaded_image{0x5b1b31a1, 0x9562, 0x11d2, {0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
inline constexpr EfiGuid device_path{0x09576e91, 0x6d3f, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};
inline constexpr EfiGuid block_io{0x964e5b21, 0x6459, 0x11d2, {0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b}};

struct TableHeader {
    uint64_t signature;
    uint32_t revision;
    uint32_t header_bytes;
    uint32_t crc32;
    uint32_t reserved;
};

struct TextOutput {
    void* reset;
    EFI_CALL Status (*output_string)(TextOutput*, const char16_t*);
};

struct ConfigurationTable {
    EfiGuid guid;
    void* table;
};

enum class MemoryType : uint32_t {
    reserved = 0, loader_code, loader_data, boot_services_code, boot_services_data, runtime_services_code,
    runtime_services_data, conventional, unusable, acpi_reclaim, acpi_nvs, mapped_io, mapped_io_port_space,
    pal_code, persistent,
};
struct MemoryDescriptor {
    MemoryType type;
    uint32_t padding;
    uint64_t physical;
    uint64_t virtual_start;
    uint64_t pages;
    uint64_t attributes;
};
static_assert(sizeof(MemoryDescriptor) == 40);

enum class Allocate : uint32_t { any_pages, max_address, address };

struct DevicePath {
    uint8_t type;
    uint8_t sub_type;
    std::array<uint8_t, 2> length;
};

struct BootServices {
    TableHeader header;
    void* raise_tpl;
    void* restore_tpl;
    EFI_CALL Status (*allocate_pages)(Allocate, MemoryType, uint64_t pages, uint64_t* address);
    EFI_CALL Status (*free_pages)(uint64_t address, uint64_t pages);
    EFI_CALL Status (*get_memory_map)(uint64_t* size, void* map, uint64_t* key, uint64_t* entry_bytes, uint32_t* version);
    void* allocate_pool;
    void* free_pool;
    std::array<void*, 6> events;
    std::array<void*, 3> install_protocol;
    EFI_CALL Status (*handle_protocol)(Handle, const EfiGuid*, void** interface);
    void* reserved;
    void* register_protocol_notify;
    void* locate_handle;
    EFI_CALL Status (*locate_device_path)(const EfiGuid*, DevicePath** path, Handle*);
    void* install_configuration_table;
    void* load_image;
    void* start_image;
    void* exit;
    void* unload_image;
    EFI_CALL Status (*exit_boot_services)(Handle image, uint64_t map_key);
    void* get_next_monotonic_count;
    EFI_CALL Status (*stall)(uint64_t microseconds);
    EFI_CALL Status (*set_watchdog_timer)(uint64_t seconds, uint64_t code, uint64_t bytes, const char16_t* data);
};
static_assert(offsetof(BootServices, allocate_pages) == 40);
static_assert(offsetof(BootServices, get_memory_map) == 56);
static_assert(offsetof(BootServices, handle_protocol) == 152);
static_assert(offsetof(BootServices, locate_device_path) == 184);
static_assert(offsetof(BootServices, exit_boot_services) == 232);
static_assert(offsetof(BootServices, set_watchdog_timer) == 256);

struct SystemTable {
    TableHeader header;
    const char16_t* vendor;
    uint32_t revision;
    uint32_t padding;
    std::array<void*, 2> console_in;
    Handle console_out_handle;
    TextOutput* console_out;
    std::array<void*, 2> standard_error;
    void* runtime_services;
    BootServices* boot;
    uint64_t table_count;
    ConfigurationTable* tables;
};
static_assert(offsetof(SystemTable, console_out) == 64);
static_assert(offsetof(SystemTable, boot) == 96);
static_assert(offsetof(SystemTable, tables) == 112);

struct LoadedImage {
    uint32_t revision;
    uint32_t padding;
    Handle parent;
    SystemTable* system;
    Handle device;
    DevicePath* file_path;
    void* reserved;
    uint32_t options_bytes;
    uint32_t padding2;
    const char16_t* options;
    uint8_t* base;
    uint64_t size;
};
static_assert(offsetof(LoadedImage, base) == 64);

struct BlockMedia {
    uint32_t id;
    bool removable;
    bool present;
    bool logical_partition;
    bool read_only;
    bool write_caching;
    uint32_t block_bytes;
    uint32_t io_align;
    uint64_t last_block;
};
static_assert(offsetof(BlockMedia, block_bytes) == 12 && offsetof(BlockMedia, last_block) == 24);
struct BlockIo {
    uint64_t revision;
    BlockMedia* media;
    void* reset;
    EFI_CALL Status (*read_blocks)(BlockIo*, uint32_t media, uint64_t block, uint64_t bytes, void* to);
    EFI_CALL Status (*write_blocks)(BlockIo*, uint32_t media, uint64_t block, uint64_t bytes, const void* from);
    EFI_CALL Status (*flush_blocks)(BlockIo*);
};

}  // namespace bulkhead::loader::uefi
