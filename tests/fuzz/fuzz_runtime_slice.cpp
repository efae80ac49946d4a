// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: a boot module of any content. What passes the check is read whole, as programs
// read it, without leaving the module, and ends.
//
// Input: the module.
#include "pvdrivers/runtime/slice.cpp"

#include <cstdlib>
#include <memory>

namespace {

using namespace bulkhead;

constexpr unsigned deepest = 64;        // of the stack here; nothing else bounds a tree's depth

unsigned read_all(SliceNode node, unsigned depth)
{
    unsigned nodes = 1;
    (void)node.name().size();
    for (const char* property : {"name", "domain-id", "rate", "size", "port", ""}) {
        (void)node.has(property);
        (void)node.number(property);
        if (const auto text = node.text(property); text && text->size() > 0 && text->back() == '\0')
            std::abort();
        for (const std::byte byte : node.bytes(property))
            nodes += static_cast<unsigned>(byte) & 0;
    }
    (void)node.child("config").number("heap");
    if (depth < deepest)
        for (SliceNode child = node.first_child(); child; child = child.next_sibling())
            nodes += read_all(child, depth + 1);
    return nodes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    // At its own end, so that reading beyond is found; aligned, as a page is.
    std::unique_ptr<void, decltype(&std::free)> copy(std::aligned_alloc(8, (size + 7) / 8 * 8), &std::free);
    if (size == 0 || copy == nullptr)
        return 0;
    memcpy(copy.get(), data, size);
    const std::span module(static_cast<const std::byte*>(copy.get()), size);
    if (!init_slice(module))
        return 0;
    read_all(slice(), 0);
    (void)partition_name();
    (void)own_domain();
    return 0;
}
