// SPDX-License-Identifier: BSD-2-Clause
// PCI devices that the plan gives to the partition, and the memory that they may reach. The core owns
// configuration space and interrupt set-up; registers are plain memory, uncached. From every vCPU, but
// one device's functions from one at a time.
//
// A life begins with the device's DMA off and its registers as the former life left them: reset it.
#pragma once

#include <bulkhead/events.hpp>
#include <bulkhead/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace bulkhead {

struct DeviceBar {
    uint64_t address;           // machine address; 0: there is none
    uint64_t size_bytes;
    uint64_t closed_offset;     // pages that hold the MSI-X table and are not mapped
    uint64_t closed_bytes;
};

struct DeviceInfo {
    uint32_t index;
    bool present;               // false: the box lacks it, `why` is a sentence that says what was looked for
    bool confined;              // an IOMMU lets it reach dma_region() only
    bool remapped;              // nor can it forge interrupts
    uint16_t vendor;
    uint16_t device;
    uint16_t subsystem_vendor;
    uint16_t subsystem;
    uint32_t class_code;        // 24 bits
    uint16_t address;           // bus << 8 | device << 3 | function
    uint8_t revision;
    uint16_t msi_vectors;
    uint16_t msix_vectors;
    int32_t line;               // -1: its interrupt line is not known
    std::array<DeviceBar, 6> bars;
    std::array<char, 120> why;
};

enum class ConfigWidth : uint16_t { byte = 1, word = 2, doubleword = 4 };

class Device {
public:
    // XEN_ENOENT: the plan gives no device of that index. XEN_EPERM: it gives none at all. One that the
    // box lacks opens, with info().present false; nothing else works on it (XEN_ENODEV).
    [[nodiscard]] static Result<Device> open(uint32_t index);

    [[nodiscard]] const DeviceInfo& info() const { return info_; }

    // Maps a memory BAR for good, uncached; again: the same place. The closed part of it is not mapped:
    // touching it is a page fault. XEN_ENOENT: no such BAR. XEN_ENOMEM: no room.
    [[nodiscard]] Result<std::span<volatile std::byte>> map_bar(unsigned bar);

    [[nodiscard]] Result<uint32_t> config_read(uint16_t offset, ConfigWidth width) const;
    // XEN_EACCES: the core keeps that register to itself.
    Result<> config_write(uint16_t offset, ConfigWidth width, uint32_t value);

    // How many interrupts can be bound: MSI-X vectors, else one by MSI, else one by its line; 0: none of
    // them works here, look at the device by a timer.
    [[nodiscard]] unsigned interrupts() const;
    // Binds interrupt `vector` (from 0) to the calling vCPU. A line stays masked until the handler has
    // returned, so the handler must have made the device take its request back. XEN_EINVAL: no such
    // vector; XEN_ENOSPC: no vectors of the box or ports are left.
    [[nodiscard]] Result<Port> bind_interrupt(unsigned vector, EventHandler handler);

    // Bus mastering. XEN_EACCES: the device was cut off in this life, because it reached for memory that
    // is not its own.
    Result<> enable_dma(bool on);

private:
    DeviceInfo info_{};
    std::array<std::byte*, 6> mapped_{};
};

// The memory that the partition's devices may reach: pages in a row, in the machine's memory too, that
// stay where they are. Empty: the plan gives none. What a former life left is cleared.
[[nodiscard]] std::span<std::byte> dma_region();
// What a device is told for an address in the region.
[[nodiscard]] uint64_t dma_address(const void* address);

}  // namespace bulkhead
