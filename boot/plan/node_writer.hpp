// SPDX-License-Identifier: BSD-2-Clause
// Makes nodes and properties of a slice.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "boot/plan/tree.hpp"

namespace bulkhead::tool {

inline void put(Node& node, std::string_view name, Bytes value)
{
    node.properties.push_back({std::string(name), {}, std::move(value)});
}

inline void put_flag(Node& node, std::string_view name) { put(node, name, {}); }

inline void put_texts(Node& node, std::string_view name, std::span<const std::string> texts)
{
    Bytes value;
    for (const auto& text : texts) {
        value.insert(value.end(), text.begin(), text.end());
        value.push_back(0);
    }
    put(node, name, std::move(value));
}

inline void put_text(Node& node, std::string_view name, std::string_view text)
{
    const std::string one(text);
    put_texts(node, name, {&one, 1});
}

inline void put_number(Node& node, std::string_view name, uint64_t number, unsigned cells = 1)
{
    Bytes value;
    for (unsigned shift = cells * 32; shift != 0; shift -= 8)
        value.push_back(static_cast<uint8_t>(number >> (shift - 8)));
    put(node, name, std::move(value));
}

// Valid until the next one is added.
inline Node& add_child(Node& node, std::string name)
{
    node.children.push_back({std::move(name), {}, {}, {}});
    return node.children.back();
}

}  // namespace bulkhead::tool
