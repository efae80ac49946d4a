// SPDX-License-Identifier: BSD-2-Clause
// See pci_device.hpp.
#include "platform/x86/pci_device.hpp"

#include "platform/x86/instructions.hpp"
#include "platform/x86/start_only.hpp"

namespace bulkhead {

namespace {

constexpr uint16_t reg_command = 0x04;
constexpr uint16_t reg_first_bar = 0x10;
constexpr uint16_t reg_subsystem = 0x2C;
constexpr uint16_t reg_capabilities = 0x34;
constexpr uint32_t status_has_capabilities = 1u << 20;

constexpr uint16_t command_memory = 1u << 1;
constexpr uint16_t command_io = 1u << 0;
constexpr uint16_t command_master = 1u << 2;
constexpr uint16_t command_no_line = 1u << 10;

constexpr unsigned capability_power = 0x01;
constexpr unsigned capability_express = 0x10;
constexpr unsigned capability_advanced = 0x13;

constexpr uint16_t msix_enabled = 1u << 15;
constexpr uint16_t msix_all_masked = 1u << 14;
constexpr unsigned msix_entry_bytes = 16;

uint16_t read16(PciAddress address, unsigned offset)
{
    const uint32_t value = pci_read32(address, static_cast<uint16_t>(offset & ~3u));
    return static_cast<uint16_t>(value >> (offset & 2) * 8);
}

void change_command(PciAddress address, uint16_t clear, uint16_t set)
{
    const uint16_t command = read16(address, reg_command);
    pci_write16(address, reg_command, static_cast<uint16_t>((command & ~clear) | set));
}

START_ONLY uint64_t size_of_bar(PciAddress address, unsigned bar, bool is_64bit)
{
    const auto low_at = static_cast<uint16_t>(reg_first_bar + bar * 4);
    const auto high_at = static_cast<uint16_t>(low_at + 4);
    const uint32_t low = pci_read32(address, low_at);
    const uint32_t high = is_64bit ? pci_read32(address, high_at) : 0;
    pci_write32(address, low_at, ~0u);
    uint64_t mask = pci_read32(address, low_at) & ~0xFu;
    pci_write32(address, low_at, low);
    if (is_64bit) {
        pci_write32(address, high_at, ~0u);
        mask |= uint64_t{pci_read32(address, high_at)} << 32;
        pci_write32(address, high_at, high);
    } else if (mask != 0) {
        mask |= uint64_t{0xFFFF'FFFF} << 32;
    }
    return mask == 0 ? 0 : ~mask + 1;
}

START_ONLY void size_bars(const PciFunction& function, PciDeviceFacts& facts)
{
    for (unsigned i = 0; i < function.bars.size(); ++i) {
        if (function.bars[i].kind != PciBar::Kind::memory)
            continue;
        const uint32_t low = pci_read32(function.address, static_cast<uint16_t>(reg_first_bar + i * 4));
        const bool is_64bit = ((low >> 1) & 3) == 2 && i + 1 < function.bars.size();
        facts.bar_bytes[i] = size_of_bar(function.address, i, is_64bit);
        i += is_64bit ? 1 : 0;
    }
}

START_ONLY void read_capabilities(PciAddress address, PciDeviceFacts& facts)
{
    if ((pci_read32(address, reg_command) & status_has_capabilities) == 0)
        return;
    constexpr unsigned most_capabilities = 48;
    unsigned at = pci_read32(address, reg_capabilities) & 0xFC;
    for (unsigned i = 0; i < most_capabilities && at >= 0x40; ++i) {
        const uint32_t header = pci_read32(address, static_cast<uint16_t>(at));
        const auto place = static_cast<uint8_t>(at);
        if ((header & 0xFF) == capability_power)
            facts.power = place;
        if ((header & 0xFF) == capability_express)
            facts.express = place;
        if ((header & 0xFF) == capability_advanced)
            facts.advanced = place;
        at = (header >> 8) & 0xFC;
    }
}

START_ONLY void read_msix(const PciFunction& function, PciDeviceFacts& facts)
{
    const uint32_t table = pci_read32(function.address, static_cast<uint16_t>(function.msix + 4));
    const uint32_t pending = pci_read32(function.address, static_cast<uint16_t>(function.msix + 8));
    facts.msix_count = static_cast<uint16_t>((read16(function.address, function.msix + 2u) & 0x7FF) + 1);
    facts.msix_bar = table & 7;
    facts.msix_offset = table & ~7u;
    facts.pending_bar = pending & 7;
    facts.pending_offset = pending & ~7u;
}

START_ONLY void read_reset(PciAddress address, PciDeviceFacts& facts)
{
    constexpr uint32_t express_reset = 1u << 28;
    constexpr uint32_t advanced_reset = 1u << 25;
    if (facts.express != 0)
        facts.function_reset = (pci_read32(address, static_cast<uint16_t>(facts.express + 4)) & express_reset) != 0;
    if (facts.advanced != 0)
        facts.function_reset |= (pci_read32(address, facts.advanced) & advanced_reset) != 0;
}

}  // namespace

START_ONLY PciDeviceFacts take_pci_device(const PciFunction& function)
{
    PciDeviceFacts facts{};
    const PciAddress address = function.address;
    pci_close(address);
    read_capabilities(address, facts);
    if (facts.power != 0) {
        constexpr uint16_t power_state = 3;             // 0 is D0
        const auto at = static_cast<uint16_t>(facts.power + 4);
        pci_write16(address, at, read16(address, at) & static_cast<uint16_t>(~power_state));
    }
    const uint32_t subsystem = pci_read32(address, reg_subsystem);
    facts.subsystem_vendor = static_cast<uint16_t>(subsystem);
    facts.subsystem = static_cast<uint16_t>(subsystem >> 16);
    size_bars(function, facts);
    read_reset(address, facts);
    if (function.msi != 0) {
        constexpr uint16_t has_64bit = 1u << 7;
        facts.msi_64bit = (read16(address, function.msi + 2u) & has_64bit) != 0;
        msi_disable(function);
    }
    if (function.msix != 0) {
        read_msix(function, facts);
        msix_enable(function, false);
    }
    return facts;
}

void pci_open(PciAddress address) { change_command(address, command_master | command_io, command_memory | command_no_line); }
void pci_close(PciAddress address)
{
    change_command(address, command_master | command_memory | command_io, command_no_line);
    // A read behind the write: what the function sent before has arrived.
    (void)pci_read32(address, reg_command);
}
void pci_master(PciAddress address, bool on)
{
    change_command(address, on ? uint16_t{0} : command_master, on ? command_master : uint16_t{0});
    if (!on)
        (void)pci_read32(address, reg_command);
}
void pci_use_line(PciAddress address, bool on)
{
    change_command(address, on ? command_no_line : uint16_t{0}, on ? uint16_t{0} : command_no_line);
}

bool pci_is_idle(const PciFunction& function, const PciDeviceFacts& facts)
{
    constexpr unsigned device_status = 10;
    constexpr uint16_t transactions_pending = 1u << 5;
    if (facts.express == 0)
        return true;
    return (read16(function.address, facts.express + device_status) & transactions_pending) == 0;
}

bool pci_start_reset(const PciFunction& function, const PciDeviceFacts& facts)
{
    constexpr unsigned device_control = 8;
    constexpr uint16_t express_reset = 1u << 15;
    constexpr unsigned advanced_control = 4;
    if (!facts.function_reset)
        return false;
    if (facts.express != 0) {
        const auto at = static_cast<uint16_t>(facts.express + device_control);
        pci_write16(function.address, at, read16(function.address, at) | express_reset);
    } else {
        pci_write16(function.address, static_cast<uint16_t>(facts.advanced + advanced_control), 1);
    }
    return true;
}

void pci_restore(const PciFunction& function)
{
    pci_close(function.address);
    for (unsigned i = 0; i < function.bars.size(); ++i) {
        if (function.bars[i].kind != PciBar::Kind::memory)
            continue;
        const auto at = static_cast<uint16_t>(reg_first_bar + i * 4);
        const bool is_64bit = ((pci_read32(function.address, at) >> 1) & 3) == 2 && i + 1 < function.bars.size();
        pci_write32(function.address, at, static_cast<uint32_t>(function.bars[i].base));
        if (is_64bit)
            pci_write32(function.address, static_cast<uint16_t>(at + 4), static_cast<uint32_t>(function.bars[i++].base >> 32));
    }
}

void msi_enable(const PciFunction& function, const PciDeviceFacts& facts, InterruptMessage message)
{
    constexpr uint16_t enabled = 1;
    constexpr uint16_t several = 7u << 4;
    const auto control_at = static_cast<uint16_t>(function.msi + 2);
    const auto control = static_cast<uint16_t>(read16(function.address, control_at) & ~(enabled | several));
    const unsigned data_at = function.msi + (facts.msi_64bit ? 12u : 8u);
    pci_write16(function.address, control_at, control);
    pci_write32(function.address, static_cast<uint16_t>(function.msi + 4), static_cast<uint32_t>(message.address));
    if (facts.msi_64bit)
        pci_write32(function.address, static_cast<uint16_t>(function.msi + 8),
                    static_cast<uint32_t>(message.address >> 32));
    pci_write16(function.address, static_cast<uint16_t>(data_at), static_cast<uint16_t>(message.data));
    pci_write16(function.address, control_at, control | enabled);
}

void msi_disable(const PciFunction& function)
{
    const auto control_at = static_cast<uint16_t>(function.msi + 2);
    pci_write16(function.address, control_at, read16(function.address, control_at) & static_cast<uint16_t>(~1u));
}

void msix_enable(const PciFunction& function, bool on)
{
    const auto control_at = static_cast<uint16_t>(function.msix + 2);
    const auto rest = static_cast<uint16_t>(read16(function.address, control_at) & ~(msix_enabled | msix_all_masked));
    pci_write16(function.address, control_at, on ? rest | msix_enabled : rest);
}

void msix_mask_all(const PciFunction& function)
{
    const auto control_at = static_cast<uint16_t>(function.msix + 2);
    pci_write16(function.address, control_at,
                static_cast<uint16_t>(read16(function.address, control_at) | msix_all_masked));
}

void msix_write(volatile void* table, unsigned entry, InterruptMessage message)
{
    const size_t at = size_t{entry} * msix_entry_bytes;
    msix_mask(table, entry);
    x86::write_register<uint32_t>(table, at, static_cast<uint32_t>(message.address));
    x86::write_register<uint32_t>(table, at + 4, static_cast<uint32_t>(message.address >> 32));
    x86::write_register<uint32_t>(table, at + 8, message.data);
    x86::write_register<uint32_t>(table, at + 12, 0);
}

void msix_mask(volatile void* table, unsigned entry)
{
    x86::write_register<uint32_t>(table, size_t{entry} * msix_entry_bytes + 12, 1);
}

}  // namespace bulkhead
