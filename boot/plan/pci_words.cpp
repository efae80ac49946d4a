// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/pci_words.hpp"

#include <string>

#include "boot/plan/text.hpp"
#include "boot/plan/value.hpp"

namespace bulkhead::tool {

namespace {

// Exactly so many hexadecimal digits, up to `most`.
Outcome<uint64_t> hexadecimal(std::string_view digits, size_t count, uint64_t most)
{
    const auto value = parse_number("0x" + std::string(digits));
    if (digits.size() != count || !value || *value > most)
        return refuse(Quoted{digits}, " is not a number of ", count, " hexadecimal digits up to ", Hex{most});
    return *value;
}

}  // namespace

Outcome<PciAddress> parse_pci_address(std::string_view text)
{
    auto parts = split(text, ':');
    uint64_t segment = 0;
    if (parts.size() == 3) {
        segment = ATTEMPT(hexadecimal(parts.front(), 4, 0xffff));
        parts.erase(parts.begin());
    }
    const auto function = split(parts.back(), '.');
    if (parts.size() != 2 || function.size() != 2)
        return refuse(Quoted{text}, " is not a PCI address such as 00:03.0");
    const auto bus = ATTEMPT(hexadecimal(parts[0], 2, 0xff));
    const auto slot = ATTEMPT(hexadecimal(function[0], 2, 0x1f));
    const auto number = ATTEMPT(hexadecimal(function[1], 1, 7));
    return PciAddress{static_cast<uint16_t>(segment), static_cast<uint8_t>(bus), static_cast<uint8_t>(slot << 3 | number)};
}

Outcome<plan::DeviceId> parse_pci_ids(std::string_view text)
{
    const auto parts = split(text, ':');
    if (parts.size() != 2)
        return refuse(Quoted{text}, " is not a vendor and device such as 8086:10d3");
    const auto vendor = ATTEMPT(hexadecimal(parts[0], 4, 0xfffe));
    const auto device = ATTEMPT(hexadecimal(parts[1], 4, 0xffff));
    return plan::DeviceId{static_cast<uint16_t>(vendor), static_cast<uint16_t>(device)};
}

}  // namespace bulkhead::tool
