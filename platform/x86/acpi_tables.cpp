// SPDX-License-Identifier: BSD-2-Clause
// The tables themselves. Offsets are those of the ACPI Specification's tables of fields.
#include "platform/x86/acpi_reader.hpp"
#include "platform/x86/start_only.hpp"

namespace bulkhead::acpi_reader {

namespace {

START_ONLY AcpiRegister register_at(const Bytes& table, size_t offset)
{
    const auto space = table.get<uint8_t>(offset);
    const auto address = table.get<uint64_t>(offset + 4);
    if (space > AcpiRegister::io)
        return {};
    return {static_cast<AcpiRegister::Space>(space), table.get<uint8_t>(offset + 1), address};
}

// The extended field where it is filled in, else the old 32-bit port number.
START_ONLY AcpiRegister block(const Bytes& table, size_t extended_offset, size_t old_offset, uint8_t width_bits)
{
    const AcpiRegister extended = register_at(table, extended_offset);
    if (extended.address != 0)
        return extended;
    return {AcpiRegister::io, width_bits, table.get<uint32_t>(old_offset)};
}

START_ONLY void add_cpu(AcpiFacts& facts, uint32_t apic_id, uint32_t flags)
{
    constexpr uint32_t enabled = 1;
    if ((flags & enabled) == 0)
        return;
    for (uint32_t i = 0; i < facts.cpu_count; ++i)
        if (facts.apic_ids[i] == apic_id)
            return;
    if (facts.cpu_count == facts.apic_ids.size())
        ++facts.cpus_beyond;
    else
        facts.apic_ids[facts.cpu_count++] = apic_id;
}

START_ONLY void add_override(AcpiFacts& facts, const Bytes& entry)
{
    if (facts.override_count == facts.overrides.size())
        return;
    const auto flags = entry.get<uint16_t>(8);
    constexpr uint16_t polarity = 3;
    constexpr uint16_t trigger = 3 << 2;
    facts.overrides[facts.override_count++] = {entry.get<uint8_t>(3), entry.get<uint32_t>(4),
                                               (flags & polarity) == 3, (flags & trigger) == trigger};
}

}  // namespace

// Source: "Multiple APIC Description Table (MADT)".
START_ONLY void read_madt(const Bytes& table, AcpiFacts& facts)
{
    enum Type : uint8_t {
        local_apic = 0,
        io_apic = 1,
        source_override = 2,
        local_nmi = 4,
        local_apic_address = 5,
        local_x2apic = 9,
    };
    facts.local_apic = HostPhysical(table.get<uint32_t>(36));
    facts.has_pic = (table.get<uint32_t>(40) & 1) != 0;
    size_t at = 44;
    while (table.holds(at, 2)) {
        const auto type = table.get<uint8_t>(at);
        const auto length = table.get<uint8_t>(at + 1);
        if (length < 2 || !table.holds(at, length))
            return;
        const Bytes entry = table.part(at, length);
        if (type == local_apic && length >= 8) {
            if (entry.get<uint8_t>(3) != 0xFF)
                add_cpu(facts, entry.get<uint8_t>(3), entry.get<uint32_t>(4));
        } else if (type == local_x2apic && length >= 16) {
            add_cpu(facts, entry.get<uint32_t>(4), entry.get<uint32_t>(8));
        } else if (type == io_apic && length >= 12 && facts.io_apic_count < facts.io_apics.size()) {
            facts.io_apics[facts.io_apic_count++] = {entry.get<uint8_t>(2), HostPhysical(entry.get<uint32_t>(4)),
                                                     entry.get<uint32_t>(8)};
        } else if (type == source_override && length >= 10) {
            add_override(facts, entry);
        } else if (type == local_nmi && length >= 6 && entry.get<uint8_t>(5) <= 1) {
            facts.has_nmi_pin = true;
            facts.nmi_pin = entry.get<uint8_t>(5);
        } else if (type == local_apic_address && length >= 12) {
            facts.local_apic = HostPhysical(entry.get<uint64_t>(4));
        }
        at += length;
    }
}

// Source: "Fixed ACPI Description Table (FADT)".
START_ONLY void read_fadt(const Bytes& table, AcpiFacts& facts, uint64_t& dsdt)
{
    constexpr uint32_t flag_timer_32bit = 1u << 8;
    constexpr uint32_t flag_reset = 1u << 10;
    constexpr uint32_t flag_hardware_reduced = 1u << 20;
    const auto flags = table.get<uint32_t>(112);
    facts.hardware_reduced = (flags & flag_hardware_reduced) != 0;
    // Before revision 2 the boot flags did not exist, and there was always a controller.
    const bool has_boot_flags = table.get<uint8_t>(8) >= 2;
    facts.has_keyboard_controller = !has_boot_flags || (table.get<uint16_t>(109) & 2) != 0;
    if (!facts.hardware_reduced) {
        if (table.get<uint8_t>(91) == 4)
            facts.pm_timer = block(table, 208, 76, 32);
        facts.pm_timer_32bit = (flags & flag_timer_32bit) != 0;
        facts.pm1a_control = block(table, 172, 64, 16);
        facts.pm1b_control = block(table, 184, 68, 16);
    }
    if ((flags & flag_reset) != 0) {
        facts.reset = register_at(table, 116);
        facts.reset_value = table.get<uint8_t>(128);
    }
    facts.sleep_control = register_at(table, 244);
    dsdt = table.get<uint64_t>(140);
    if (dsdt == 0)
        dsdt = table.get<uint32_t>(40);
}

// Source: IA-PC HPET Specification, "The HPET Description Table".
START_ONLY void read_hpet(const Bytes& table, AcpiFacts& facts)
{
    const AcpiRegister base = register_at(table, 40);
    if (base.space == AcpiRegister::memory)
        facts.hpet = HostPhysical(base.address);
}

// Source: PCI Firmware Specification, "MCFG Table Description".
START_ONLY void read_mcfg(const Bytes& table, AcpiFacts& facts)
{
    constexpr size_t entry_bytes = 16;
    for (size_t at = 44; table.holds(at, entry_bytes); at += entry_bytes) {
        if (facts.pci_segment_count == facts.pci_segments.size())
            return;
        const AcpiPciSegment segment{HostPhysical(table.get<uint64_t>(at)), table.get<uint16_t>(at + 8),
                                     table.get<uint8_t>(at + 10), table.get<uint8_t>(at + 11)};
        if (segment.base.raw() != 0 && segment.first_bus <= segment.last_bus)
            facts.pci_segments[facts.pci_segment_count++] = segment;
    }
}

namespace {

// An integer constant of AML. Source: "Data Objects Encoding".
START_ONLY bool small_integer(const Bytes& code, size_t& at, uint8_t& value)
{
    constexpr uint8_t zero_op = 0x00;
    constexpr uint8_t one_op = 0x01;
    constexpr uint8_t byte_prefix = 0x0A;
    if (!code.holds(at, 1))
        return false;
    const auto op = code.get<uint8_t>(at);
    if (op == zero_op || op == one_op) {
        value = op;
        at += 1;
        return true;
    }
    if (op != byte_prefix || !code.holds(at, 2))
        return false;
    value = code.get<uint8_t>(at + 1);
    at += 2;
    return true;
}

}  // namespace

// Name (_S5, Package () {a, b, ...}) is NameOp "_S5_" PackageOp PkgLength NumElements a b.
START_ONLY void find_s5(const Bytes& table, AcpiFacts& facts)
{
    constexpr uint8_t name_op = 0x08;
    constexpr uint8_t root_character = '\\';
    constexpr uint8_t package_op = 0x12;
    for (size_t at = table.find('_', header_bytes + 1); !facts.can_power_off && table.holds(at, 8);
         at = table.find('_', at + 1)) {
        if (!table.has_text(at, "_S5_", 4))
            continue;
        const auto before = table.get<uint8_t>(at - 1);
        const bool named = before == name_op || (before == root_character && table.get<uint8_t>(at - 2) == name_op);
        if (!named || table.get<uint8_t>(at + 4) != package_op)
            continue;
        const size_t length_bytes = 1 + (table.get<uint8_t>(at + 5) >> 6);
        size_t element = at + 5 + length_bytes;
        const auto elements = table.get<uint8_t>(element++);
        uint8_t a;
        uint8_t b = 0;
        if (elements < 1 || !small_integer(table, element, a))
            continue;
        if (elements >= 2 && !small_integer(table, element, b))
            continue;
        facts.can_power_off = a <= 7 && b <= 7;
        facts.sleep_type_a = a;
        facts.sleep_type_b = b;
    }
}

}  // namespace bulkhead::acpi_reader
