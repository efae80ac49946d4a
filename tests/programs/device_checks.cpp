// SPDX-License-Identifier: BSD-2-Clause
// Drives the devices that the plan gives it, to show what the core lets a driver do and what not: QEMU's
// `edu` (DMA and MSI), an 82540EM (an interrupt line) or an 82574L (MSI-X). It takes the place of the
// switch. Lines of its console are what the test reads.
#include <bulkhead/console.hpp>
#include <bulkhead/device.hpp>
#include <bulkhead/memory.hpp>
#include <bulkhead/slice.hpp>
#include <bulkhead/time.hpp>

#include <cstring>

using namespace bulkhead;

namespace {

using Registers = std::span<volatile std::byte>;

template <class T = uint32_t>
T read(Registers registers, size_t at) { return *reinterpret_cast<volatile T*>(&registers[at]); }
template <class T = uint32_t>
void write(Registers registers, size_t at, T value) { *reinterpret_cast<volatile T*>(&registers[at]) = value; }

struct Seen {
    Registers registers;
    size_t status;              // reading it tells, or
    size_t acknowledge;         // writing there does
    unsigned count = 0;
    uint32_t what = 0;
};

void interrupt(void* context, Port)
{
    Seen& seen = *static_cast<Seen*>(context);
    seen.what = read(seen.registers, seen.status);
    if (seen.acknowledge != 0)
        write(seen.registers, seen.acknowledge, seen.what);
    ++seen.count;
}

[[nodiscard]] bool came(const Seen& seen, unsigned count)
{
    const Time deadline = Clock::now() + std::chrono::seconds(10);
    while (seen.count < count && Clock::now() < deadline)
        wait_until(deadline);
    return seen.count >= count;
}

const char* yes(bool is) { return is ? "yes" : "NO"; }

// --- QEMU's edu: docs/specs/edu.rst -------------------------------------------------

constexpr size_t edu_interrupt_status = 0x24;
constexpr size_t edu_raise = 0x60;
constexpr size_t edu_acknowledge = 0x64;
constexpr uint64_t edu_buffer = 0x40000;
constexpr uint32_t edu_start = 1;
constexpr uint32_t edu_to_memory = 2;
constexpr uint32_t edu_tell = 4;

bool edu_copy(Seen& seen, uint64_t from, uint64_t to, uint64_t bytes, uint32_t direction)
{
    const unsigned before = seen.count;
    write<uint64_t>(seen.registers, 0x80, from);
    write<uint64_t>(seen.registers, 0x88, to);
    write<uint64_t>(seen.registers, 0x90, bytes);
    write<uint64_t>(seen.registers, 0x98, edu_start | edu_tell | direction);
    return came(seen, before + 1);
}

void check_dma(Device& device, Seen& seen)
{
    const auto region = dma_region();
    std::byte* const there = region.data();
    std::byte* const back = region.data() + region.size() - page_bytes;
    for (size_t i = 0; i < 256; ++i)
        there[i] = std::byte(i * 7);
    print("dma address is the core's: %s\n", yes(dma_address(there) % page_bytes == 0));
    print("dma on: %s\n", yes(device.enable_dma(true).has_value()));
    const bool out = edu_copy(seen, dma_address(there), edu_buffer, 256, 0);
    const bool in = edu_copy(seen, edu_buffer, dma_address(back), 256, edu_to_memory);
    print("dma in its own region: %s\n", yes(out && in && memcmp(there, back, 256) == 0));
    const auto outside = allocate_pages(1);
    memset(outside->data(), 0x5a, page_bytes);
    const bool done = edu_copy(seen, edu_buffer, dma_address(outside->data()), 256, edu_to_memory);
    print("dma outside of it: %s\n", !done ? "NO END" : (*outside)[1] == std::byte{0x5a} ? "blocked" : "reached memory");
    // A write to the local APICs is an interrupt: this one would be the core's own.
    if (device.info().remapped) {
        const uint32_t message = 0xf1;
        memcpy(there, &message, sizeof(message));
        edu_copy(seen, dma_address(there), edu_buffer, 4, 0);
        edu_copy(seen, edu_buffer, 0xfee00000, 4, edu_to_memory);
        print("forged an interrupt\n");
    }
    print("dma off: %s\n", yes(device.enable_dma(false).has_value()));
    memset(back, 0, 256);
    edu_copy(seen, edu_buffer, dma_address(back), 256, edu_to_memory);
    print("dma while it is off: %s\n", back[1] == std::byte{0} ? "nothing" : "REACHED MEMORY");
    (void)device.enable_dma(true);
}

void check_edu(Device& device, Registers registers)
{
    write(registers, 4, 0x12345678u);
    print("registers answer: %s\n", yes(read(registers, 0) == 0x010000edu && read(registers, 4) == ~0x12345678u));
    static Seen seen;
    seen = {registers, edu_interrupt_status, edu_acknowledge};
    const auto port = device.bind_interrupt(0, {interrupt, &seen});
    print("interrupt bound: %s\n", port ? "yes" : name_of(port.error()));
    (void)device.enable_dma(true);      // a message is a write, too
    for (uint32_t i = 1; i <= 3; ++i) {
        write(registers, edu_raise, i);
        print("interrupt %u came: %s\n", i, yes(came(seen, i) && seen.what == i));
    }
    print("bound twice: %s\n", name_of(device.bind_interrupt(0, {interrupt, &seen}).error()));
    check_dma(device, seen);
}

// --- Intel's cards: 82540EM and 82574L manuals, "Interrupt Cause Set" ----------------

constexpr size_t cause_read = 0xc0;
constexpr size_t cause_set = 0xc8;
constexpr size_t mask_set = 0xd0;
constexpr size_t mask_clear = 0xd8;
constexpr size_t vectors = 0xe4;

void check_line(Device& device, Registers registers)
{
    static Seen seen;
    seen = {registers, cause_read, 0};
    write(registers, mask_clear, ~0u);
    (void)read(registers, cause_read);
    print("interrupt bound: %s\n", yes(device.bind_interrupt(0, {interrupt, &seen}).has_value()));
    (void)device.enable_dma(true);
    write(registers, mask_set, 4u);
    for (uint32_t i = 1; i <= 3; ++i) {
        write(registers, cause_set, 4u);
        print("interrupt %u came: %s\n", i, yes(came(seen, i) && (seen.what & 4) != 0));
    }
}

void check_vectors(Device& device, Registers registers)
{
    static Seen seen;
    seen = {registers, cause_read, cause_read};
    write(registers, mask_clear, ~0u);
    write(registers, cause_read, ~0u);
    print("interrupt bound: %s\n", yes(device.bind_interrupt(1, {interrupt, &seen}).has_value()));
    (void)device.enable_dma(true);
    constexpr uint32_t other = 1u << 24;
    write(registers, 0x18, read(registers, 0x18) | 1u << 31);     // CTRL_EXT: MSI-X
    write(registers, vectors, (1u | 8u) << 16);                   // other causes: vector 1
    write(registers, mask_set, other);
    for (uint32_t i = 1; i <= 3; ++i) {
        write(registers, cause_set, other);
        print("interrupt %u came: %s\n", i, yes(came(seen, i)));
    }
}

// --- What nobody may ------------------------------------------------------------------

void check_refusals(Device& device)
{
    const DeviceInfo& info = device.info();
    const auto command = device.config_read(4, ConfigWidth::word);
    print("bus master at the start: %s\n", command && (*command & 4) == 0 ? "off" : "ON");
    print("config write: %s\n", name_of(device.config_write(4, ConfigWidth::word, 7).error()));
    constexpr uint64_t local_apic = 0xfee00;
    print("frame of the local APIC: %s\n", name_of(map_shared_frame(local_apic, Access::writable).error()));
    for (const DeviceBar& bar : info.bars) {
        if (bar.closed_bytes != 0)
            print("frame of the MSI-X table: %s\n",
                  name_of(map_shared_frame((bar.address + bar.closed_offset) >> 12, Access::writable).error()));
    }
    print("no such device: %s\n", name_of(Device::open(7).error()));
}

void check(Device& device)
{
    const DeviceInfo& info = device.info();
    print("device %04x:%04x at %02x:%02x.%x, msi %u, msix %u, line %d, confined %s, remapped %s\n", info.vendor,
          info.device, info.address >> 8, info.address >> 3 & 31, info.address & 7, info.msi_vectors,
          info.msix_vectors, info.line, yes(info.confined), yes(info.remapped));
    check_refusals(device);
    const auto registers = device.map_bar(0);
    print("registers mapped: %s\n", registers ? "yes" : name_of(registers.error()));
    if (!registers)
        return;
    if (info.vendor == 0x1234 && info.device == 0x11e8)
        check_edu(device, *registers);
    else if (info.device == 0x100e)
        check_line(device, *registers);
    else if (info.device == 0x10d3)
        check_vectors(device, *registers);
}

}  // namespace

int main()
{
    auto device = Device::open(0);
    if (!device) {
        print("no device: %s\n", name_of(device.error()));
    } else if (!device->info().present) {
        print("missing: %s\n", device->info().why.data());
    } else {
        check(*device);
    }
    print("device checks are done\n");
    for (;;)
        wait();
}
