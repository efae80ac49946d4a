// SPDX-License-Identifier: BSD-2-Clause
// Bounds-checked reading of a table's bytes; shared by the files that read ACPI.
#pragma once

#include "platform/x86/acpi.hpp"

#include <cstring>
#include <span>

namespace bulkhead::acpi_reader {

class Bytes {
public:
    constexpr explicit Bytes(std::span<const uint8_t> bytes) : bytes_(bytes) {}
    [[nodiscard]] size_t size() const { return bytes_.size(); }
    [[nodiscard]] bool holds(size_t offset, size_t count) const
    {
        return offset <= bytes_.size() && count <= bytes_.size() - offset;
    }
    // What lies beyond the end reads as zero: ACPI's older tables are shorter, and zero means absent.
    template <class T>
    [[nodiscard]] T get(size_t offset) const
    {
        T value{};
        if (holds(offset, sizeof(T)))
            memcpy(&value, bytes_.data() + offset, sizeof(T));
        return value;
    }
    [[nodiscard]] Bytes part(size_t offset, size_t count) const
    {
        return holds(offset, count) ? Bytes(bytes_.subspan(offset, count)) : Bytes({});
    }
    [[nodiscard]] uint8_t sum() const
    {
        uint8_t total = 0;
        for (const uint8_t byte : bytes_)
            total = static_cast<uint8_t>(total + byte);
        return total;
    }
    // Where the byte is next, from that offset on; the size if nowhere.
    [[nodiscard]] size_t find(uint8_t byte, size_t offset) const
    {
        const void* at = offset < size() ? memchr(bytes_.data() + offset, byte, size() - offset) : nullptr;
        return at != nullptr ? static_cast<size_t>(static_cast<const uint8_t*>(at) - bytes_.data()) : size();
    }
    [[nodiscard]] bool has_text(size_t offset, const char* text, size_t length) const
    {
        return holds(offset, length) && memcmp(bytes_.data() + offset, text, length) == 0;
    }

private:
    std::span<const uint8_t> bytes_;
};

inline constexpr size_t header_bytes = 36;

void read_madt(const Bytes& table, AcpiFacts& facts);
void read_fadt(const Bytes& table, AcpiFacts& facts, uint64_t& dsdt);
void read_hpet(const Bytes& table, AcpiFacts& facts);
void read_mcfg(const Bytes& table, AcpiFacts& facts);
// Looks for the package \_S5 in a table of AML.
void find_s5(const Bytes& table, AcpiFacts& facts);

}  // namespace bulkhead::acpi_reader
