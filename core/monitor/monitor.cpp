// SPDX-License-Identifier: BSD-2-Clause
// Keys into lines, lines into commands, commands into slices of output. CPU 0, console_work().
#include "core/monitor/monitor.hpp"

#include "core/console/source.hpp"
#include "core/console/view.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/completion.hpp"
#include "core/monitor/line_editor.hpp"

namespace bulkhead {

namespace {

struct Monitor {
    LineEditor editor;
    CommandRun run;
    InputQueue typed_ahead;        // while a command runs; full: the rest is dropped
};
constinit Monitor monitor{};

void give_up_command()
{
    if (monitor.run.step != nullptr && monitor.run.give_up != nullptr)
        monitor.run.give_up(monitor.run);
    monitor.run = CommandRun{};
    monitor.typed_ahead.clear();
}

void start_command(std::string_view line, TextOut& out)
{
    const Words words = split_words(line);
    if (words.count == 0)
        return;
    const NameList names = names_of(WordKind::command);
    const Match match = find_name(names, words[0]);
    if (match.meaning != Meaning::one) {
        put_no_match(names, words[0], match, {}, "command", out);
        return;
    }
    const Command& command = commands()[match.index];
    if (command.in_full && words[0] != command.name) {
        out.print("%s: write it in full, it ends every partition.\n", command.name.data());
        return;
    }
    if (words.too_many || words.count > command.words_at_most) {
        out.print("%s: too many words; it is used as: %s%s%s\n", command.name.data(), command.name.data(),
                  command.arguments.empty() ? "" : " ", command.arguments.data());
        return;
    }
    monitor.run = CommandRun{};
    command.start(monitor.run, words, out);
}

}  // namespace

void monitor_open(TextOut& out)
{
    out.put("-- monitor; `help` lists the commands, Tab completes, `quit` leaves --\n");
    monitor.editor.start(out);
}

void monitor_close() { give_up_command(); }

void monitor_redraw(TextOut& out)
{
    if (monitor.run.step == nullptr)
        monitor.editor.redraw(out);
}

void monitor_key(uint8_t byte, TextOut& out)
{
    constexpr uint8_t control_c = 3;
    if (monitor.run.step != nullptr) {
        if (byte == control_c) {
            give_up_command();
            out.put("^C\n");
            monitor.editor.start(out);
        } else {
            (void)monitor.typed_ahead.put(static_cast<char>(byte));
        }
        return;
    }
    switch (monitor.editor.key(byte, out)) {
    case LineEditor::Event::line:
        start_command(monitor.editor.line(), out);
        if (monitor.run.step == nullptr && shows_monitor())
            monitor.editor.start(out);
        break;
    case LineEditor::Event::interrupt:
        monitor.editor.start(out);
        break;
    case LineEditor::Event::complete:
        complete(monitor.editor, out);
        break;
    case LineEditor::Event::none:
        break;
    }
}

bool monitor_fill(TextOut& out)
{
    CommandRun& run = monitor.run;
    if (run.step == nullptr && monitor.typed_ahead.empty())
        return false;
    if (run.step == nullptr) {
        monitor_key(static_cast<uint8_t>(monitor.typed_ahead.take()), out);
        return true;
    }
    run.waiting = false;
    if (!run.step(run, out)) {
        run = CommandRun{};
        monitor.editor.start(out);
    }
    return !out.empty() || !run.waiting;
}

bool monitor_waits() { return monitor.run.step != nullptr && monitor.run.waiting; }

}  // namespace bulkhead
