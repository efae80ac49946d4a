// SPDX-License-Identifier: BSD-2-Clause
// What the terminal shows next: lines of the overview, the attached partition's raw output.
#include "core/console/multiplexer.hpp"

#include "core/monitor/monitor.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace bulkhead {

namespace {

constexpr size_t piece_bytes = 240;
constexpr size_t raw_bytes = 256;
constexpr uint8_t pieces_at_most = 4;          // of one long line before others have their turn
constexpr uint8_t core_waits_at_most = 8;
constexpr size_t tail_bytes = 1000;            // kept when lines are skipped, shown on attach
constexpr uint64_t tail_lines = 12;
constexpr size_t missed_bytes = 600;           // kept of what came while something else was shown
constexpr uint64_t missed_lines = 6;
// A line that has no end is shown when its source has been silent for so long.
constexpr uint64_t partial_line_ns = 150'000'000;
constexpr uint64_t monitor_wait_ns = 1'000'000;

// Names' colours: the easily told ones first, then others of the 256-colour cube.
void put_colour(size_t index, TextOut& out)
{
    constexpr std::array<uint8_t, 10> plain{36, 32, 33, 35, 34, 96, 92, 93, 95, 94};
    if (index == 0) {
        out.print("\x1b[1m");
    } else if (index <= plain.size()) {
        out.print("\x1b[%um", unsigned{plain[index - 1]});
    } else {
        const unsigned n = static_cast<unsigned>(index) * 47 % 125;   // 5 x 5 x 5, none dark
        out.print("\x1b[38;5;%um", 16 + 36 * (1 + n / 25) + 6 * (1 + n / 5 % 5) + 1 + n % 5);
    }
}

size_t index_of(const ConsoleSource& source)
{
    for (size_t i = 0; i < console_source_count(); ++i) {
        if (&console_source(i) == &source)
            return i;
    }
    return 0;
}

}  // namespace

void Multiplexer::measure_names()
{
    name_width_ = 4;
    for (size_t i = 0; i < console_source_count(); ++i)
        name_width_ = std::max(name_width_, std::min<size_t>(strlen(console_source(i).name), 16));
}

void Multiplexer::start_line(TextOut& out)
{
    if (!column_zero_)
        out.put_raw(view_ == View::monitor ? "\r\x1b[K" : "\r\n");   // the prompt comes again below
    column_zero_ = true;
    open_ = nullptr;
}

void Multiplexer::end_line(TextOut& out)
{
    out.put_raw("\r\n");
    column_zero_ = true;
    open_ = nullptr;
}

void Multiplexer::put_name(const ConsoleSource& source, char mark, TextOut& out)
{
    put_colour(index_of(source), out);
    out.print("%-*s\x1b[0m %c ", static_cast<int>(name_width_), source.name, mark);
}

void Multiplexer::put_skipped(const ConsoleSource& source, uint64_t lines, TextOut& out)
{
    start_line(out);
    put_name(source, '|', out);
    out.print("\x1b[2m[%llu line%s not shown; in the monitor, `", static_cast<unsigned long long>(lines),
              lines == 1 ? "" : "s");
    if (source.partition != nullptr)
        out.print("part %s ", source.name);
    out.print("log` has %s]\x1b[0m\n", lines == 1 ? "it" : "them");
}

// Whether a source has something that may be shown now; else, when that will be.
bool Multiplexer::ready(ConsoleSource& source, Nanoseconds now)
{
    if (source.log_end.load(std::memory_order_relaxed) == source.shown.position)
        return false;
    LockGuard guard(source.lock);
    if (has_whole_line(source.log, source.shown, piece_bytes))
        return true;
    const Nanoseconds due = source.log.last_append() + partial_line_ns;
    if (due <= now)
        return true;
    deadline_ = std::min(deadline_, due);
    return false;
}

// Goes on near the end if too much waits: more than half of the log, so that what is left out can
// still be read there. The source's lock is held. Returns the lines left out.
uint64_t Multiplexer::skip_backlog(ConsoleSource& source)
{
    const bool missed = std::exchange(source.unseen, false);
    if (missed)
        return skip_to_tail(source.log, source.shown, missed_bytes, missed_lines);
    if (source.log.end() - source.shown.position <= source.log.size() / 2)
        return 0;
    return skip_to_tail(source.log, source.shown, tail_bytes, tail_lines);
}

// One part of a line, cleaned. With its name if it begins a line or comes after another source's.
bool Multiplexer::show_piece(ConsoleSource& source, bool with_name, TextOut& out)
{
    std::array<char, piece_bytes> raw;
    std::array<char, piece_bytes + Sanitizer::extra_bytes> clean;
    LogPiece piece;
    uint64_t skipped = 0;
    {
        LockGuard guard(source.lock);
        skipped = skip_backlog(source);
        if (!next_piece(source.log, source.shown, source.log.end(), raw, piece))
            return false;
    }
    if (skipped + piece.lost_lines != 0)
        put_skipped(source, skipped + piece.lost_lines, out);
    if (piece.line_start)
        source.sanitizer.start_line();
    size_t length = source.sanitizer.clean(piece.text, clean.data());
    const bool fresh = piece.line_start || source.sanitizer.restarted();
    if (piece.line_end)
        length += source.sanitizer.finish_line(&clean[length]);
    if (open_ != &source && !piece.line_start && length == 0)
        return true;   // only the end of a line whose text is further up
    if (open_ != &source || fresh) {
        start_line(out);
        if (with_name)
            put_name(source, fresh ? '|' : '+', out);
    }
    out.put_raw({clean.data(), length});
    open_ = &source;
    column_zero_ = false;
    if (piece.line_end)
        end_line(out);
    return true;
}

bool Multiplexer::fill_overview(TextOut& out, Nanoseconds now)
{
    const size_t count = console_source_count();
    // A long line goes on, for a while.
    if (open_ != nullptr && pieces_in_row_ < pieces_at_most && ready(*open_, now)) {
        ++pieces_in_row_;
        return show_piece(*open_, true, out);
    }
    pieces_in_row_ = 0;
    for (size_t i = 1; i <= count; ++i) {
        const size_t index = (last_shown_ + i) % count;
        ConsoleSource& source = console_source(index);
        if (ready(source, now)) {
            last_shown_ = index;
            return show_piece(source, true, out);
        }
    }
    return false;
}

// The core's lines in the other views: between the partition's lines, at least between its control
// sequences, and not for ever after it.
bool Multiplexer::fill_core_line(TextOut& out, Nanoseconds now)
{
    ConsoleSource& core = core_source();
    if (quiet_ || !ready(core, now))
        return false;
    if (view_ == View::partition && !(raw_at_rest_ && column_zero_)) {
        const ConsoleSource& partition = console_source(attached_);
        const bool idle = partition.log_end.load(std::memory_order_relaxed) == partition.shown.position;
        if (!idle && ++core_waits_ < core_waits_at_most)
            return false;
        if (!raw_at_rest_)
            out.put_raw("\x18");
        raw_at_rest_ = true;
    }
    core_waits_ = 0;
    return show_piece(core, true, out);
}

bool Multiplexer::fill_raw(ConsoleSource& source, TextOut& out)
{
    std::array<char, raw_bytes> raw;
    std::array<char, raw_bytes + Sanitizer::extra_bytes> unused;
    uint64_t skipped = 0;
    size_t length;
    {
        LockGuard guard(source.lock);
        skipped = skip_backlog(source);
        length = next_raw(source.log, source.shown, raw, core_waits_ != 0);
    }
    if (length == 0)
        return false;
    if (skipped != 0) {
        out.put_raw("\x18\x1b[0m");
        put_skipped(source, skipped, out);
    }
    out.put_raw({raw.data(), length});
    // The sanitizer only follows where control sequences begin and end.
    (void)source.sanitizer.clean({raw.data(), length}, unused.data());
    raw_at_rest_ = source.sanitizer.at_rest();
    column_zero_ = raw[length - 1] == '\n';
    open_ = nullptr;
    return true;
}

bool Multiplexer::fill_partition(TextOut& out)
{
    ConsoleSource& source = console_source(attached_);
    if (source.log_end.load(std::memory_order_relaxed) == source.shown.position)
        return false;
    if (replaying_) {
        if (source.shown.position < replay_end_)
            return show_piece(source, false, out);
        replaying_ = false;
        open_ = nullptr;
        source.sanitizer.start_line();
    }
    return fill_raw(source, out);
}

bool Multiplexer::fill(TextOut& out, Nanoseconds now)
{
    deadline_ = never;
    if (view_ == View::overview)
        return fill_overview(out, now);
    if (fill_core_line(out, now)) {
        if (view_ == View::monitor && open_ == nullptr)
            redraw_monitor(out);
        return true;
    }
    if (view_ == View::partition)
        return fill_partition(out);
    if (!monitor_fill(out)) {
        if (monitor_waits())
            deadline_ = std::min(deadline_, now + monitor_wait_ns);
        return false;
    }
    column_zero_ = out.view().ends_with('\n');
    return true;
}

}  // namespace bulkhead
