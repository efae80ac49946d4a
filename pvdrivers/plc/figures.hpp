// SPDX-License-Identifier: BSD-2-Clause
// The figures of the last whole second, as the control loop hands them to whoever publishes them: one writer,
// which never waits, and a reader on another vCPU that tries again.
#pragma once

#include "pvdrivers/plc/jitter.hpp"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace plc {

struct Figures {
    uint64_t cycle, missed;
    uint64_t rate_hz, deadline_us;
    uint64_t min_ns, mean_ns, per_mille_999_ns, max_ns;
    int64_t level_um, setpoint_um;
    uint64_t valve_per_mille;
    std::array<uint32_t, Jitter::bars> histogram;
};

// A copy that changes as a whole. Words are atomic, so that a reader that meets a writer reads garbage, not
// undefined behaviour, and sees by the version that it did.
template <class T>
class Shown {
public:
    void show(const T& value)
    {
        Words words{};
        std::memcpy(words.data(), &value, sizeof(value));
        const uint32_t before = version_.load(std::memory_order_relaxed);
        version_.store(before + 1, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_release);
        for (size_t i = 0; i < words.size(); ++i)
            words_[i].store(words[i], std::memory_order_relaxed);
        version_.store(before + 2, std::memory_order_release);
    }
    // 0: nothing was shown yet, or it changed meanwhile. Else the version, a new one for each value.
    [[nodiscard]] uint32_t read(T& value) const
    {
        Words words;
        const uint32_t before = version_.load(std::memory_order_acquire);
        for (size_t i = 0; i < words.size(); ++i)
            words[i] = words_[i].load(std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_acquire);
        if ((before & 1) != 0 || version_.load(std::memory_order_relaxed) != before)
            return 0;
        std::memcpy(&value, words.data(), sizeof(value));
        return before;
    }

private:
    static_assert(std::is_trivially_copyable_v<T>);
    using Words = std::array<uint64_t, (sizeof(T) + 7) / 8>;
    std::atomic<uint32_t> version_{0};
    std::array<std::atomic<uint64_t>, (sizeof(T) + 7) / 8> words_{};
};

}  // namespace plc
