// SPDX-License-Identifier: BSD-2-Clause
// BootInfo from the Multiboot2 hand-over. Source: Multiboot2 Specification 2.0, "Boot information".
#include "boot/loader_view.hpp"
#include "boot/memory_map.hpp"
#include "platform/x86/start_only.hpp"

#include <cstddef>

namespace bulkhead::boot {

namespace {

struct InformationHeader {
    uint32_t total_size;
    uint32_t reserved;
};
struct TagHeader {
    uint32_t type;
    uint32_t size;      // with this header, without the padding to 8 bytes
};
struct MemoryMapTag {
    TagHeader header;
    uint32_t entry_size;
    uint32_t entry_version;
};
struct MemoryEntry {
    uint64_t base;
    uint64_t length;
    uint32_t type;
    uint32_t reserved;
};
static_assert(sizeof(MemoryMapTag) == 16 && sizeof(MemoryEntry) == 24);

enum TagType : uint32_t {
    tag_end = 0,
    tag_command_line = 1,
    tag_loader_name = 2,
    tag_memory_map = 6,
    tag_acpi_old = 14,
    tag_acpi_new = 15,
};

constexpr uint32_t most_bytes = 16 * 1024 * 1024;

constinit std::array<char, 64> loader_name{};

struct Reader {
    PhysicalView view;
    BootInfo& info;
    MemoryMap map{};
    bool has_map{false};

    const char* read_tag(uint64_t address, const TagHeader& tag);
    const char* read_memory_map(uint64_t address, uint32_t size);
};

START_ONLY const char* Reader::read_memory_map(uint64_t address, uint32_t size)
{
    MemoryMapTag tag;
    if (size < sizeof(tag) || !read_physical(view, address, tag))
        return "the Multiboot2 memory map is cut off.";
    if (tag.entry_size < sizeof(MemoryEntry) || tag.entry_size % 8 != 0)
        return "the Multiboot2 memory map has entries of an unknown size.";
    for (uint64_t at = sizeof(tag); at + tag.entry_size <= size; at += tag.entry_size) {
        MemoryEntry entry;
        if (!read_physical(view, address + at, entry))
            return "the Multiboot2 memory map lies where it cannot be read.";
        map.add(entry.base, entry.length, entry.type);
    }
    has_map = true;
    return nullptr;
}

START_ONLY const char* Reader::read_tag(uint64_t address, const TagHeader& tag)
{
    const uint64_t content = address + sizeof(tag);
    const uint64_t content_bytes = tag.size - sizeof(tag);
    switch (tag.type) {
    case tag_command_line:
        copy_text(view, content, content_bytes, info.command_line.data(), info.command_line.size());
        break;
    case tag_loader_name:
        copy_text(view, content, content_bytes, loader_name.data(), loader_name.size());
        break;
    case tag_memory_map:
        return read_memory_map(address, tag.size);
    case tag_acpi_old:
        // The tags hold copies of the RSDP; the newer one has the larger addresses.
        if (info.rsdp.raw() == 0)
            info.rsdp = HostPhysical(content);
        break;
    case tag_acpi_new:
        info.rsdp = HostPhysical(content);
        break;
    default:
        break;
    }
    return nullptr;
}

}  // namespace

START_ONLY const char* read_multiboot2(PhysicalView view, uint64_t information, BootInfo& info)
{
    InformationHeader header;
    if (information % 8 != 0 || !read_physical(view, information, header))
        return "the Multiboot2 information lies where it cannot be read.";
    if (header.total_size > most_bytes)
        return "the Multiboot2 information is larger than makes sense.";

    info.entry_name = "Multiboot2";
    info.firmware = loader_name.data();
    info.rsdp = HostPhysical(0);
    info.command_line[0] = '\0';
    loader_name[0] = '\0';
    Reader reader{view, info};
    uint64_t at = sizeof(header);
    while (at + sizeof(TagHeader) <= header.total_size) {
        TagHeader tag;
        if (!read_physical(view, information + at, tag))
            return "the Multiboot2 information lies where it cannot be read.";
        if (tag.type == tag_end)
            break;
        if (tag.size < sizeof(tag) || tag.size > header.total_size - at)
            return "the Multiboot2 information has a tag that does not fit.";
        if (const char* problem = reader.read_tag(information + at, tag); problem != nullptr)
            return problem;
        at += align_up(tag.size, 8);
    }
    if (!reader.has_map)
        return "the Multiboot2 information has no memory map.";
    reader.map.finish(info);
    return nullptr;
}

}  // namespace bulkhead::boot
