// SPDX-License-Identifier: BSD-2-Clause
// Which function a device of the plan is, and which of its BARs' pages may be given away.
#include "tests/unit/fakes/fake_core.hpp"

#include "platform/x86/iommu.hpp"

#include <machine/core_space.hpp>

#include "core/devices/search.cpp"

#include <CppUTest/TestHarness.h>

#include <memory>

namespace bulkhead {

namespace fake {
static std::vector<PciFunction> functions;
static AcpiFacts acpi_facts;
static PciDeviceFacts facts;
static bool has_registers;
}  // namespace fake

const AcpiFacts& acpi() { return fake::acpi_facts; }
std::span<const PciFunction> pci_functions() { return fake::functions; }
PciDeviceFacts take_pci_device(const PciFunction&) { return fake::facts; }
void pci_open(PciAddress) {}
bool pci_find_line(const PciFunction&, PciLine&) { return false; }
void add_device_interrupts(AssignedDevice&) {}
bool iommu_confine(PciAddress, FrameRange) { return false; }
void start_iommus(const BootInfo&) {}
bool iommu_confines() { return false; }
bool iommu_remaps(PciAddress) { return false; }
bool iommu_has_registers(HostPhysical, uint64_t) { return fake::has_registers; }
Mfn initial_frame(const PvMemory&, Pfn) { return Mfn(0); }

}  // namespace bulkhead

using namespace bulkhead;

TEST_GROUP(DeviceSearch)
{
    std::unique_ptr<BootInfo> info = std::make_unique<BootInfo>();
    plan::Device wanted{};
    plan::DeviceId id{0x8086, 0x10d3};
    std::unique_ptr<AssignedDevice> device = std::make_unique<AssignedDevice>();

    void setup() override
    {
        fake::reset_core();
        fake::functions.assign(2, PciFunction{});
        PciFunction& card = fake::functions[0];
        card.address = pci_address(0, 3, 0);
        card.vendor = 0x8086;
        card.device = 0x10d3;
        card.class_code = 0x020000;
        card.bars[0] = {PciBar::Kind::memory, false, 0xFEB4'0000};
        fake::acpi_facts = {};
        fake::facts = {};
        fake::facts.bar_bytes[0] = 0x20000;
        fake::has_registers = false;
        device->function = &card;
        device->facts = fake::facts;
        info->memory_map[0] = {HostPhysical(0x10'0000), 0x7FF0'0000, MemoryKind::usable};
        info->memory_map_count = 1;
    }
    void teardown() override { fake::functions = {}; }
    bool matches() { return device_matches(wanted, {&id, 1}, fake::functions[0]); }
    PciBar& bar(unsigned number = 0) { return fake::functions[0].bars[number]; }
};

TEST(DeviceSearch, the_first_of_a_class_needs_an_id_that_is_known)
{
    wanted.match = plan::DeviceMatch::any;
    wanted.base_class = 2;
    CHECK(matches());
    id.device = 0x10d4;
    CHECK_FALSE(matches());
    id.device = 0x10d3;
    wanted.sub_class = 0x80;
    CHECK_FALSE(matches());
}

TEST(DeviceSearch, an_address_is_enough)
{
    wanted.match = plan::DeviceMatch::address;
    wanted.devfn = 3 << 3;
    CHECK(device_matches(wanted, {}, fake::functions[0]));
    wanted.bus = 1;
    CHECK_FALSE(device_matches(wanted, {}, fake::functions[0]));
}

TEST(DeviceSearch, ids_match_whatever_the_class)
{
    wanted.match = plan::DeviceMatch::ids;
    CHECK(matches());
    wanted.segment = 1;
    CHECK_FALSE(matches());
}

TEST(DeviceSearch, a_bridge_is_never_given_away)
{
    wanted.match = plan::DeviceMatch::ids;
    fake::functions[0].header_type = 1;
    CHECK_FALSE(matches());
}

TEST(DeviceSearch, a_bar_gives_its_pages)
{
    POINTERS_EQUAL(nullptr, take_bars(*info, *device));
    CHECK(device->frames[0].all.first == Mfn(0xFEB40));
    LONGS_EQUAL(0x20, device->frames[0].all.count);
    LONGS_EQUAL(0, device->frames[0].closed.count);
}

TEST(DeviceSearch, a_bar_over_memory_or_the_cores_registers_is_refused)
{
    bar().base = 0x4000'0000;
    CHECK(take_bars(*info, *device) != nullptr);
    bar().base = 0xFEE0'0000;
    CHECK(take_bars(*info, *device) != nullptr);
    bar().base = 0xFEB4'0000;
    fake::has_registers = true;
    CHECK(take_bars(*info, *device) != nullptr);
    fake::has_registers = false;
    fake::acpi_facts.io_apic_count = 1;
    fake::acpi_facts.io_apics[0].address = HostPhysical(0xFEB5'0000);
    CHECK(take_bars(*info, *device) != nullptr);
}

TEST(DeviceSearch, a_bar_without_an_address_or_at_an_odd_one_is_refused)
{
    bar().base = 0;
    CHECK(take_bars(*info, *device) != nullptr);
    bar().base = 0xFEB5'0000;
    CHECK(take_bars(*info, *device) != nullptr);
}

TEST(DeviceSearch, a_page_with_anothers_registers_is_nobodys)
{
    device->facts.bar_bytes[0] = 0x100;
    bar().base = 0xFEB4'0000;
    fake::functions[1].bars[2] = {PciBar::Kind::memory, false, 0xFEB4'0800};
    POINTERS_EQUAL(nullptr, take_bars(*info, *device));
    LONGS_EQUAL(0, device->frames[0].all.count);
}

TEST(DeviceSearch, the_pages_of_an_msix_table_and_its_pending_bits_are_closed)
{
    fake::functions[0].msix = 0x70;
    device->facts.msix_count = 5;
    device->facts.msix_offset = 0x3000;
    device->facts.pending_offset = 0x4010;
    POINTERS_EQUAL(nullptr, take_bars(*info, *device));
    CHECK(device->frames[0].closed.first == Mfn(0xFEB43));
    LONGS_EQUAL(2, device->frames[0].closed.count);
}
