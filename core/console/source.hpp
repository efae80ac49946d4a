// SPDX-License-Identifier: BSD-2-Clause
// Whose text it is: the core or one partition. The log and the typed input are shared under the
// lock; what the multiplexer keeps for a source is CPU 0's alone.
#pragma once

#include "core/console/sanitizer.hpp"
#include "core/console/text_log.hpp"
#include "core/spinlock.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace bulkhead {

struct Partition;

// Typed, and not yet taken by the guest.
class InputQueue {
public:
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] bool full() const { return count_ == bytes_.size(); }
    void clear() { count_ = 0; }
    // False: full, the byte is dropped.
    [[nodiscard]] bool put(char byte)
    {
        if (full())
            return false;
        bytes_[(first_ + count_++) % bytes_.size()] = byte;
        return true;
    }
    // Not when empty().
    [[nodiscard]] char take()
    {
        const char byte = bytes_[first_];
        first_ = (first_ + 1) % bytes_.size();
        --count_;
        return byte;
    }

private:
    std::array<char, 512> bytes_{};
    size_t first_ = 0;
    size_t count_ = 0;
};

struct ConsoleSource {
    Spinlock lock{LockRank::console};    // log, input, and the partition's ring
    TextLog log;
    InputQueue input;
    Partition* partition = nullptr;      // null: the core. Fixed after start
    const char* name = "core";
    // Set by whoever left text in the guest's ring; CPU 0 fetches it.
    std::atomic<bool> needs_service{false};
    // How far the log reaches, for a look without the lock.
    std::atomic<uint64_t> log_end{0};

    // CPU 0.
    LogCursor shown;
    bool unseen = false;                 // something else was shown for a while
    Sanitizer sanitizer;
};

// The core's own log; there before anything else is.
ConsoleSource& core_source();
// All sources: the core's first, then the partitions in the plan's order.
[[nodiscard]] size_t console_source_count();
[[nodiscard]] ConsoleSource& console_source(size_t index);

// Appends to a source's log and wakes the multiplexer. Any CPU; takes the source's lock.
void console_append(ConsoleSource& source, std::string_view text);
// There is something to show or to do: gives CPU 0 work_console if it sleeps. Any CPU, any lock.
void wake_console();

}  // namespace bulkhead
