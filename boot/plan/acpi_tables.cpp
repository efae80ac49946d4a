// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/acpi_tables.hpp"

#include <array>
#include <cstddef>
#include <cstring>
#include <numeric>
#include <string_view>

#include "core/guest_power.hpp"
#include "core/types.hpp"

namespace bulkhead::tool {

namespace {

struct [[gnu::packed]] Rsdp {
    std::array<char, 8> signature;
    uint8_t checksum;
    std::array<char, 6> oem;
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum;
    std::array<uint8_t, 3> reserved;
};
static_assert(sizeof(Rsdp) == 36);

struct [[gnu::packed]] Header {
    std::array<char, 4> signature;
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    std::array<char, 6> oem;
    std::array<char, 8> oem_table;
    uint32_t oem_revision;
    std::array<char, 4> creator;
    uint32_t creator_revision;
};
static_assert(sizeof(Header) == 36);

struct [[gnu::packed]] Address {
    uint8_t space;
    uint8_t bits;
    uint8_t offset;
    uint8_t access;
    uint64_t address;
};
static_assert(sizeof(Address) == 12);

// What a hardware-reduced system fills in; the rest is zero.
struct [[gnu::packed]] Fadt {
    Header header;
    uint32_t facs, dsdt;
    std::array<uint8_t, 65> legacy;
    uint16_t boot_architecture;
    uint8_t reserved;
    uint32_t flags;
    Address reset;
    uint8_t reset_value;
    uint16_t arm_boot;
    uint8_t minor;
    uint64_t x_facs, x_dsdt;
    std::array<Address, 8> x_legacy;
    Address sleep_control, sleep_status;
    uint64_t hypervisor;
};
static_assert(sizeof(Fadt) == 276);
static_assert(offsetof(Fadt, boot_architecture) == 109 && offsetof(Fadt, flags) == 112);
static_assert(offsetof(Fadt, x_dsdt) == 140 && offsetof(Fadt, sleep_control) == 244);

struct [[gnu::packed]] Madt {
    Header header;
    uint32_t local_apic;
    uint32_t flags;
};


struct [[gnu::packed]] LocalApic {
    uint8_t type, length, uid, id;
    uint32_t flags;
};
static_assert(sizeof(LocalApic) == 8);

constexpr uint8_t io_space = 1;
constexpr uint8_t byte_access = 1;
constexpr uint32_t flag_reset_register = 1u << 10;
constexpr uint32_t flag_hardware_reduced = 1u << 20;
constexpr uint16_t boot_no_vga = 1u << 2;
constexpr uint16_t boot_no_rtc = 1u << 5;

// \_S5 = { SLP_TYP, 0, 0, 0 } as AML: NameOp, name, PackageOp, length, count, BytePrefix, value, zeros.
constexpr std::array<uint8_t, 14> s5{0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0A, guest_power::sleep_type_off,
                                     0x00, 0x00, 0x00, 0xA3};     // NoopOp fills up

Header header_of(std::string_view signature, uint8_t revision, size_t length)
{
    Header header{};
    std::memcpy(header.signature.data(), signature.data(), header.signature.size());
    header.length = static_cast<uint32_t>(length);
    header.revision = revision;
    std::memcpy(header.oem.data(), "BULKHD", header.oem.size());
    std::memcpy(header.oem_table.data(), "BULKHEAD", header.oem_table.size());
    header.oem_revision = 1;
    std::memcpy(header.creator.data(), "BULK", header.creator.size());
    header.creator_revision = 1;
    return header;
}

uint8_t complement(View bytes)
{
    return static_cast<uint8_t>(-std::accumulate(bytes.begin(), bytes.end(), 0));
}

void add_checksum(Bytes& table)
{
    constexpr size_t at = offsetof(Header, checksum);
    table[at] = 0;
    table[at] = complement(table);
}

template <class T>
Bytes bytes_of(const T& record)
{
    const View view = view_of(record);
    return {view.begin(), view.end()};
}

Bytes make_dsdt()
{
    Bytes table = bytes_of(header_of("DSDT", 2, sizeof(Header) + s5.size()));
    append(table, View(s5));
    add_checksum(table);
    return table;
}

Bytes make_fadt(uint64_t dsdt)
{
    Fadt fadt{};
    fadt.header = header_of("FACP", 6, sizeof(Fadt));
    fadt.dsdt = static_cast<uint32_t>(dsdt);
    fadt.x_dsdt = dsdt;
    fadt.boot_architecture = boot_no_vga | boot_no_rtc;
    fadt.flags = flag_reset_register | flag_hardware_reduced;
    fadt.reset = {io_space, 8, 0, byte_access, guest_power::reset_port};
    fadt.reset_value = guest_power::reset_value;
    fadt.sleep_control = {io_space, 8, 0, byte_access, guest_power::sleep_port};
    fadt.sleep_status = {io_space, 8, 0, byte_access, guest_power::status_port};
    Bytes table = bytes_of(fadt);
    add_checksum(table);
    return table;
}

// Ids are twice the number, as CPUID has them; there are few enough for the shorter form of entries.
Bytes make_madt(uint32_t vcpus)
{
    constexpr uint32_t enabled = 1;
    Madt madt{};
    madt.header = header_of("APIC", 5, sizeof(Madt) + vcpus * sizeof(LocalApic));
    madt.local_apic = 0xFEE00000;
    Bytes table = bytes_of(madt);
    for (uint32_t vcpu = 0; vcpu < vcpus; ++vcpu)
        append(table, view_of(LocalApic{0, sizeof(LocalApic), static_cast<uint8_t>(vcpu),
                                        static_cast<uint8_t>(2 * vcpu), enabled}));
    add_checksum(table);
    return table;
}

}  // namespace

Bytes make_acpi_tables(uint64_t base, uint32_t vcpus)
{
    constexpr uint64_t alignment = 16;
    Bytes all(align_up(sizeof(Rsdp), alignment));
    const auto add = [&](const Bytes& table) {
        pad_to(all, alignment);
        const uint64_t at = base + all.size();
        append(all, table);
        return at;
    };
    const uint64_t fadt = add(make_fadt(add(make_dsdt())));
    const uint64_t madt = add(make_madt(vcpus));
    Bytes xsdt = bytes_of(header_of("XSDT", 1, sizeof(Header) + 2 * sizeof(uint64_t)));
    append(xsdt, view_of(fadt));
    append(xsdt, view_of(madt));
    add_checksum(xsdt);
    Rsdp rsdp{};
    std::memcpy(rsdp.signature.data(), "RSD PTR ", rsdp.signature.size());
    std::memcpy(rsdp.oem.data(), "BULKHD", rsdp.oem.size());
    rsdp.revision = 2;
    rsdp.length = sizeof(Rsdp);
    rsdp.xsdt = add(xsdt);
    constexpr size_t old_part = 20;
    rsdp.checksum = complement(view_of(rsdp).first(old_part));
    rsdp.extended_checksum = complement(view_of(rsdp));
    const View head = view_of(rsdp);
    std::copy(head.begin(), head.end(), all.begin());
    return all;
}

}  // namespace bulkhead::tool
