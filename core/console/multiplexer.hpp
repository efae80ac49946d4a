// SPDX-License-Identifier: BSD-2-Clause
// Decides what the terminal shows and where keys go. Three views:
//   overview    every source's lines, each with its source's name in a colour of its own
//   a partition its output as it is, and the keys go to it
//   monitor     the core's command line
// In the last two the lines of other partitions go to their logs only; the core's lines are shown
// in between, on lines of their own, unless the user turned that off.
//
// Used by one CPU at a time (see console.cpp); sources' locks are taken inside, one at a time.
#pragma once

#include "core/console/source.hpp"
#include "core/console/text_out.hpp"
#include "core/types.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace bulkhead {

class Multiplexer {
public:
    enum class View : uint8_t { overview, partition, monitor };

    constexpr Multiplexer() = default;

    // The escape key, an ASCII control code.
    void set_escape(uint8_t key) { escape_ = key; }
    // After a change of the number of sources: how wide their names are.
    void measure_names();

    // A key was pressed. Needs room for key_room bytes in `out`.
    static constexpr size_t key_room = 1536;
    void key(uint8_t byte, TextOut& out);
    // Puts the next thing to show into `out`, which is empty. False: there is nothing now.
    [[nodiscard]] bool fill(TextOut& out, Nanoseconds now);
    // When fill() will have something although nobody writes; `never` if not.
    [[nodiscard]] Nanoseconds deadline() const { return deadline_; }

    void show_overview(TextOut& out);
    void show_monitor(TextOut& out);
    // Index of a source, 1 for the first partition.
    void attach(size_t source, TextOut& out);

    [[nodiscard]] View view() const { return view_; }
    [[nodiscard]] size_t attached() const { return attached_; }
    // The partition that got input since the last call, null if none: its ring wants service.
    [[nodiscard]] Partition* take_input_receiver();

private:
    void overview_key(uint8_t byte, TextOut& out);
    void command_key(uint8_t byte, TextOut& out);
    void show_help(TextOut& out);
    void hint(TextOut& out);
    void send_to_partition(uint8_t byte, TextOut& out);
    void leave_view(TextOut& out);
    void start_line(TextOut& out);
    void end_line(TextOut& out);
    void put_name(const ConsoleSource& source, char mark, TextOut& out);
    void put_skipped(const ConsoleSource& source, uint64_t lines, TextOut& out);
    bool fill_overview(TextOut& out, Nanoseconds now);
    bool fill_core_line(TextOut& out, Nanoseconds now);
    bool fill_partition(TextOut& out);
    bool fill_raw(ConsoleSource& source, TextOut& out);
    bool ready(ConsoleSource& source, Nanoseconds now);
    uint64_t skip_backlog(ConsoleSource& source);
    void redraw_monitor(TextOut& out);
    bool show_piece(ConsoleSource& source, bool with_name, TextOut& out);

    View view_ = View::overview;
    uint8_t escape_ = 0x1d;
    bool escape_seen_ = false;
    bool quiet_ = false;               // no core lines while attached
    bool column_zero_ = true;          // the terminal's cursor is at the start of a line
    bool raw_at_rest_ = true;          // the attached partition is not inside a control sequence
    bool replaying_ = false;           // the tail of the log, before the raw stream
    uint8_t core_waits_ = 0;           // chunks for which a core line waited
    uint8_t pieces_in_row_ = 0;
    size_t attached_ = 0;
    size_t last_shown_ = 0;            // round robin
    size_t name_width_ = 4;
    uint64_t replay_end_ = 0;
    ConsoleSource* open_ = nullptr;    // whose line has no end yet on the screen
    Partition* input_receiver_ = nullptr;
    Nanoseconds deadline_ = never;
    Sanitizer overview_keys_;          // so that a function key is not taken for its digits
};

}  // namespace bulkhead
