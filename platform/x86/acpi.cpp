// SPDX-License-Identifier: BSD-2-Clause
// From the RSDP through the root table to each table.
#include "platform/x86/acpi.hpp"

#include "platform/x86/acpi_reader.hpp"
#include "platform/x86/start_only.hpp"

namespace bulkhead {

namespace {

using acpi_reader::Bytes;
using acpi_reader::header_bytes;

constexpr uint32_t largest_table = 4 * 1024 * 1024;
constexpr size_t rsdp_old_bytes = 20;
constexpr size_t rsdp_bytes = 36;

constinit AcpiFacts the_facts{};

struct Root {
    uint64_t address;
    size_t entry_bytes;     // 8: XSDT, 4: RSDT
};

struct Reader {
    AcpiView view;
    AcpiFacts& facts;

    Bytes bytes_at(uint64_t address, uint64_t size) const;
    Bytes table_at(uint64_t address);
    bool read_rsdp(uint64_t address, Root& root) const;
    uint64_t search_rsdp(uint64_t begin, uint64_t end) const;
    uint64_t find_rsdp() const;
    void read_table(uint64_t address);
    void read_root(const Root& root);
};

START_ONLY Bytes Reader::bytes_at(uint64_t address, uint64_t size) const
{
    const void* at = view(address, size);
    if (at == nullptr)
        return Bytes({});
    return Bytes({static_cast<const uint8_t*>(at), size});
}

// The whole table, or nothing if it cannot be used. Either way it is listed.
START_ONLY Bytes Reader::table_at(uint64_t address)
{
    const Bytes header = bytes_at(address, header_bytes);
    if (header.size() == 0)
        return header;
    AcpiTable entry{};
    for (size_t i = 0; i < 4; ++i)
        entry.signature[i] = header.get<char>(i);
    for (size_t i = 0; i < 6; ++i)
        entry.oem[i] = header.get<char>(10 + i);
    entry.address = HostPhysical(address);
    entry.length = header.get<uint32_t>(4);
    entry.revision = header.get<uint8_t>(8);
    Bytes table({});
    if (entry.length >= header_bytes && entry.length <= largest_table)
        table = bytes_at(address, entry.length);
    entry.usable = table.size() != 0 && table.sum() == 0;
    if (facts.table_count < facts.tables.size())
        facts.tables[facts.table_count++] = entry;
    return entry.usable ? table : Bytes({});
}

START_ONLY bool Reader::read_rsdp(uint64_t address, Root& root) const
{
    const Bytes old = bytes_at(address, rsdp_old_bytes);
    if (!old.has_text(0, "RSD PTR ", 8) || old.sum() != 0)
        return false;
    facts.revision = old.get<uint8_t>(15);
    root = {old.get<uint32_t>(16), sizeof(uint32_t)};
    if (facts.revision < 2)
        return root.address != 0;
    const Bytes whole = bytes_at(address, rsdp_bytes);
    const auto xsdt = whole.get<uint64_t>(24);
    if (whole.sum() == 0 && xsdt != 0)
        root = {xsdt, sizeof(uint64_t)};
    return root.address != 0;
}

START_ONLY uint64_t Reader::search_rsdp(uint64_t begin, uint64_t end) const
{
    // Most of it is something else: the first look is short.
    constexpr uint64_t signature = 0x2052'5450'2044'5352;       // "RSD PTR "
    for (uint64_t at = begin; at < end; at += 16) {
        const auto* place = static_cast<const uint64_t*>(view(at, sizeof(signature)));
        Root root;
        if (place != nullptr && *place == signature && read_rsdp(at, root))
            return at;
    }
    return 0;
}

// Source: "Finding the RSDP on IA-PC Systems".
START_ONLY uint64_t Reader::find_rsdp() const
{
    constexpr uint64_t ebda_segment_at = 0x40E;
    const uint64_t ebda = uint64_t{bytes_at(ebda_segment_at, 2).get<uint16_t>(0)} << 4;
    if (ebda >= 0x400 && ebda < 0xA0000)
        if (const uint64_t found = search_rsdp(ebda, ebda + 1024); found != 0)
            return found;
    return search_rsdp(0xE0000, 0x100000);
}

START_ONLY void Reader::read_table(uint64_t address)
{
    const Bytes table = table_at(address);
    uint64_t dsdt = 0;
    if (table.has_text(0, "APIC", 4))
        acpi_reader::read_madt(table, facts);
    else if (table.has_text(0, "FACP", 4))
        acpi_reader::read_fadt(table, facts, dsdt);
    else if (table.has_text(0, "HPET", 4))
        acpi_reader::read_hpet(table, facts);
    else if (table.has_text(0, "MCFG", 4))
        acpi_reader::read_mcfg(table, facts);
    else if (table.has_text(0, "SSDT", 4))
        acpi_reader::find_s5(table, facts);
    else if (table.has_text(0, "DMAR", 4))
        facts.has_dmar = true;
    else if (table.has_text(0, "IVRS", 4))
        facts.has_ivrs = true;
    if (dsdt != 0)
        acpi_reader::find_s5(table_at(dsdt), facts);
}

START_ONLY void Reader::read_root(const Root& root)
{
    const Bytes table = table_at(root.address);
    const char* signature = root.entry_bytes == 8 ? "XSDT" : "RSDT";
    if (!table.has_text(0, signature, 4)) {
        facts.problem = "the root table cannot be read or has a wrong checksum.";
        return;
    }
    facts.present = true;
    for (size_t at = header_bytes; table.holds(at, root.entry_bytes); at += root.entry_bytes) {
        const uint64_t address =
            root.entry_bytes == 8 ? table.get<uint64_t>(at) : uint64_t{table.get<uint32_t>(at)};
        // The list is bounded by what can be shown; a firmware with more tables does not exist.
        if (address != 0 && facts.table_count < facts.tables.size())
            read_table(address);
    }
}

}  // namespace

START_ONLY void read_acpi(AcpiView view, HostPhysical rsdp, AcpiFacts& facts)
{
    facts = AcpiFacts{};
    Reader reader{view, facts};
    uint64_t address = rsdp.raw();
    Root root;
    if (address == 0 || !reader.read_rsdp(address, root))
        address = reader.find_rsdp();
    if (address == 0 || !reader.read_rsdp(address, root)) {
        facts.problem = "no valid RSDP.";
        return;
    }
    reader.read_root(root);
}

const AcpiFacts& acpi() { return the_facts; }
START_ONLY void init_acpi(AcpiView view, HostPhysical rsdp) { read_acpi(view, rsdp, the_facts); }

}  // namespace bulkhead
