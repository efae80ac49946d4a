// SPDX-License-Identifier: BSD-2-Clause
#include "boot/loader/boot_state.hpp"

#include "core/crc32.hpp"

#include <cstddef>

namespace bulkhead::loader {

namespace {

uint32_t checksum(const BootState& state)
{
    constexpr size_t covered = offsetof(BootState, sequence);
    return crc32({reinterpret_cast<const uint8_t*>(&state) + covered, sizeof(state) - covered});
}

}  // namespace

bool state_is_sound(const BootState& state)
{
    return state.magic == state_magic && state.crc32 == checksum(state);
}

BootState newest_state(const BootState& first, const BootState& second)
{
    const bool first_sound = state_is_sound(first);
    const bool second_sound = state_is_sound(second);
    if (first_sound && second_sound)
        return second.sequence > first.sequence ? second : first;
    if (first_sound)
        return first;
    if (second_sound)
        return second;
    BootState fresh{};
    fresh.magic = state_magic;
    fresh.preferred = no_slot;
    return fresh;
}

// Copy 0 has the even numbers: so the one that is overwritten is always the older one.
uint32_t seal_state(BootState& state)
{
    ++state.sequence;
    state.crc32 = checksum(state);
    return state.sequence % 2;
}

}  // namespace bulkhead::loader
