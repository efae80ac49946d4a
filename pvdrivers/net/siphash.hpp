// SPDX-License-Identifier: BSD-2-Clause
// SipHash-2-4: a keyed hash of a few words, for numbers that strangers must not guess.
// Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF", section 2.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

namespace bulkhead::net {

struct SipKey {
    uint64_t low, high;
};

[[nodiscard]] constexpr uint64_t siphash(SipKey key, std::span<const uint64_t> words)
{
    std::array<uint64_t, 4> v{key.low ^ 0x736f6d6570736575, key.high ^ 0x646f72616e646f6d,
                              key.low ^ 0x6c7967656e657261, key.high ^ 0x7465646279746573};
    const auto rounds = [&v](unsigned count) {
        for (; count != 0; --count) {
            v[0] += v[1];
            v[1] = std::rotl(v[1], 13) ^ v[0];
            v[0] = std::rotl(v[0], 32);
            v[2] += v[3];
            v[3] = std::rotl(v[3], 16) ^ v[2];
            v[0] += v[3];
            v[3] = std::rotl(v[3], 21) ^ v[0];
            v[2] += v[1];
            v[1] = std::rotl(v[1], 17) ^ v[2];
            v[2] = std::rotl(v[2], 32);
        }
    };
    const auto take = [&](uint64_t word) {
        v[3] ^= word;
        rounds(2);
        v[0] ^= word;
    };
    for (const uint64_t word : words)
        take(word);
    take(uint64_t{words.size() * 8 % 256} << 56);
    v[2] ^= 0xff;
    rounds(4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

}  // namespace bulkhead::net
