// SPDX-License-Identifier: BSD-2-Clause
// The program's slice of the plan: what the partition's `config` node says, and what the plan
// compiler adds. It is a flattened device tree, the partition's only boot module. Without one (an
// image of an older tool, a bare test) every lookup finds nothing. Reading needs no lock.
#pragma once

#include <bulkhead/events.hpp>
#include <bulkhead/result.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace bulkhead {

// A node of the slice, or no node: then it has no properties and no children. Names and texts stay
// valid for the program's life.
class SliceNode {
public:
    constexpr SliceNode() = default;
    constexpr SliceNode(const void* tree, int offset) : tree_(tree), offset_(offset) {}

    explicit operator bool() const { return tree_ != nullptr; }
    // Without the unit address, if there is one: "client" for client@1.
    [[nodiscard]] std::string_view name() const;

    [[nodiscard]] SliceNode child(const char* name) const;
    [[nodiscard]] SliceNode first_child() const;
    [[nodiscard]] SliceNode next_sibling() const;

    [[nodiscard]] bool has(const char* property) const;
    // <1>, <0x1 0x2> (one number of 64 bits), or a number written as text. Nothing if it is absent or
    // is none of these.
    [[nodiscard]] std::optional<uint64_t> number(const char* property) const;
    [[nodiscard]] uint64_t number(const char* property, uint64_t otherwise) const
    {
        return number(property).value_or(otherwise);
    }
    // The property's first text.
    [[nodiscard]] std::optional<std::string_view> text(const char* property) const;
    [[nodiscard]] std::span<const std::byte> bytes(const char* property) const;

private:
    const void* tree_ = nullptr;
    int offset_ = 0;
};

// The whole slice.
[[nodiscard]] SliceNode slice();
// The plan partition's `config` node.
[[nodiscard]] inline SliceNode config() { return slice().child("config"); }
// The partition's name in the plan; "program" without a slice.
[[nodiscard]] std::string_view partition_name();
// Its domain id, as the slice has it; 0 without a slice.
[[nodiscard]] Domain own_domain();

// Whether these bytes are a whole, well-formed tree that may be read. Never reads beyond them.
[[nodiscard]] bool is_valid_slice(std::span<const std::byte> bytes);

}  // namespace bulkhead
