// SPDX-License-Identifier: BSD-2-Clause
// What the documents of the switch's hosts are made from, and how they are made: item by item, each into
// a small buffer, whenever the connection has room for one. No document is ever held as a whole.
#pragma once

#include "pvdrivers/switch/figures.hpp"
#include "pvdrivers/switch/host/box.hpp"
#include "pvdrivers/switch/host/text.hpp"

namespace bulkhead::net {

class History;

// What the hosts count of themselves.
struct HostCounters {
    uint64_t answered[6] = {};      // by hundreds of the HTTP status
    uint64_t refused = 0;           // connections: no place was free, or diagnosis is not for that address
    uint64_t timed_out = 0;
    uint64_t diagnosis_lines = 0;
};

struct Sources {
    const Figures& figures;
    const Box& box;
    const History& history;
    const HostCounters& counters;
};

// Where a document goes on.
struct Cursor {
    uint32_t section = 0;
    uint32_t item = 0;
    uint64_t position = 0;
    uint32_t subject = 0;           // of a diagnosis command: a partition

    void next_section()
    {
        ++section;
        item = 0;
        position = 0;
    }
};

// No item is longer.
inline constexpr size_t item_bytes = 2816;

// Writes the item at the cursor, which may be empty, and moves the cursor. False: that was the end, and
// nothing has been written.
using Render = bool (*)(const Sources& sources, Cursor& cursor, Text& out);

bool render_page(const Sources& sources, Cursor& cursor, Text& out);
bool render_metrics(const Sources& sources, Cursor& cursor, Text& out);

}  // namespace bulkhead::net
