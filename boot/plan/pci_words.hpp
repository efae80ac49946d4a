// SPDX-License-Identifier: BSD-2-Clause
// PCI functions as people write them: by address, or by vendor and device.
#pragma once

#include <cstdint>
#include <string_view>

#include "boot/plan/outcome.hpp"
#include "core/plan.hpp"

namespace bulkhead::tool {

struct PciAddress {
    uint16_t segment;
    uint8_t bus;
    uint8_t devfn;  // slot << 3 | function
};

// "0000:00:03.0" or "00:03.0".
[[nodiscard]] Outcome<PciAddress> parse_pci_address(std::string_view text);
// "8086:10d3".
[[nodiscard]] Outcome<plan::DeviceId> parse_pci_ids(std::string_view text);

}  // namespace bulkhead::tool
