// SPDX-License-Identifier: BSD-2-Clause
// attach, quit, and the logs.
#include "core/console/source.hpp"
#include "core/console/view.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/partition.hpp"

#include <array>

namespace bulkhead {

namespace {

// One part of a line of the log. Lines that came after the command began are left out, so that it
// ends although its source writes on.
bool step_log(CommandRun& run, TextOut& out)
{
    std::array<char, 200> raw;
    std::array<char, raw.size() + Sanitizer::extra_bytes + 1> clean;
    LogPiece piece;
    {
        LockGuard guard(run.source->lock);
        if (!next_piece(run.source->log, run.cursor, run.end, raw, piece)) {
            if (run.shown == 0)
                out.put("The log is empty.\n");
            return false;
        }
    }
    if (piece.lost_lines != 0)
        out.print("[%llu lines were overwritten meanwhile]\n", static_cast<unsigned long long>(piece.lost_lines));
    if (piece.line_start)
        run.sanitizer.start_line();
    if (piece.stamped)
        put_time_stamp(piece.time, out);
    size_t length = run.sanitizer.clean(piece.text, clean.data());
    if (piece.line_end)
        length += run.sanitizer.finish_line(&clean[length]);
    out.put_raw({clean.data(), length});
    if (piece.line_end || run.cursor.position >= run.end)
        out.put("\n");
    ++run.shown;
    return true;
}

void start_source(CommandRun& run, ConsoleSource& source)
{
    LockGuard guard(source.lock);
    run.source = &source;
    run.cursor = oldest_line(source.log);
    run.end = source.log.end();
    run.step = step_log;
}

}  // namespace

void start_log(CommandRun& run, const Words&, TextOut&) { start_source(run, core_source()); }

void start_part_log(CommandRun& run, const Words&, TextOut&) { start_source(run, *run.partition->console.source); }

void start_attach(CommandRun&, const Words& words, TextOut& out)
{
    if (words.count < 2) {
        out.put("attach: to which partition? There are: ");
        put_names(names_of(WordKind::partition), {}, "and", out);
        out.put(".\n");
        return;
    }
    const Partition* partition = find_named_partition(words[0], words[1], out);
    if (partition != nullptr)
        turn_to_partition(static_cast<size_t>(partition - all_partitions().data()) + 1, out);
}

void start_quit(CommandRun&, const Words&, TextOut& out) { turn_to_overview(out); }

}  // namespace bulkhead
