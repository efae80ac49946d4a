// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/memory.hpp in unit tests. Machine frames are an arena of
// host memory; guest memory is what the test maps with fake::map_guest(). Everything else fails, as
// an access that faults does.
#pragma once

#include "core/types.hpp"
#include "platform/x86/layout.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

namespace bulkhead::fake {

// --- Machine frames: mfn arena_first up to arena_first + arena_frames -----------------------------
inline constexpr uint64_t arena_first = 0x100;
inline constexpr uint64_t arena_frames = 4096;

struct alignas(page_size) ArenaFrame {
    uint8_t bytes[page_size];
};
inline ArenaFrame arena[arena_frames];
inline uint64_t arena_used;          // boot_allocate() of fake_core.hpp and new_frame() take from here

[[nodiscard]] inline bool is_ram(Mfn frame)
{
    return frame.raw() >= arena_first && frame.raw() < arena_first + arena_frames;
}
[[nodiscard]] inline uint8_t* frame_bytes(Mfn frame)
{
    if (!is_ram(frame)) {
        std::fprintf(stderr, "fake memory: frame %#llx is not RAM\n", static_cast<unsigned long long>(frame.raw()));
        std::abort();
    }
    return arena[frame.raw() - arena_first].bytes;
}
// `count` zeroed frames in a row.
[[nodiscard]] inline Mfn new_frame(uint64_t count = 1)
{
    if (arena_used + count > arena_frames)
        std::abort();
    const Mfn first(arena_first + arena_used);
    arena_used += count;
    std::memset(frame_bytes(first), 0, count * page_size);
    return first;
}

// --- Guest memory -----------------------------------------------------------------------------------
struct GuestRegion {
    uint64_t begin;
    uint64_t bytes;
    uint8_t* host;
    bool writable;
};
inline std::vector<GuestRegion> guest_regions;
// Called before each access: a test may change memory here, as another vCPU could.
inline std::function<void(GuestVirtual address, size_t bytes, bool write)> on_guest_access;
inline std::atomic<uint64_t> guest_reads;   // calls, not bytes
inline std::atomic<uint64_t> guest_writes;

inline void map_guest(GuestVirtual at, void* host, uint64_t bytes, bool writable = true)
{
    guest_regions.push_back({at.raw(), bytes, static_cast<uint8_t*>(host), writable});
}
template <class T>
GuestVirtual map_guest(uint64_t at, T& object, bool writable = true)
{
    map_guest(GuestVirtual(at), &object, sizeof(T), writable);
    return GuestVirtual(at);
}
inline void unmap_guest(GuestVirtual at)
{
    std::erase_if(guest_regions, [&](const GuestRegion& region) { return region.begin == at.raw(); });
}
// Null where nothing (writable) is mapped; the latest mapping wins.
[[nodiscard]] inline uint8_t* guest_byte(uint64_t address, bool write)
{
    for (size_t i = guest_regions.size(); i-- > 0;) {
        const GuestRegion& region = guest_regions[i];
        if (address - region.begin < region.bytes)
            return write && !region.writable ? nullptr : region.host + (address - region.begin);
    }
    return nullptr;
}

inline void reset_memory()
{
    arena_used = 0;
    guest_regions.clear();
    on_guest_access = nullptr;
    guest_reads = 0;
    guest_writes = 0;
}

}  // namespace bulkhead::fake

namespace bulkhead::machine {

template <class T = void>
[[nodiscard]] T* physical_pointer(HostPhysical address)
{
    return reinterpret_cast<T*>(fake::frame_bytes(frame_of(address)) + (address.raw() & page_mask));
}

template <class T = void>
[[nodiscard]] T* frame_pointer(Mfn frame)
{
    return reinterpret_cast<T*>(fake::frame_bytes(frame));
}

[[nodiscard]] inline HostPhysical physical_of(const void* pointer)
{
    const auto offset = reinterpret_cast<uintptr_t>(pointer) - reinterpret_cast<uintptr_t>(fake::arena);
    if (offset >= sizeof(fake::arena))
        std::abort();
    return HostPhysical((fake::arena_first << page_shift) + offset);
}

[[nodiscard]] inline bool copy_from_guest(void* to, GuestVirtual from, size_t bytes)
{
    ++fake::guest_reads;
    if (!layout::guest_range_ok(from.raw(), bytes))
        return false;
    if (fake::on_guest_access)
        fake::on_guest_access(from, bytes, false);
    for (size_t i = 0; i < bytes; ++i) {
        const uint8_t* byte = fake::guest_byte(from.raw() + i, false);
        if (byte == nullptr)
            return false;
        static_cast<uint8_t*>(to)[i] = *byte;
    }
    return true;
}

[[nodiscard]] inline bool copy_to_guest(GuestVirtual to, const void* from, size_t bytes)
{
    ++fake::guest_writes;
    if (!layout::guest_range_ok(to.raw(), bytes))
        return false;
    if (fake::on_guest_access)
        fake::on_guest_access(to, bytes, true);
    for (size_t i = 0; i < bytes; ++i) {
        uint8_t* byte = fake::guest_byte(to.raw() + i, true);
        if (byte == nullptr)
            return false;
        *byte = static_cast<const uint8_t*>(from)[i];
    }
    return true;
}

[[nodiscard]] inline bool read_guest_u64(uint64_t& to, GuestVirtual from)
{
    return copy_from_guest(&to, from, sizeof(to));
}
[[nodiscard]] inline bool write_guest_u64(GuestVirtual to, uint64_t value)
{
    return copy_to_guest(to, &value, sizeof(value));
}

template <class T>
[[nodiscard]] bool read_guest(T& to, GuestVirtual from)
{
    return copy_from_guest(&to, from, sizeof(T));
}
template <class T>
[[nodiscard]] bool write_guest(GuestVirtual to, const T& value)
{
    return copy_to_guest(to, &value, sizeof(T));
}

inline void clear_frames(void* first, uint64_t frames) { std::memset(first, 0, frames * page_size); }
inline void clear_frame(void* frame) { clear_frames(frame, 1); }
inline void copy_frame(void* to, const void* from) { std::memcpy(to, from, page_size); }

}  // namespace bulkhead::machine
