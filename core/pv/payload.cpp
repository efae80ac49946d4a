// SPDX-License-Identifier: BSD-2-Clause
// See payload.hpp. The stored bytes come from the image, whose checksums were compared at start.
#include "core/pv/payload.hpp"

#include "core/frames.hpp"
#include "core/spinlock.hpp"
#include "machine/copy.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <lz4.h>

namespace bulkhead {

namespace {

constexpr uint64_t block_bytes = plan::payload_block_bytes;
constexpr uint64_t plain_slice_bytes = 64 * 1024;       // at most 8192 instructions, as many as a block's

// For a block whose frames do not lie in a row, which happens where a partition's ranges meet.
constinit Spinlock bounce_lock{LockRank::device};
constinit std::array<char, block_bytes> bounce{};

[[gnu::noinline]] void scatter(const PvMemory& memory, Pfn first, const char* from, uint64_t size_bytes)
{
    for (uint64_t at = 0; at < size_bytes;) {
        const FrameRun run = initial_run(memory, first, frames_for(size_bytes - at));
        const uint64_t bytes = std::min(run.count << page_shift, size_bytes - at);
        machine::copy_bytes(machine::frame_pointer(run.first), from + at, bytes);
        at += bytes;
        first = first + run.count;
    }
}

void zero_rest(const PvMemory& memory, Pfn first, uint64_t size_bytes)
{
    const uint64_t used = size_bytes & page_mask;
    if (used == 0)
        return;
    char* page = machine::frame_pointer<char>(initial_frame(memory, first + (size_bytes >> page_shift)));
    memset(page + used, 0, page_size - used);
}

bool decompress(const char* from, uint32_t stored, char* to, uint64_t size_bytes)
{
    const auto size = static_cast<int>(size_bytes);
    return LZ4_decompress_safe(from, to, static_cast<int>(stored), size) == size;
}

Unpacked unpack_lz4(const PvMemory& memory, const char* from, uint32_t stored, Pfn first, uint64_t size_bytes)
{
    const FrameRun run = initial_run(memory, first, frames_for(size_bytes));
    if (run.count == frames_for(size_bytes)) {
        char* to = machine::frame_pointer<char>(run.first);
        return decompress(from, stored, to, size_bytes) ? Unpacked::block : Unpacked::damaged;
    }
    if (!bounce_lock.try_lock())
        return Unpacked::later;
    const bool sound = decompress(from, stored, bounce.data(), size_bytes);
    if (sound)
        scatter(memory, first, bounce.data(), size_bytes);
    bounce_lock.unlock();
    return sound ? Unpacked::block : Unpacked::damaged;
}

// Size of the stored block at `stored_done`, behind its header if it has one; 0: beyond the payload.
uint32_t stored_size(const plan::Payload& payload, const char* stored, uint64_t& stored_done, uint64_t size_bytes)
{
    auto size = static_cast<uint32_t>(size_bytes);
    if (payload.encoding == plan::Encoding::lz4) {
        if (payload.stored_bytes - stored_done < sizeof(size))
            return 0;
        memcpy(&size, stored + stored_done, sizeof(size));
        stored_done += sizeof(size);
    }
    return size <= payload.stored_bytes - stored_done ? size : 0;
}

}  // namespace

uint64_t slice_bytes(const plan::Payload& payload)
{
    return payload.encoding == plan::Encoding::lz4 ? block_bytes : plain_slice_bytes;
}

Unpacked unpack_block(const PvMemory& memory, const plan::Header& header, const plan::Payload& payload, Pfn first,
                      uint64_t done, uint64_t& stored_done)
{
    const char* stored = reinterpret_cast<const char*>(&header) + payload.offset;
    const uint64_t size_bytes = std::min(slice_bytes(payload), payload.size_bytes - done);
    uint64_t at = stored_done;
    const uint32_t size = stored_size(payload, stored, at, size_bytes);
    if (size == 0 || size > size_bytes)
        return Unpacked::damaged;
    Unpacked result = Unpacked::block;
    if (size == size_bytes)
        scatter(memory, first, stored + at, size_bytes);
    else
        result = unpack_lz4(memory, stored + at, size, first, size_bytes);
    if (result != Unpacked::block)
        return result;
    zero_rest(memory, first, size_bytes);
    stored_done = at + size;
    return Unpacked::block;
}

}  // namespace bulkhead
