// SPDX-License-Identifier: BSD-2-Clause
// A card that is a PCI device of the plan.
#pragma once

#include "pvdrivers/nic/registers.hpp"

#include <bulkhead/device.hpp>

#include <array>
#include <span>

namespace bulkhead::nic {

class PciCard final : public Card {
public:
    explicit PciCard(Device& device) : device_(device) {}

    [[nodiscard]] CardId id() const override { return {device_.info().vendor, device_.info().device}; }
    [[nodiscard]] uint32_t config_read(uint32_t offset, unsigned bytes) const override;
    [[nodiscard]] size_t map_bar(unsigned bar) override;
    [[nodiscard]] uint32_t read(unsigned bar, uint32_t offset, unsigned bytes) override;
    void write(unsigned bar, uint32_t offset, unsigned bytes, uint32_t value) override;
    [[nodiscard]] unsigned vectors() const override { return device_.interrupts(); }
    [[nodiscard]] bool has_msix() const override { return device_.info().msix_vectors != 0; }
    [[nodiscard]] Result<> bind_interrupt(unsigned vector, EventHandler handler) override;
    Result<> enable_dma(bool on) override { return device_.enable_dma(on); }
    void pause(Duration duration) override;

private:
    template <class T>
    [[nodiscard]] volatile T& at(unsigned bar, uint32_t offset) const
    {
        return *reinterpret_cast<volatile T*>(&bars_[bar][offset]);
    }

    Device& device_;
    std::array<std::span<volatile std::byte>, 6> bars_{};
};

}  // namespace bulkhead::nic
