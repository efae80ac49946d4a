// SPDX-License-Identifier: BSD-2-Clause
// Devices in their owners' hands: which frames they map, when they master the bus, and their interrupts as
// event channels, on an invented card.
#include "tests/unit/events/event_fixture.hpp"

#include "core/devices/devices.cpp"
#include "core/devices/interrupts.cpp"

#include <string>

namespace bulkhead {

namespace fake {
inline std::array<AssignedDevice, 2> devices;
inline std::array<PciFunction, 2> functions;
inline std::vector<std::string> hardware;       // what was done to it, in order
inline bool idle = true, cpu_unreachable = false;

inline void note(std::string what) { hardware.push_back(std::move(what)); }
inline bool noted(const char* what)
{
    const bool found = std::find(hardware.begin(), hardware.end(), what) != hardware.end();
    hardware.clear();
    return found;
}
}  // namespace fake

std::span<AssignedDevice> all_devices() { return fake::devices; }
void pci_open(PciAddress) { fake::note("open"); }
void pci_master(PciAddress, bool on) { fake::note(on ? "master on" : "master off"); }
void pci_use_line(PciAddress, bool on) { fake::note(on ? "line on" : "line off"); }
bool pci_is_idle(const PciFunction&, const PciDeviceFacts&) { return fake::idle; }
bool pci_start_reset(const PciFunction&, const PciDeviceFacts& facts)
{
    fake::note("reset");
    return facts.function_reset;
}
void pci_restore(const PciFunction&) { fake::note("restore"); }
void msi_enable(const PciFunction&, const PciDeviceFacts&, InterruptMessage) { fake::note("msi on"); }
void msi_disable(const PciFunction&) { fake::note("msi off"); }
void msix_enable(const PciFunction&, bool on) { fake::note(on ? "msix on" : "msix off"); }
void msix_mask_all(const PciFunction&) { fake::note("msix off"); }
void msix_write(volatile void*, unsigned entry, InterruptMessage message)
{
    fake::note("entry " + std::to_string(entry) + " to " + std::to_string(message.data));
}
void msix_mask(volatile void*, unsigned entry) { fake::note("mask " + std::to_string(entry)); }
bool route_level_line(uint32_t line, bool, uint8_t, uint32_t)
{
    fake::note("route " + std::to_string(line));
    return !fake::cpu_unreachable;
}
void mask_line(uint32_t) { fake::note("line masked"); }
void unmask_line(uint32_t) { fake::note("line unmasked"); }
bool iommu_interrupt_message(PciAddress, uint32_t, uint8_t vector, uint32_t, InterruptMessage& message)
{
    message = {0, vector};
    return !fake::cpu_unreachable;
}
void iommu_forget_interrupt(PciAddress, uint32_t) {}

}  // namespace bulkhead

using namespace bulkhead;

// Partition 0 has a card with MSI-X (two vectors) and a line, partition 1 one that shares the line.
TEST_GROUP_BASE(Devices, EventFixture)
{
    std::array<plan::Device, 2> planned{};
    uint32_t msix_table[64];

    void setup() override
    {
        EventFixture::setup();
        used = 0;
        for (DeviceInterrupt& each : interrupts) {
            each.mapped = each.waits = false;
            each.port = 0;
            each.entry = 0;
            each.count = 0;
        }
        fake::idle = true;
        fake::cpu_unreachable = false;
        for (size_t i = 0; i < 2; ++i) {
            AssignedDevice& device = fake::devices[i];
            fake::functions[i] = {};
            fake::functions[i].address = pci_address(0, static_cast<unsigned>(3 + i), 0);
            device.plan = &planned[i];
            device.owner = &partition(i);
            device.function = &fake::functions[i];
            device.facts = {};
            device.frames = {};
            device.has_line = true;
            device.line = {20, false};
            device.open = device.reset_tried = false;
            device.cut_off = false;
            device.faults = 0;
            device.msix_table = nullptr;
            device.msix_count = 0;
        }
        fake::devices[0].facts.msix_count = 2;
        fake::devices[0].msix_table = msix_table;
        fake::functions[0].msix = 0x70;
        fake::devices[0].frames[0] = {{Mfn(0xF0000), 16}, {}};
        fake::devices[0].frames[3] = {{Mfn(0xF0100), 4}, {Mfn(0xF0101), 2}};
        for (AssignedDevice& device : fake::devices)
            add_device_interrupts(device);
        fake::hardware.clear();
    }
    void teardown() override
    {
        fake::hardware = {};
        EventFixture::teardown();
    }
    uint32_t map(size_t owner, InterruptKind kind, uint32_t entry = 0)
    {
        return map_device_interrupt(partition(owner), fake::devices[owner], kind, entry).value_or(999);
    }
    uint32_t bind(uint32_t number)
    {
        evtchn_bind_pirq request{number, 0, 0};
        LONGS_EQUAL(0, call(EVTCHNOP_bind_pirq, request));
        return request.port;
    }
    bool take(size_t owner, uint32_t port)
    {
        unsigned long& word = partition(owner).shared->evtchn_pending[port / 64];
        const bool was = (word >> port % 64 & 1) != 0;
        word &= ~(1ul << port % 64);
        return was;
    }
    static uint8_t vector(uint32_t number) { return static_cast<uint8_t>(vector_first_assigned + number); }
};

TEST(Devices, an_owner_maps_its_registers_uncached_and_nobody_else_does)
{
    constexpr uint64_t value = pte::make(Mfn(0xF0005), pte::present | pte::writable | pte::global | pte::large);
    const uint64_t entry = device_entry(partition(0), value);
    CHECK(entry == pte::make(Mfn(0xF0005), pte::present | pte::writable | pte::user | pte::device | pte::uncached));
    CHECK(device_entry(partition(1), value) == 0);
    CHECK(device_entry(partition(0), pte::make(Mfn(0xF0010), pte::present)) == 0);
    CHECK(device_entry(partition(0), pte::make(Mfn(0xEFFFF), pte::present)) == 0);
}

TEST(Devices, pages_of_an_msix_table_are_nobodys)
{
    CHECK(device_entry(partition(0), pte::make(Mfn(0xF0100), pte::present)) != 0);
    CHECK(device_entry(partition(0), pte::make(Mfn(0xF0101), pte::present)) == 0);
    CHECK(device_entry(partition(0), pte::make(Mfn(0xF0102), pte::present)) == 0);
    CHECK(device_entry(partition(0), pte::make(Mfn(0xF0103), pte::present)) != 0);
}

TEST(Devices, bus_mastering_belongs_to_a_life)
{
    AssignedDevice& device = fake::devices[0];
    LONGS_EQUAL(XEN_EPERM, set_device_dma(device, true).error());
    open_devices(partition(0));
    CHECK(set_device_dma(device, true).has_value());
    CHECK(fake::noted("master on"));
    silence_devices(partition(0));
    CHECK(fake::noted("msix off"));
    LONGS_EQUAL(XEN_EPERM, set_device_dma(device, true).error());
    CHECK(close_devices(partition(0), 0));
}

TEST(Devices, one_that_does_not_come_to_rest_is_reset)
{
    constexpr uint64_t ms = 1'000'000;
    fake::devices[0].facts.function_reset = true;
    open_devices(partition(0));
    silence_devices(partition(0));
    fake::idle = false;
    CHECK_FALSE(close_devices(partition(0), 99 * ms));
    CHECK_FALSE(fake::noted("reset"));
    CHECK_FALSE(close_devices(partition(0), 100 * ms));
    CHECK(fake::noted("reset"));
    CHECK_FALSE(close_devices(partition(0), 150 * ms));
    CHECK(close_devices(partition(0), 200 * ms));
    CHECK(fake::noted("restore"));
}

TEST(Devices, one_without_a_reset_is_left_silent)
{
    open_devices(partition(0));
    silence_devices(partition(0));
    fake::idle = false;
    CHECK_FALSE(close_devices(partition(0), 0));
    CHECK(close_devices(partition(0), 100'000'000));
}

TEST(Devices, one_that_reaches_too_often_for_others_memory_is_cut_off_for_this_life)
{
    AssignedDevice& device = fake::devices[0];
    open_devices(partition(0));
    for (int i = 0; i < 63; ++i)
        device_faulted(device);
    CHECK(set_device_dma(device, true).has_value());
    device_faulted(device);
    CHECK(fake::noted("master off"));
    LONGS_EQUAL(XEN_EACCES, set_device_dma(device, true).error());
    open_devices(partition(0));
    CHECK(set_device_dma(device, true).has_value());
}

TEST(Devices, a_message_sets_its_port_pending)
{
    const uint32_t number = map(0, InterruptKind::msix, 1);
    const uint32_t port = bind(number);
    CHECK(fake::noted(("entry 1 to " + std::to_string(vector(number))).c_str()));
    device_interrupt(vector(number));
    CHECK(take(0, port));
    LONGS_EQUAL(1, device_interrupts(fake::devices[0]));
    evtchn_status status{DOMID_SELF, port, 0, 0, {}};
    LONGS_EQUAL(0, call(EVTCHNOP_status, status));
    LONGS_EQUAL(EVTCHNSTAT_pirq, status.status);
    LONGS_EQUAL(number, status.u.pirq);
}

TEST(Devices, a_closed_port_hears_nothing_and_its_vector_is_masked)
{
    const uint32_t number = map(0, InterruptKind::msix, 0);
    const uint32_t port = bind(number);
    LONGS_EQUAL(XEN_EBUSY, unmap_device_interrupt(partition(0), number).error());
    evtchn_close close{port};
    LONGS_EQUAL(0, call(EVTCHNOP_close, close));
    CHECK(fake::noted("mask 0"));
    device_interrupt(vector(number));
    CHECK_FALSE(take(0, port));
    CHECK(unmap_device_interrupt(partition(0), number).has_value());
    evtchn_bind_pirq again{number, 0, 0};
    LONGS_EQUAL(-XEN_EINVAL, call(EVTCHNOP_bind_pirq, again));
}

TEST(Devices, what_a_former_life_mapped_is_not_mapped_in_the_next_one)
{
    evtchn_bind_pirq request{map(0, InterruptKind::msix, 0), 0, 0};
    open_devices(partition(0));
    LONGS_EQUAL(-XEN_EINVAL, call(EVTCHNOP_bind_pirq, request));
    request.pirq = map(0, InterruptKind::msix, 0);
    LONGS_EQUAL(0, call(EVTCHNOP_bind_pirq, request));
}

TEST(Devices, interrupts_are_bound_once_and_by_their_owner)
{
    const uint32_t number = map(0, InterruptKind::msix, 0);
    bind(number);
    evtchn_bind_pirq request{number, 0, 0};
    LONGS_EQUAL(-XEN_EEXIST, call(EVTCHNOP_bind_pirq, request));
    be(1);
    LONGS_EQUAL(-XEN_EINVAL, call(EVTCHNOP_bind_pirq, request));
    request.pirq = ~0u;
    LONGS_EQUAL(-XEN_EINVAL, call(EVTCHNOP_bind_pirq, request));
    LONGS_EQUAL(XEN_EPERM, map_device_interrupt(partition(1), fake::devices[0], InterruptKind::msix, 0).error());
    LONGS_EQUAL(XEN_ENODEV, map_device_interrupt(partition(0), fake::devices[0], InterruptKind::msix, 2).error());
    LONGS_EQUAL(XEN_ENODEV, map_device_interrupt(partition(0), fake::devices[0], InterruptKind::msi, 0).error());
}

TEST(Devices, a_cpu_that_cannot_be_reached_gets_no_interrupt)
{
    fake::cpu_unreachable = true;
    evtchn_bind_pirq request{map(0, InterruptKind::msix, 0), 0, 0};
    LONGS_EQUAL(-XEN_ENOSPC, call(EVTCHNOP_bind_pirq, request));
    fake::cpu_unreachable = false;
    LONGS_EQUAL(0, call(EVTCHNOP_bind_pirq, request));
}

TEST(Devices, a_line_waits_for_all_who_share_it)
{
    const uint32_t one = map(0, InterruptKind::line);
    const uint32_t two = map(1, InterruptKind::line);
    const uint32_t port = bind(one);
    be(1);
    const uint32_t other_port = bind(two);
    fake::hardware.clear();
    device_interrupt(vector(two));
    CHECK(take(0, port) && take(1, other_port));
    CHECK(fake::noted("line masked"));
    CHECK(end_device_interrupt(partition(0), one).has_value());
    CHECK_FALSE(fake::noted("line unmasked"));
    CHECK(end_device_interrupt(partition(1), two).has_value());
    CHECK(fake::noted("line unmasked"));
    LONGS_EQUAL(XEN_EINVAL, end_device_interrupt(partition(0), two).error());
    CHECK(*device_interrupt_is_line(partition(0), one));
}

TEST(Devices, who_leaves_a_shared_line_is_not_waited_for)
{
    const uint32_t one = map(0, InterruptKind::line);
    const uint32_t port = bind(one);
    be(1);
    const uint32_t two = map(1, InterruptKind::line);
    bind(two);
    device_interrupt(vector(one));
    CHECK(end_device_interrupt(partition(1), two).has_value());
    fake::hardware.clear();
    be(0);
    evtchn_close close{port};
    LONGS_EQUAL(0, call(EVTCHNOP_close, close));
    CHECK(fake::noted("line unmasked"));
}

TEST(Devices, an_interrupt_follows_its_port_to_another_vcpu)
{
    const uint32_t number = map(0, InterruptKind::msix, 0);
    const uint32_t port = bind(number);
    fake::hardware.clear();
    evtchn_bind_vcpu request{port, 1};
    LONGS_EQUAL(0, call(EVTCHNOP_bind_vcpu, request));
    CHECK(fake::noted(("entry 0 to " + std::to_string(vector(number))).c_str()));
    device_interrupt(vector(number));
    CHECK(take(0, port));
}

TEST(Devices, a_vector_that_nobody_has_is_ignored)
{
    device_interrupt(vector_last_assigned);
    device_interrupt(vector_first_device);
    LONGS_EQUAL(0, device_interrupts(fake::devices[1]));
}
