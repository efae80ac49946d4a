// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/payloads.hpp"

#include <algorithm>
#include <atomic>
#include <lz4.h>
#include <lz4hc.h>
#include <thread>

namespace bulkhead::tool {

namespace {

constexpr uint64_t block_bytes = plan::payload_block_bytes;

// Packed is worth its time at a restart when it saves an eighth.
bool worth_packing(uint64_t packed, uint64_t raw) { return packed <= raw - raw / 8; }

View block_of(View content, uint64_t index)
{
    const uint64_t offset = index * block_bytes;
    return content.subspan(offset, std::min<uint64_t>(block_bytes, content.size() - offset));
}

// The core unpacks a block with interrupts off: this many instructions are for that, of the 45,000 that may pass so.
constexpr uint64_t instructions_at_most = 40'000;
// Measured: of a sequence of literals and a match, and what one costs besides that repeats a few bytes.
constexpr uint64_t cost_of_sequence = 47;
constexpr uint64_t cost_of_repetition = 20;
constexpr unsigned repetition_below = 8;

// The rest of a length whose four bits in the token are all set.
void skip_length(View packed, size_t& at, size_t& length)
{
    constexpr size_t more = 15;
    if (length != more)
        return;
    uint8_t byte = UINT8_MAX;
    while (byte == UINT8_MAX && at < packed.size()) {
        byte = packed[at++];
        length += byte;
    }
}

// Source: LZ4 Block Format Description, doc/lz4_Block_format.md.
uint64_t instructions_to_unpack(View packed)
{
    uint64_t instructions = 0;
    for (size_t at = 0; at < packed.size();) {
        const uint8_t token = packed[at++];
        size_t literals = token >> 4, match = token & 15;
        skip_length(packed, at, literals);
        at += literals;
        instructions += cost_of_sequence;
        if (at + 2 > packed.size())
            break;                                   // the last one has no match
        if ((packed[at] | packed[at + 1] << 8) < static_cast<int>(repetition_below))
            instructions += cost_of_repetition;
        at += 2;
        skip_length(packed, at, match);
    }
    return instructions;
}

// One block as it is stored, without its size; the plain bytes unless LZ4 makes it smaller, and it unpacks soon.
Bytes pack_block(View block, std::vector<uint8_t>& state)
{
    Bytes packed(block.size());
    const int size = LZ4_compress_HC_extStateHC(state.data(), reinterpret_cast<const char*>(block.data()),
                                                reinterpret_cast<char*>(packed.data()),
                                                static_cast<int>(block.size()),
                                                static_cast<int>(packed.size()) - 1, LZ4HC_CLEVEL_DEFAULT);
    if (size <= 0)
        return {block.begin(), block.end()};
    packed.resize(static_cast<size_t>(size));
    if (instructions_to_unpack(packed) > instructions_at_most)
        return {block.begin(), block.end()};
    return packed;
}

}  // namespace

Bytes pack_lz4(View content, unsigned threads)
{
    const uint64_t count = (content.size() + block_bytes - 1) / block_bytes;
    std::vector<Bytes> blocks(count);
    std::atomic<uint64_t> next{0};
    const auto work = [&] {
        std::vector<uint8_t> state(static_cast<size_t>(LZ4_sizeofStateHC()));
        // Relaxed: the threads share nothing but the counter, and join() orders their results.
        for (uint64_t i = next.fetch_add(1, std::memory_order_relaxed); i < count;
             i = next.fetch_add(1, std::memory_order_relaxed))
            blocks[i] = pack_block(block_of(content, i), state);
    };
    std::vector<std::jthread> helpers;
    for (unsigned i = 1; i < threads; ++i)
        helpers.emplace_back(work);
    work();
    helpers.clear();

    Bytes stored;
    for (const auto& block : blocks) {
        append(stored, view_of(static_cast<uint32_t>(block.size())));
        append(stored, block);
    }
    return stored;
}

Bytes unpack_lz4_blocks(View stored, uint64_t size_bytes)
{
    Bytes content;
    uint64_t offset = 0;
    while (content.size() < size_bytes) {
        const uint64_t expected = std::min(block_bytes, size_bytes - content.size());
        const auto size = read_at<uint32_t>(stored, offset);
        const auto block = size ? slice(stored, offset + sizeof(uint32_t), *size) : std::nullopt;
        if (!block || block->size() > expected)
            return {};
        offset += sizeof(uint32_t) + block->size();
        if (block->size() == expected) {
            append(content, *block);
            continue;
        }
        const size_t before = content.size();
        content.resize(before + expected);
        const int count = LZ4_decompress_safe(reinterpret_cast<const char*>(block->data()),
                                              reinterpret_cast<char*>(content.data() + before),
                                              static_cast<int>(block->size()), static_cast<int>(expected));
        if (count < 0 || static_cast<uint64_t>(count) != expected)
            return {};
    }
    return offset == stored.size() ? content : Bytes{};
}

uint32_t PayloadStore::add(View content, const std::string& user)
{
    const auto hash = sha256(content);
    for (size_t i = 0; i < payloads_.size(); ++i) {
        if (payloads_[i].hash != hash)
            continue;
        payloads_[i].users.push_back(user);
        return static_cast<uint32_t>(i);
    }
    payloads_.push_back({Bytes(content.begin(), content.end()), hash, content.size(), {user}, {}, plan::Encoding::raw});
    return static_cast<uint32_t>(payloads_.size() - 1);
}

void PayloadStore::store(Form form)
{
    const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1U, 16U);
    for (auto& payload : payloads_) {
        Bytes packed = form == Form::packed ? pack_lz4(payload.content, threads) : Bytes{};
        if (form == Form::packed && worth_packing(packed.size(), payload.size_bytes)) {
            payload.encoding = plan::Encoding::lz4;
            payload.stored = std::move(packed);
            payload.content = {};
        } else {
            payload.stored = std::move(payload.content);
        }
    }
}

}  // namespace bulkhead::tool
