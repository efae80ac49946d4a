// SPDX-License-Identifier: BSD-2-Clause
// Source: Devicetree Specification, "Flattened Devicetree (DTB) Format"; read with libfdt. What is
// read here comes from the plan compiler, but also from whoever makes an image for Xen: it is checked
// as a whole before anything is looked up.
#include "pvdrivers/runtime/slice.hpp"

#include <bulkhead/slice.hpp>

#include <charconv>
#include <cstring>

extern "C" {
#include <libfdt.h>
}

namespace bulkhead {

namespace {

const void* tree;           // null: there is no slice

// libfdt's offsets are negative when something is not there.
SliceNode node_at(const void* in, int offset) { return offset < 0 ? SliceNode() : SliceNode(in, offset); }

uint64_t big_endian(std::span<const std::byte> bytes)
{
    uint64_t value = 0;
    for (const std::byte byte : bytes)
        value = value << 8 | static_cast<uint8_t>(byte);
    return value;
}

// The text up to its zero, which must be there.
std::optional<std::string_view> first_text(std::span<const std::byte> bytes)
{
    if (bytes.empty())
        return std::nullopt;
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    const size_t length = strnlen(text, bytes.size());
    if (length == bytes.size())
        return std::nullopt;
    return std::string_view(text, length);
}

std::optional<uint64_t> written_number(std::string_view text)
{
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        text.remove_prefix(2);
        base = 16;
    }
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

// Nodes begin and end in turn, names and values lie inside, everything ends within the tree.
bool is_well_formed(const void* bytes)
{
    int offset = 0;
    int depth = 0;
    bool root_ended = false;
    for (;;) {
        int next = 0;
        const uint32_t tag = fdt_next_tag(bytes, offset, &next);
        if (next < 0)
            return false;
        switch (tag) {
        case FDT_BEGIN_NODE:
            if (root_ended)
                return false;
            ++depth;
            break;
        case FDT_END_NODE:
            if (--depth < 0)
                return false;
            root_ended = depth == 0;
            break;
        case FDT_PROP:
            if (int length = 0; depth == 0 || fdt_get_property_by_offset(bytes, offset, &length) == nullptr)
                return false;
            break;
        case FDT_END:
            return root_ended;
        default:
            break;
        }
        offset = next;
    }
}

}  // namespace

bool is_valid_slice(std::span<const std::byte> bytes)
{
    if (bytes.size() < sizeof(fdt_header) || reinterpret_cast<uintptr_t>(bytes.data()) % 8 != 0)
        return false;
    const void* at = bytes.data();
    return fdt_check_header(at) == 0 && fdt_totalsize(at) <= bytes.size() && fdt_version(at) >= 17 &&
           is_well_formed(at);
}

bool init_slice(std::span<const std::byte> module)
{
    tree = is_valid_slice(module) ? module.data() : nullptr;
    return tree != nullptr;
}

std::string_view SliceNode::name() const
{
    int length = 0;
    const char* name = tree_ == nullptr ? nullptr : fdt_get_name(tree_, offset_, &length);
    if (name == nullptr)
        return {};
    const std::string_view whole(name, static_cast<size_t>(length));
    return whole.substr(0, whole.find('@'));
}

SliceNode SliceNode::child(const char* name) const
{
    return tree_ == nullptr ? SliceNode() : node_at(tree_, fdt_subnode_offset(tree_, offset_, name));
}

SliceNode SliceNode::first_child() const
{
    return tree_ == nullptr ? SliceNode() : node_at(tree_, fdt_first_subnode(tree_, offset_));
}

SliceNode SliceNode::next_sibling() const
{
    return tree_ == nullptr ? SliceNode() : node_at(tree_, fdt_next_subnode(tree_, offset_));
}

std::span<const std::byte> SliceNode::bytes(const char* property) const
{
    int length = 0;
    const void* value = tree_ == nullptr ? nullptr : fdt_getprop(tree_, offset_, property, &length);
    if (value == nullptr)
        return {};
    return {static_cast<const std::byte*>(value), static_cast<size_t>(length)};
}

bool SliceNode::has(const char* property) const
{
    int length = 0;
    return tree_ != nullptr && fdt_getprop(tree_, offset_, property, &length) != nullptr;
}

std::optional<uint64_t> SliceNode::number(const char* property) const
{
    const auto value = bytes(property);
    if (const auto text = first_text(value); text.has_value() && text->size() + 1 == value.size() && !text->empty())
        if (const auto number = written_number(*text))
            return number;
    if (value.size() == sizeof(uint32_t) || value.size() == sizeof(uint64_t))
        return big_endian(value);
    return std::nullopt;
}

std::optional<std::string_view> SliceNode::text(const char* property) const
{
    return first_text(bytes(property));
}

SliceNode slice() { return tree == nullptr ? SliceNode() : SliceNode(tree, 0); }

std::string_view partition_name() { return slice().text("name").value_or("program"); }

Domain own_domain() { return Domain(static_cast<uint16_t>(slice().number("domain-id", 0))); }

}  // namespace bulkhead
