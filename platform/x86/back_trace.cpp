// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/back_trace.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

const StackRange* range_of(std::span<const StackRange> stacks, uint64_t address)
{
    constexpr uint64_t record_bytes = 16;
    for (const StackRange& range : stacks)
        if (address >= range.begin && address < range.end && range.end - address >= record_bytes)
            return &range;
    return nullptr;
}

}  // namespace

size_t trace_back(uint64_t frame_pointer, std::span<const StackRange> stacks, std::span<uint64_t> to)
{
    size_t count = 0;
    while (count < to.size() && frame_pointer % 8 == 0) {
        const StackRange* range = range_of(stacks, frame_pointer);
        if (range == nullptr)
            break;
        const auto* record = reinterpret_cast<const uint64_t*>(frame_pointer);
        const uint64_t next = record[0];
        if (record[1] == 0)
            break;
        to[count++] = record[1];
        if (range_of(stacks, next) == range && next <= frame_pointer)
            break;
        frame_pointer = next;
    }
    return count;
}

const plan::Symbol* find_symbol(std::span<const plan::Symbol> symbols, uint64_t address)
{
    const auto* above = std::upper_bound(symbols.data(), symbols.data() + symbols.size(), address,
                                         [](uint64_t value, const plan::Symbol& symbol) {
                                             return value < symbol.address;
                                         });
    if (above == symbols.data())
        return nullptr;
    const plan::Symbol* symbol = above - 1;
    return address - symbol->address < symbol->size_bytes ? symbol : nullptr;
}

}  // namespace bulkhead
