// SPDX-License-Identifier: BSD-2-Clause
// The text of a panic, in memory that a warm reset does not clear, for the next start to show. It is
// believed only if its checksum is right.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bulkhead {

// At a fixed place, so that it is found again. Below the image, above what real-mode firmware uses.
inline constexpr uint64_t panic_record_physical = 0x1F'C000;
inline constexpr uint64_t panic_record_bytes = 0x4000;

class PanicRecord {
public:
    void clear();
    // Drops what no longer fits.
    void append(std::string_view text);
    // Makes what was appended valid for the next start.
    void seal();
    // Empty unless a former life sealed it and nothing changed since.
    [[nodiscard]] std::string_view sealed_text() const;

private:
    [[nodiscard]] uint32_t checksum() const;

    static constexpr uint64_t sealed_magic = 0x314c4e5041504842;   // "BHPAPNL1"
    uint64_t magic_;
    uint32_t length_;
    uint32_t crc32_;
    std::array<char, panic_record_bytes - 16> text_;
};
static_assert(sizeof(PanicRecord) == panic_record_bytes);

}  // namespace bulkhead
