// SPDX-License-Identifier: BSD-2-Clause
// Memory that the plan shares between partitions, by its name there.
#pragma once

#include <bulkhead/events.hpp>
#include <bulkhead/grants.hpp>

#include <cstddef>
#include <span>

namespace bulkhead {

class SharedMemory {
public:
    // Maps the region and connects its bell. The handler runs when another member rings; it may
    // be empty. XEN_ENOENT: the slice has no region of this name; else what mapping or binding says.
    [[nodiscard]] static Result<SharedMemory> open(const char* name, EventHandler on_bell = {});

    // The region. Other partitions change it at any time, so read each value once.
    [[nodiscard]] std::span<std::byte> bytes() const { return mapping_.bytes().first(size_); }
    [[nodiscard]] bool writable() const { return writable_; }
    // Tells the other members that something has changed.
    void ring() const;

private:
    GrantMapping mapping_;
    size_t size_ = 0;
    bool writable_ = false;
    Port bell_{};
};

}  // namespace bulkhead
