// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/tree.hpp"

extern "C" {
#include <libfdt.h>
}

namespace bulkhead::tool {

namespace {

constexpr int deepest = 16;

Outcome<Node> parse_node(const void* dtb, int offset, int depth)
{
    if (depth > deepest)
        return refuse("nodes are nested deeper than ", deepest, " levels");
    int length = 0;
    const char* name = fdt_get_name(dtb, offset, &length);
    if (name == nullptr)
        return refuse("a node has no name: ", fdt_strerror(length));
    Node node;
    node.name = name;
    int place = 0;
    fdt_for_each_property_offset(place, dtb, offset)
    {
        const char* property_name = nullptr;
        const void* value = fdt_getprop_by_offset(dtb, place, &property_name, &length);
        if (value == nullptr || property_name == nullptr)
            return refuse("a property cannot be read: ", fdt_strerror(length));
        const auto* bytes = static_cast<const uint8_t*>(value);
        node.properties.push_back({property_name, {}, Bytes(bytes, bytes + length)});
    }
    if (place != -FDT_ERR_NOTFOUND)
        return refuse("the properties of ", Quoted{node.name}, " cannot be read: ", fdt_strerror(place));
    fdt_for_each_subnode(place, dtb, offset)
        node.children.push_back(ATTEMPT(parse_node(dtb, place, depth + 1)));
    if (place != -FDT_ERR_NOTFOUND)
        return refuse("the nodes of ", Quoted{node.name}, " cannot be read: ", fdt_strerror(place));
    return node;
}

template <class Items>
auto find_by_name(Items& items, std::string_view wanted) -> decltype(items.data())
{
    for (auto& item : items)
        if (item.name == wanted)
            return &item;
    return nullptr;
}

}  // namespace

const Property* Node::property(std::string_view wanted) const
{
    return find_by_name(properties, wanted);
}

const Node* Node::child(std::string_view wanted) const { return find_by_name(children, wanted); }

Outcome<Node> parse_tree(View dtb)
{
    // libfdt reads the header at once, and wants the tree at an aligned address.
    if (dtb.size() < sizeof(fdt_header))
        return refuse("not a device tree: ", Count{dtb.size(), "byte"}, " only");
    std::vector<uint64_t> aligned((dtb.size() + 7) / 8);
    std::memcpy(aligned.data(), dtb.data(), dtb.size());
    if (const int error = fdt_check_full(aligned.data(), dtb.size()); error != 0)
        return refuse("not a device tree: ", fdt_strerror(error));
    return parse_node(aligned.data(), 0, 0);
}

}  // namespace bulkhead::tool
