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

// One block as it is stored, without its size; the plain bytes unless LZ4 makes it smaller.
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
