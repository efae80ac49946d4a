// SPDX-License-Identifier: BSD-2-Clause
// Where keys go, and the keys that turn the terminal from one view to another.
#include "core/console/multiplexer.hpp"
#include "core/lifecycle.hpp"
#include "core/monitor/monitor.hpp"
#include "core/partition.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace bulkhead {

namespace {

constexpr size_t replay_bytes = 1000;
constexpr uint64_t replay_lines = 12;

// Ends what an attached program may have left behind in the terminal: an unfinished sequence,
// colours, character set, the other screen, a hidden cursor, mouse reports, a scroll region.
constexpr std::string_view reset_terminal =
    "\x18\x1b\\\x1b[0m\x1b(B\x0f\x1b[?1049l\x1b[?25h\x1b[?7h\x1b[?1l\x1b>\x1b[?1000;1002;1003;1006l\x1b[?2004l"
    "\x1b" "7\x1b[r\x1b" "8";

void put_keys(const char* begin, TextOut& out)
{
    out.print("%s", begin);
    const size_t last = std::min<size_t>(console_source_count() - 1, 9);
    if (last == 1)
        out.print("1 attaches to %s, ", console_source(1).name);
    else if (last > 1)
        out.print("1 to %zu attaches to a partition, ", last);
    out.print("m opens the monitor, ? lists all keys --\n");
}

}  // namespace

Partition* Multiplexer::take_input_receiver() { return std::exchange(input_receiver_, nullptr); }

void Multiplexer::key(uint8_t byte, TextOut& out)
{
    if (escape_seen_) {
        escape_seen_ = false;
        if (byte == escape_ && view_ == View::partition)
            send_to_partition(byte, out);
        else if (byte != escape_)
            command_key(byte, out);
        return;
    }
    if (byte == escape_) {
        escape_seen_ = true;
        return;
    }
    switch (view_) {
    case View::overview:
        overview_key(byte, out);
        break;
    case View::partition:
        send_to_partition(byte, out);
        break;
    case View::monitor:
        monitor_key(byte, out);
        if (!out.empty())
            column_zero_ = out.view().ends_with('\n');
        break;
    }
}

// Nobody else wants the keys, so the escape key may be left out.
void Multiplexer::overview_key(uint8_t byte, TextOut& out)
{
    std::array<char, 1 + Sanitizer::extra_bytes> unused;
    const char text = static_cast<char>(byte);
    const bool printable = overview_keys_.clean({&text, 1}, unused.data()) != 0;
    if (byte == '\r' || byte == '\n' || byte == ' ')
        hint(out);
    else if (printable && !(byte >= 0x40 && byte != 'm' && byte != 'q' && byte != 'h'))
        command_key(byte, out);
}

void Multiplexer::command_key(uint8_t byte, TextOut& out)
{
    if (byte == '0') {
        show_overview(out);
    } else if (byte >= '1' && byte <= '9') {
        attach(byte - size_t{'0'}, out);
    } else if (byte == 'm' || byte == 'M') {
        show_monitor(out);
    } else if (byte == 'q' || byte == 'Q') {
        quiet_ = !quiet_;
        start_line(out);
        out.print("-- the core's lines are %s while the terminal is attached --\n", quiet_ ? "hidden" : "shown");
    } else if (byte == '?' || byte == 'h' || byte == 'H') {
        show_help(out);
    } else {
        hint(out);
    }
    if (view_ == View::monitor && byte != 'm' && byte != 'M')
        redraw_monitor(out);
}

void Multiplexer::hint(TextOut& out)
{
    start_line(out);
    if (view_ == View::overview) {
        put_keys("-- ", out);
    } else {
        out.print("-- no such key after Ctrl-%c; ? there lists them --\n", escape_ ^ 0x40);
    }
}

void Multiplexer::show_help(TextOut& out)
{
    const char name = static_cast<char>(escape_ ^ 0x40);
    start_line(out);
    out.print("Ctrl-%c, then      (in the overview also without Ctrl-%c)\n", name, name);
    for (size_t i = 1; i < std::min<size_t>(console_source_count(), 10); ++i)
        out.print("  %zu   attach to %s\n", i, console_source(i).name);
    if (console_source_count() > 10)
        out.print("      the others: `attach NAME` in the monitor\n");
    out.print("  0   overview: the lines of all partitions and of the core\n"
              "  m   monitor: `help` there lists its commands\n"
              "  q   hide or show the core's lines while attached (now: %s)\n",
              quiet_ ? "hidden" : "shown");
    out.print("  ?   this list\n"
              "  Ctrl-%c  sends Ctrl-%c to the partition\n", name, name);
}

void Multiplexer::send_to_partition(uint8_t byte, TextOut& out)
{
    ConsoleSource& source = console_source(attached_);
    bool taken;
    {
        LockGuard guard(source.lock);
        taken = source.input.put(static_cast<char>(byte));
    }
    if (!taken)
        out.put_raw("\a");
    input_receiver_ = source.partition;
}

// Before the terminal is turned to another view.
void Multiplexer::leave_view(TextOut& out)
{
    if (view_ == View::partition) {
        out.put_raw(reset_terminal);
        console_source(attached_).sanitizer.start_line();
    } else if (view_ == View::monitor) {
        monitor_close();
    }
    raw_at_rest_ = true;
    replaying_ = false;
    start_line(out);
}

void Multiplexer::show_overview(TextOut& out)
{
    const bool was_away = view_ != View::overview;
    leave_view(out);
    view_ = View::overview;
    overview_keys_ = Sanitizer();
    put_keys("-- overview; ", out);
    for (size_t i = 0; was_away && i < console_source_count(); ++i)
        console_source(i).unseen = true;
}

void Multiplexer::redraw_monitor(TextOut& out)
{
    monitor_redraw(out);
    column_zero_ = out.view().ends_with('\n');
}

void Multiplexer::show_monitor(TextOut& out)
{
    leave_view(out);
    view_ = View::monitor;
    monitor_open(out);
    column_zero_ = out.view().ends_with('\n');
}

void Multiplexer::attach(size_t index, TextOut& out)
{
    if (index == 0 || index >= console_source_count()) {
        start_line(out);
        if (console_source_count() <= 1)
            out.print("-- there is no partition --\n");
        else
            out.print("-- there is no partition %zu; they are 1 to %zu --\n", index, console_source_count() - 1);
        return;
    }
    leave_view(out);
    view_ = View::partition;
    attached_ = index;
    ConsoleSource& source = console_source(index);
    out.print("-- attached to %s; Ctrl-%c 0 leaves, Ctrl-%c ? lists all keys --\n", source.name, escape_ ^ 0x40,
              escape_ ^ 0x40);
    const PartitionState state = source.partition->state.load(std::memory_order_relaxed);
    if (state != PartitionState::running)
        out.print("-- %s does not run now: %s --\n", source.name, state_name(state));
    LockGuard guard(source.lock);
    source.shown = oldest_line(source.log);
    (void)skip_to_tail(source.log, source.shown, replay_bytes, replay_lines);
    replay_end_ = source.log.end();
    replaying_ = true;
}

}  // namespace bulkhead
