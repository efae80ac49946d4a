// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/pci.hpp"
#include "platform/x86/start_only.hpp"

namespace bulkhead {

namespace {

constexpr uint16_t reg_identity = 0x00;
constexpr uint16_t reg_status = 0x04;
constexpr uint16_t reg_class = 0x08;
constexpr uint16_t reg_header = 0x0C;
constexpr uint16_t reg_first_bar = 0x10;
constexpr uint16_t reg_bus_numbers = 0x18;
constexpr uint16_t reg_capabilities = 0x34;
constexpr uint16_t reg_interrupt = 0x3C;
constexpr uint32_t nothing_there = 0xFFFF'FFFF;
constexpr uint32_t status_has_capabilities = 1u << 20;
constexpr unsigned capability_msi = 0x05;
constexpr unsigned capability_msix = 0x11;

struct Enumerator {
    PciRead read;
    std::span<PciFunction> to;
    size_t count{0};
    bool truncated{false};
    std::array<uint8_t, 256> waiting{};     // buses to look at, in the order in which they were found
    size_t waiting_count{0};
    size_t waiting_next{0};
    std::array<bool, 256> known{};

    void add_bus(unsigned bus);
    void look_at_bus(unsigned bus);
    uint32_t look_at(PciAddress address);
    void read_bars(PciFunction& function) const;
    void read_capabilities(PciFunction& function) const;
};

// A bridge that leads to a bus which is known already leads nowhere new: no loop.
START_ONLY void Enumerator::add_bus(unsigned bus)
{
    if (bus > 255 || known[bus])
        return;
    known[bus] = true;
    waiting[waiting_count++] = static_cast<uint8_t>(bus);
}

START_ONLY void Enumerator::read_bars(PciFunction& function) const
{
    const unsigned bars = function.header_type == 0 ? 6 : function.header_type == 1 ? 2 : 0;
    for (unsigned i = 0; i < bars; ++i) {
        const uint32_t low = read(function.address, static_cast<uint16_t>(reg_first_bar + i * 4));
        if (low == 0)
            continue;
        if ((low & 1) != 0) {
            function.bars[i] = {PciBar::Kind::io, false, low & ~3u};
            continue;
        }
        const bool is_64bit = ((low >> 1) & 3) == 2;
        uint64_t base = low & ~0xFu;
        if (is_64bit && i + 1 < bars)
            base |= uint64_t{read(function.address, static_cast<uint16_t>(reg_first_bar + i * 4 + 4))} << 32;
        function.bars[i] = {PciBar::Kind::memory, (low & 8) != 0, base};
        i += is_64bit ? 1 : 0;
    }
}

START_ONLY void Enumerator::read_capabilities(PciFunction& function) const
{
    if ((read(function.address, reg_status) & status_has_capabilities) == 0)
        return;
    constexpr unsigned most_capabilities = 48;
    unsigned at = read(function.address, reg_capabilities) & 0xFC;
    for (unsigned i = 0; i < most_capabilities && at >= 0x40; ++i) {
        const uint32_t header = read(function.address, static_cast<uint16_t>(at));
        if ((header & 0xFF) == capability_msi)
            function.msi = static_cast<uint8_t>(at);
        if ((header & 0xFF) == capability_msix)
            function.msix = static_cast<uint8_t>(at);
        at = (header >> 8) & 0xFC;
    }
}

// Returns the register with the header type, or all ones if there is no such function.
START_ONLY uint32_t Enumerator::look_at(PciAddress address)
{
    const uint32_t identity = read(address, reg_identity);
    if (identity == nothing_there || (identity & 0xFFFF) == 0xFFFF || (identity & 0xFFFF) == 0)
        return nothing_there;
    const uint32_t header = read(address, reg_header);
    const uint32_t class_and_revision = read(address, reg_class);
    PciFunction function{};
    function.address = address;
    function.vendor = static_cast<uint16_t>(identity);
    function.device = static_cast<uint16_t>(identity >> 16);
    function.class_code = class_and_revision >> 8;
    function.revision = static_cast<uint8_t>(class_and_revision);
    function.header_type = (header >> 16) & 0x7F;
    function.interrupt_pin = static_cast<uint8_t>(read(address, reg_interrupt) >> 8);
    if (function.header_type == 1) {
        function.secondary_bus = static_cast<uint8_t>(read(address, reg_bus_numbers) >> 8);
        if (function.secondary_bus != 0)
            add_bus(function.secondary_bus);
    }
    read_bars(function);
    read_capabilities(function);
    if (count == to.size())
        truncated = true;
    else
        to[count++] = function;
    return header;
}

START_ONLY void Enumerator::look_at_bus(unsigned bus)
{
    constexpr uint32_t several_functions = 1u << 23;
    for (unsigned device = 0; device < 32; ++device) {
        const uint32_t header = look_at(pci_address(bus, device, 0));
        if (header == nothing_there || (header & several_functions) == 0)
            continue;
        for (unsigned function = 1; function < 8; ++function)
            static_cast<void>(look_at(pci_address(bus, device, function)));
    }
}

}  // namespace

START_ONLY size_t enumerate_pci(PciRead read, std::span<PciFunction> to, bool& truncated)
{
    Enumerator enumerator{read, to};
    enumerator.add_bus(0);
    while (enumerator.waiting_next < enumerator.waiting_count)
        enumerator.look_at_bus(enumerator.waiting[enumerator.waiting_next++]);
    truncated = enumerator.truncated;
    return enumerator.count;
}

}  // namespace bulkhead
