// SPDX-License-Identifier: BSD-2-Clause
// The copies of a batch, done in few hypercalls. Which side of a copy has failed decides who pays: a
// source fails the frame, a target only what that receiver got.
#pragma once

#include "pvdrivers/switch/frame.hpp"

#include <array>
#include <cstdint>

namespace bulkhead::net {

class Copies {
public:
    static constexpr size_t capacity = 256;

    // Flushes by itself when it is full. `target_failed` is set if the target cannot be written; null
    // if it is the switch's own memory.
    void add(const CopySide& from, const CopySide& to, uint32_t bytes, uint16_t flags, Frame& frame, bool* target_failed)
    {
        if (count_ == capacity) [[unlikely]]
            flush();
        gnttab_copy_t& record = records_[count_];
        record.source = from;
        record.dest = to;
        record.len = static_cast<uint16_t>(bytes);
        record.flags = flags;
        record.status = GNTST_okay;
        who_[count_++] = {&frame, target_failed};
    }
    // Afterwards frames and targets say what has failed.
    void flush()
    {
        if (count_ != 0)
            carry_out();
    }
    [[nodiscard]] bool empty() const { return count_ == 0; }

private:
    struct Who {
        Frame* frame;
        bool* target_failed;
    };
    void carry_out();
    void blame(const gnttab_copy_t& record, const Who& who);

    size_t count_ = 0;
    std::array<gnttab_copy_t, capacity> records_;
    std::array<Who, capacity> who_;
};

}  // namespace bulkhead::net
