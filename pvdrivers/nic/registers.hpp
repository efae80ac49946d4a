// SPDX-License-Identifier: BSD-2-Clause
// What a driver needs of its PCI function. pci_card.hpp has the real one, over the runtime's device.hpp;
// host tests have models of cards. Values that a card gives are its own: check them.
#pragma once

#include <bulkhead/events.hpp>
#include <bulkhead/result.hpp>
#include <bulkhead/time.hpp>

#include <cstddef>
#include <cstdint>

namespace bulkhead::nic {

struct CardId {
    uint16_t vendor = 0;
    uint16_t device = 0;
    bool operator==(const CardId&) const = default;
};

class Card {
public:
    virtual ~Card() = default;

    [[nodiscard]] virtual CardId id() const = 0;
    // Of configuration space, 1, 2 or 4 bytes, naturally aligned; all ones where nothing is.
    [[nodiscard]] virtual uint32_t config_read(uint32_t offset, unsigned bytes) const = 0;

    // Size of a memory BAR (0 to 5), mapped from now on; 0: there is none.
    [[nodiscard]] virtual size_t map_bar(unsigned bar) = 0;
    // Registers of a mapped BAR, 1, 2 or 4 bytes, naturally aligned and within its size. In program order.
    [[nodiscard]] virtual uint32_t read(unsigned bar, uint32_t offset, unsigned bytes) = 0;
    virtual void write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value) = 0;

    // How many MSI-X vectors there are, or 1 for MSI; 0: the card has to be polled.
    [[nodiscard]] virtual unsigned vectors() const = 0;
    [[nodiscard]] virtual bool has_msix() const = 0;
    // The handler runs for that vector from now on; unmasks it.
    [[nodiscard]] virtual Result<> bind_interrupt(unsigned vector, EventHandler handler) = 0;

    // Whether the card may read and write the DMA arena. Off at first.
    virtual Result<> enable_dma(bool on) = 0;

    // Waits for so long without dispatching anything.
    virtual void pause(Duration duration) = 0;
};

}  // namespace bulkhead::nic
