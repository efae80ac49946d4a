// SPDX-License-Identifier: BSD-2-Clause
// Bytes of an ACPI table, for tests of DMAR and IVRS.
#pragma once

#include "platform/x86/acpi_reader.hpp"

#include <cstdint>
#include <cstring>
#include <vector>

namespace bulkhead::test {

struct TableBytes {
    std::vector<uint8_t> bytes = std::vector<uint8_t>(48);
    template <class T>
    TableBytes& add(T value)
    {
        bytes.resize(bytes.size() + sizeof(T));
        std::memcpy(bytes.data() + bytes.size() - sizeof(T), &value, sizeof(T));
        return *this;
    }
    TableBytes& add_all(std::initializer_list<int> values)
    {
        for (const int value : values)
            bytes.push_back(static_cast<uint8_t>(value));
        return *this;
    }
    [[nodiscard]] acpi_reader::Bytes view() const { return acpi_reader::Bytes(std::span<const uint8_t>(bytes)); }
};

// One unit for everything, with the I/O APIC 0 at f0:1f.0.
inline TableBytes good_dmar(uint64_t base = 0xFED9'0000)
{
    TableBytes table;
    table.bytes[36] = 38;
    table.bytes[37] = 1;
    table.add<uint16_t>(0).add<uint16_t>(24).add_all({1, 0, 0, 0}).add(base).add_all({3, 8, 0, 0, 0, 0xF0, 0x1F, 0});
    return table;
}

// One unit for everything, with the I/O APIC 0 as 00:14.0.
inline TableBytes good_ivrs(uint64_t base = 0xFED8'0000)
{
    TableBytes table;
    table.add_all({0x10, 0}).add<uint16_t>(24 + 4 + 8).add<uint16_t>(0x0008).add<uint16_t>(0x40).add(base);
    table.add<uint16_t>(0).add<uint16_t>(0).add<uint32_t>(0);
    table.add_all({1, 0, 0, 0}).add_all({0x48, 0, 0, 0, 0, 0xA0, 0x00, 1});
    return table;
}

}  // namespace bulkhead::test
