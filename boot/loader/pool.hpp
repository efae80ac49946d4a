// SPDX-License-Identifier: BSD-2-Clause
// Memory for a loader without a firmware that hands any out: pages from the top of the largest range
// of a memory map below 4 GiB. Taken back all at once.
#pragma once

#include "boot/handover.hpp"

namespace bulkhead::loader {

class Pool {
public:
    // Takes the largest usable range that begins at or behind `lowest`.
    void open(const boot::Handover& map, uint64_t lowest);
    // Page-aligned; 0: there is no more.
    [[nodiscard]] uint64_t take(uint64_t bytes);

private:
    uint64_t begin_{0};
    uint64_t end_{0};
};

}  // namespace bulkhead::loader
