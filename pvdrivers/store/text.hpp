// SPDX-License-Identifier: BSD-2-Clause
// The text of records: bytes that run through a chain of cells.
#pragma once

#include "pvdrivers/store/region.hpp"

#include <string_view>

namespace bulkhead::store {

// Cells that a record with so much text takes in all.
[[nodiscard]] constexpr uint32_t record_cells(size_t text_bytes)
{
    return static_cast<uint32_t>(1 + (text_bytes + STORE_TEXT_BYTES - 1) / STORE_TEXT_BYTES);
}
[[nodiscard]] constexpr size_t text_bytes(const store_record& record)
{
    return record.permissions * sizeof(uint32_t) + record.name_bytes + record.value_bytes;
}

// A place in a text. Reading past the end of the chain is the caller's error; lengths are in the record.
class TextPosition {
public:
    TextPosition(Region& region, Reference first, size_t offset) : region_(region), cell_(first) { skip(offset); }

    void skip(size_t bytes);
    void read(void* out, size_t bytes);
    [[nodiscard]] bool matches(std::string_view expected);
    // Into cells that were just taken.
    void write(const void* data, size_t bytes);

private:
    template <typename Piece>
    void walk(size_t bytes, Piece piece);

    Region& region_;
    Reference cell_;
    size_t at_ = 0;
};

inline size_t name_offset(const store_record& record) { return record.permissions * sizeof(uint32_t); }
inline size_t value_offset(const store_record& record) { return name_offset(record) + record.name_bytes; }

[[nodiscard]] inline TextPosition name_of(Region& region, const store_record& record)
{
    return {region, record.text, name_offset(record)};
}
[[nodiscard]] inline TextPosition value_of(Region& region, const store_record& record)
{
    return {region, record.text, value_offset(record)};
}
[[nodiscard]] bool has_name(Region& region, const store_record& record, std::string_view name);

// What a record's text is made from.
struct Content {
    std::span<const uint32_t> permissions;
    std::string_view name;
    std::string_view value;

    [[nodiscard]] size_t bytes() const { return permissions.size() * sizeof(uint32_t) + name.size() + value.size(); }
};

// A new record whose text is still to be written, its other fields 0; 0 when there is no room.
[[nodiscard]] Reference make_blank_record(Region& region, store_kind kind, uint32_t hash, size_t permissions,
                                          size_t name_bytes, size_t value_bytes);
// The same with its text.
[[nodiscard]] Reference make_record(Region& region, store_kind kind, uint32_t hash, const Content& content);
// Exchanges the text of a record. The content must not lie in the region.
[[nodiscard]] Error replace_text(Region& region, store_record& record, const Content& content);

}  // namespace bulkhead::store
