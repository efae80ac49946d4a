// SPDX-License-Identifier: BSD-2-Clause
// The shipped memcpy, memmove and memset under other names, against byte loops,
// for every small length and offset and with guard bytes on both sides.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>

#include <CppUTest/TestHarness.h>

__asm__(R"(
    .pushsection .text
    .set memory_under_test, 1
    .macro function name
    .globl ring0_\name
ring0_\name:
    .endm
    .macro end name
    .endm
    .include "platform/x86/libc/memory.S"
    .popsection
)");

extern "C" {
void* ring0_memcpy(void* to, const void* from, std::size_t size);
void* ring0_memmove(void* to, const void* from, std::size_t size);
void* ring0_memset(void* to, int value, std::size_t size);
}

namespace {
constexpr std::size_t largest = 300;
constexpr std::size_t guard = 64;
using Buffer = std::array<std::uint8_t, largest * 2 + guard * 2>;

Buffer numbered() {
    Buffer buffer{};
    std::iota(buffer.begin(), buffer.end(), std::uint8_t{1});
    return buffer;
}
}  // namespace

TEST_GROUP(Memory) {};

TEST(Memory, memcpy_copies_every_length_at_every_alignment) {
    const Buffer source = numbered();
    for (std::size_t size = 0; size <= largest; ++size) {
        for (std::size_t offset = 0; offset < 8; ++offset) {
            Buffer to{};
            Buffer expected{};
            std::copy_n(source.begin() + 3, size, expected.begin() + guard + offset);
            POINTERS_EQUAL(&to[guard + offset],
                           ring0_memcpy(&to[guard + offset], &source[3], size));
            CHECK(to == expected);
        }
    }
}

TEST(Memory, memmove_copies_overlapping_ranges_in_both_directions) {
    for (std::size_t size = 0; size <= largest; ++size) {
        for (const std::size_t distance : {0UL, 1UL, 7UL, 8UL, 15UL, 16UL, 17UL, 100UL, 200UL}) {
            const Buffer source = numbered();
            Buffer up = source;
            Buffer expected_up = source;
            std::copy_n(source.begin() + guard, size, expected_up.begin() + guard + distance);
            POINTERS_EQUAL(&up[guard + distance],
                           ring0_memmove(&up[guard + distance], &up[guard], size));
            CHECK(up == expected_up);

            Buffer down = source;
            Buffer expected_down = source;
            std::copy_n(source.begin() + guard + distance, size, expected_down.begin() + guard);
            ring0_memmove(&down[guard], &down[guard + distance], size);
            CHECK(down == expected_down);
        }
    }
}

TEST(Memory, memset_fills_every_length_and_nothing_else) {
    for (std::size_t size = 0; size <= largest; ++size) {
        Buffer to = numbered();
        Buffer expected = to;
        std::fill_n(expected.begin() + guard, size, std::uint8_t{0xa5});
        POINTERS_EQUAL(&to[guard], ring0_memset(&to[guard], 0x1a5, size));
        CHECK(to == expected);
    }
}
