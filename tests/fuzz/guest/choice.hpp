// SPDX-License-Identifier: BSD-2-Clause
// The generator that fuzzing guests choose by.
#pragma once

#include <cstdint>
#include <initializer_list>

// xorshift64*: the same numbers from the same seed.
class Choice {
public:
    explicit constexpr Choice(uint64_t seed) : state_(seed | 1) {}
    uint64_t next()
    {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1d;
    }
    uint64_t below(uint64_t end) { return (next() >> 16) % end; }
    bool one_in(unsigned times) { return below(times) == 0; }
    uint64_t of(std::initializer_list<uint64_t> list) { return list.begin()[below(list.size())]; }

private:
    uint64_t state_;
};
