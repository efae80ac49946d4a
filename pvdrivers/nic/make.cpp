// SPDX-License-Identifier: BSD-2-Clause
// Which driver drives a card, and real cards.
#include "pvdrivers/nic/make.hpp"

#include "pvdrivers/abi/network_cards.h"
#include "pvdrivers/nic/intel.hpp"
#include "pvdrivers/nic/pci_card.hpp"
#include "pvdrivers/nic/virtio_net.hpp"

#include <new>

namespace bulkhead::nic {

uint32_t PciCard::config_read(uint32_t offset, unsigned bytes) const
{
    const auto value = device_.config_read(static_cast<uint16_t>(offset), static_cast<ConfigWidth>(bytes));
    return value.value_or(bytes == 4 ? UINT32_MAX : (1U << (8 * bytes)) - 1);
}

size_t PciCard::map_bar(unsigned bar)
{
    // A BAR with closed pages in it is of no use to a driver here, and reading them would be a fault.
    if (bar >= bars_.size() || device_.info().bars[bar].closed_bytes != 0)
        return 0;
    if (bars_[bar].empty()) {
        const auto mapped = device_.map_bar(bar);
        if (!mapped)
            return 0;
        bars_[bar] = *mapped;
    }
    return bars_[bar].size();
}

uint32_t PciCard::read(unsigned bar, uint32_t offset, unsigned bytes)
{
    switch (bytes) {
    case 1: return at<uint8_t>(bar, offset);
    case 2: return at<uint16_t>(bar, offset);
    default: return at<uint32_t>(bar, offset);
    }
}

void PciCard::write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value)
{
    switch (bytes) {
    case 1: at<uint8_t>(bar, offset) = static_cast<uint8_t>(value); break;
    case 2: at<uint16_t>(bar, offset) = static_cast<uint16_t>(value); break;
    default: at<uint32_t>(bar, offset) = value; break;
    }
}

Result<> PciCard::bind_interrupt(unsigned vector, EventHandler handler)
{
    const auto port = device_.bind_interrupt(vector, handler);
    return port ? Result<>{} : failure(port.error());
}

void PciCard::pause(Duration duration)
{
    const Time end = Clock::now() + duration;
    while (Clock::now() < end)
        __builtin_ia32_pause();
}

// What the host tool takes for a card that has a driver has one.
#define HAS_DRIVER(vendor, device) \
    static_assert(VirtioNet::drives({vendor, device}) || intel::find_variant({vendor, device}) != nullptr);
BULKHEAD_NETWORK_CARDS(HAS_DRIVER)
#undef HAS_DRIVER

Result<Nic*> make_nic(Card& card, const DmaArena& arena, EventHandler handler)
{
    Driver* driver = nullptr;
    if (VirtioNet::drives(card.id()))
        driver = new (std::nothrow) VirtioNet(card);
    else if (const auto* variant = intel::find_variant(card.id()))
        driver = new (std::nothrow) IntelDriver(card, *variant);
    else
        return failure(XEN_ENODEV);
    if (driver == nullptr)
        return failure(XEN_ENOMEM);
    if (const auto started = driver->start(arena, handler); !started)
        return failure(started.error());    // it stays: interrupts may be bound to it
    return driver;
}

Result<Nic*> make_nic(Device& device, const DmaArena& arena, EventHandler handler)
{
    if (!device.info().present)
        return failure(XEN_ENODEV);
    auto* card = new (std::nothrow) PciCard(device);
    if (card == nullptr)
        return failure(XEN_ENOMEM);
    return make_nic(*card, arena, handler);
}

DmaArena dma_arena()
{
    const auto memory = dma_region();
    if (memory.empty())
        return {};
    return {memory, dma_address(memory.data())};
}

}  // namespace bulkhead::nic
