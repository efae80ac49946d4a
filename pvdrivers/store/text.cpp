// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/store/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bulkhead::store {

template <typename Piece>
void TextPosition::walk(size_t bytes, Piece piece)
{
    while (bytes != 0) {
        if (at_ == STORE_TEXT_BYTES) {
            cell_ = region_.text(cell_).next;
            at_ = 0;
        }
        const size_t now = std::min(bytes, STORE_TEXT_BYTES - at_);
        piece(&region_.text(cell_).bytes[at_], now);
        at_ += now;
        bytes -= now;
    }
}

void TextPosition::skip(size_t bytes)
{
    walk(bytes, [](const uint8_t*, size_t) {});
}

void TextPosition::read(void* out, size_t bytes)
{
    auto* to = static_cast<uint8_t*>(out);
    walk(bytes, [&](const uint8_t* from, size_t now) {
        std::memcpy(to, from, now);
        to += now;
    });
}

bool TextPosition::matches(std::string_view expected)
{
    const char* at = expected.data();
    bool same = true;
    walk(expected.size(), [&](const uint8_t* text, size_t now) {
        same = same && std::memcmp(at, text, now) == 0;
        at += now;
    });
    return same;
}

void TextPosition::write(const void* data, size_t bytes)
{
    const auto* from = static_cast<const uint8_t*>(data);
    walk(bytes, [&](uint8_t* to, size_t now) {
        region_.put_bytes(to, from, now);
        from += now;
    });
}

bool has_name(Region& region, const store_record& record, std::string_view name)
{
    if (record.name_bytes != name.size())
        return false;
    const size_t offset = name_offset(record);
    if (offset + name.size() > STORE_TEXT_BYTES)
        return name_of(region, record).matches(name);
    // Most names lie whole in the first cell.
    const uint8_t* at = &region.text(record.text).bytes[offset];
    for (const char c : name) {
        if (static_cast<uint8_t>(c) != *at++)
            return false;
    }
    return true;
}

namespace {

void write_text(Region& region, Reference first, const Content& content)
{
    TextPosition at(region, first, 0);
    at.write(content.permissions.data(), content.permissions.size_bytes());
    at.write(content.name.data(), content.name.size());
    at.write(content.value.data(), content.value.size());
}

}  // namespace

Reference make_blank_record(Region& region, store_kind kind, uint32_t hash, size_t permissions, size_t name_bytes,
                            size_t value_bytes)
{
    const Reference cell = region.take(record_cells(permissions * sizeof(uint32_t) + name_bytes + value_bytes));
    if (cell == 0)
        return 0;
    store_record& record = region.record(cell);
    region.put(record.kind, static_cast<uint16_t>(kind));
    region.put(record.permissions, static_cast<uint8_t>(permissions));
    region.put(record.flags, uint8_t{0});
    region.put(record.hash, hash);
    region.put(record.hash_next, 0);
    region.put(record.name_bytes, static_cast<uint16_t>(name_bytes));
    region.put(record.value_bytes, static_cast<uint16_t>(value_bytes));
    for (uint32_t& word : record.words)
        region.put(word, 0);
    return cell;
}

Reference make_record(Region& region, store_kind kind, uint32_t hash, const Content& content)
{
    const Reference cell =
        make_blank_record(region, kind, hash, content.permissions.size(), content.name.size(), content.value.size());
    if (cell != 0)
        write_text(region, region.record(cell).text, content);
    return cell;
}

Error replace_text(Region& region, store_record& record, const Content& content)
{
    Reference text = 0;
    const uint32_t cells = record_cells(content.bytes()) - 1;
    if (cells != 0) {
        text = region.take(cells);
        if (text == 0)
            return ENOMEM;
        write_text(region, text, content);
    }
    if (record.text != 0)
        region.give_back(record.text);
    region.set(record.text, text);
    region.set(record.permissions, static_cast<uint8_t>(content.permissions.size()));
    region.set(record.name_bytes, static_cast<uint16_t>(content.name.size()));
    region.set(record.value_bytes, static_cast<uint16_t>(content.value.size()));
    return 0;
}

}  // namespace bulkhead::store
