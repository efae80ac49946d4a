// SPDX-License-Identifier: BSD-2-Clause
// The driver for a PCI device of the plan.
#pragma once

#include "pvdrivers/nic/nic.hpp"
#include "pvdrivers/nic/registers.hpp"

#include <bulkhead/device.hpp>

namespace bulkhead::nic {

// Starts the driver of the device, which is to live as long as the program, as the driver does. The handler is
// that of the card's interrupts; it calls on_interrupt(). XEN_ENODEV: no driver knows the card, or it does not
// come up. XEN_ENOMEM: the arena or the heap is too small. What the driver could not do is not retried.
[[nodiscard]] Result<Nic*> make_nic(Device& device, const DmaArena& arena, EventHandler handler);

// The same for any card.
[[nodiscard]] Result<Nic*> make_nic(Card& card, const DmaArena& arena, EventHandler handler);

// The program's DMA region as an arena; empty if the plan gives none.
[[nodiscard]] DmaArena dma_arena();

}  // namespace bulkhead::nic
