// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/core_space.hpp in unit tests: top-level entries that lead
// nowhere, descriptor windows as plain arrays, and a record of what was backed.
#pragma once

#include "core/types.hpp"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

namespace bulkhead::fake {

inline constexpr unsigned core_slot_count = 16;
inline constexpr std::array<uint64_t, core_slot_count> core_slots = [] {
    std::array<uint64_t, core_slot_count> slots{};
    for (unsigned i = 0; i < core_slot_count; ++i)
        slots[i] = 0xC0DE'0000'0007 + (uint64_t{i} << 12);
    return slots;
}();

inline constexpr uint32_t window_count = 16;
inline constexpr unsigned window_pages = 32;
inline uint64_t windows[window_count][window_pages];

struct Backed {
    Mfn first;
    uint64_t count;
};
inline std::vector<Backed> backed_frame_tables;
inline std::vector<Backed> backed_m2p;

// What map_device() shows; a test of registers sets it.
inline volatile void* (*device_window)(HostPhysical base, uint64_t size_bytes) = nullptr;

inline void reset_core_space()
{
    for (auto& window : windows)
        for (uint64_t& entry : window)
            entry = 0;
    backed_frame_tables.clear();
    backed_m2p.clear();
}

}  // namespace bulkhead::fake

namespace bulkhead::machine {

inline constexpr unsigned core_slot_count = fake::core_slot_count;
[[nodiscard]] inline std::span<const uint64_t, core_slot_count> core_slots()
{
    return std::span<const uint64_t, core_slot_count>(fake::core_slots);
}

inline void back_frame_table(Mfn first, uint64_t count) { fake::backed_frame_tables.push_back({first, count}); }
inline void back_m2p(Mfn first, uint64_t count) { fake::backed_m2p.push_back({first, count}); }

inline constexpr unsigned window_core_page = 14;
[[nodiscard]] inline uint64_t* descriptor_window_entry(uint32_t vcpu, unsigned page)
{
    if (vcpu >= fake::window_count || page >= fake::window_pages)
        std::abort();
    return &fake::windows[vcpu][page];
}
[[nodiscard]] inline uint64_t window_entry_read_only(Mfn frame)
{
    return (frame.raw() << page_shift) | 0x8000'0000'0000'0061;
}
[[nodiscard]] inline volatile void* map_device(HostPhysical base, uint64_t size_bytes)
{
    if (fake::device_window == nullptr)
        std::abort();
    return fake::device_window(base, size_bytes);
}
[[nodiscard]] inline uint64_t window_entry_writable(Mfn frame) { return window_entry_read_only(frame) | 2; }

}  // namespace bulkhead::machine
