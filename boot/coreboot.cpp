// SPDX-License-Identifier: BSD-2-Clause
// BootInfo from coreboot's tables, found by their mark as a payload has to. Source: coreboot 4.15,
// src/commonlib/include/commonlib/coreboot_tables.h.
#include "boot/loader_view.hpp"
#include "boot/memory_map.hpp"
#include "platform/x86/start_only.hpp"

#include <string_view>

namespace bulkhead::boot {

namespace {

struct Header {
    std::array<char, 4> signature;      // "LBIO"
    uint32_t header_bytes;
    uint32_t header_checksum;
    uint32_t table_bytes;
    uint32_t table_checksum;
    uint32_t table_entries;
};
struct Record {
    uint32_t tag;
    uint32_t size;                      // with this header
};
// Its 64-bit numbers lie at multiples of four only.
struct MemoryRecord {
    uint32_t base_low, base_high;
    uint32_t size_low, size_high;
    uint32_t type;
};
static_assert(sizeof(Header) == 24 && sizeof(MemoryRecord) == 20);

enum Tag : uint32_t { tag_memory = 0x01, tag_version = 0x04, tag_forward = 0x11, tag_acpi_rsdp = 0x43 };

// coreboot's own numbers end with ACPI's; its tables (16) and what it does not know stay reserved.
constexpr uint32_t most_table_bytes = 1024 * 1024;
constexpr uint32_t search_step = 16;

constinit std::array<char, 64> version_name{};

constexpr uint64_t wide(uint32_t low, uint32_t high) { return (uint64_t{high} << 32) | low; }

// The checksum of the IP protocol, over whole 16-bit words.
START_ONLY uint16_t checksum(PhysicalView view, uint64_t at, uint32_t bytes)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < bytes; ++i) {
        const auto* byte = static_cast<const uint8_t*>(view(at + i, 1));
        if (byte == nullptr)
            return 1;
        sum += i % 2 == 0 ? uint32_t{*byte} : uint32_t{*byte} << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<uint16_t>(~sum);
}

START_ONLY bool is_header(PhysicalView view, uint64_t at, Header& header)
{
    return read_physical(view, at, header)
        && std::string_view(header.signature.data(), header.signature.size()) == "LBIO"
        && header.header_bytes == sizeof(Header) && header.table_bytes <= most_table_bytes
        && checksum(view, at, sizeof(Header)) == 0
        && checksum(view, at + sizeof(Header), header.table_bytes) == header.table_checksum;
}

START_ONLY uint64_t search(PhysicalView view, uint64_t begin, uint64_t end, Header& header)
{
    for (uint64_t at = begin; at < end; at += search_step) {
        if (is_header(view, at, header))
            return at;
    }
    return 0;
}

struct TableReader {
    PhysicalView view;
    BootInfo& info;
    MemoryMap map{};
    bool has_map{false};
    uint64_t forward{0};

    START_ONLY bool memory(uint64_t at, uint64_t end)
    {
        for (; at + sizeof(MemoryRecord) <= end; at += sizeof(MemoryRecord)) {
            MemoryRecord record;
            if (!read_physical(view, at, record))
                return false;
            map.add(wide(record.base_low, record.base_high), wide(record.size_low, record.size_high), record.type);
            has_map = true;
        }
        return true;
    }

    START_ONLY bool record(uint64_t at, const Record& record)
    {
        const uint64_t content = at + sizeof(Record);
        const uint64_t content_bytes = record.size - sizeof(Record);
        std::array<uint32_t, 2> number{};
        if (record.tag == tag_memory)
            return memory(content, at + record.size);
        if (record.tag == tag_version) {
            copy_text(view, content, content_bytes, version_name.data(), version_name.size());
            return true;
        }
        if ((record.tag == tag_forward || record.tag == tag_acpi_rsdp) && content_bytes >= sizeof(number)) {
            if (!read_physical(view, content, number))
                return false;
            (record.tag == tag_forward ? forward : rsdp) = wide(number[0], number[1]);
        }
        return true;
    }
    uint64_t rsdp{0};

    // False: a record that does not fit or cannot be read.
    START_ONLY bool table(uint64_t at, const Header& header)
    {
        uint64_t offset = at + sizeof(Header);
        const uint64_t end = offset + header.table_bytes;
        for (uint32_t i = 0; i < header.table_entries; ++i) {
            Record next;
            if (offset + sizeof(next) > end || !read_physical(view, offset, next) || next.size < sizeof(next)
                || next.size > end - offset || !record(offset, next))
                return false;
            offset += next.size;
        }
        return true;
    }
};

}  // namespace

START_ONLY const char* read_coreboot(PhysicalView view, BootInfo& info)
{
    Header header;
    uint64_t at = search(view, search_step, 0x1000, header);
    if (at == 0)
        at = search(view, 0xf0000, 0x100000, header);
    if (at == 0)
        return "it was entered by neither PVH, Multiboot2, its own loaders nor coreboot.";

    info.entry_name = "coreboot";
    info.firmware = version_name.data();
    version_name[0] = '\0';
    info.command_line[0] = '\0';
    TableReader reader{view, info};
    if (!reader.table(at, header))
        return "coreboot's tables are cut off.";
    if (reader.forward != 0 && !reader.has_map) {
        if (!is_header(view, reader.forward, header) || !reader.table(reader.forward, header))
            return "coreboot's tables lie where they cannot be read.";
    }
    if (!reader.has_map)
        return "coreboot's tables have no memory map.";
    info.rsdp = HostPhysical(reader.rsdp);
    reader.map.finish(info);
    return nullptr;
}

}  // namespace bulkhead::boot
