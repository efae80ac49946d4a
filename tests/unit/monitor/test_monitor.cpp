// SPDX-License-Identifier: BSD-2-Clause
// The monitor itself: prompt, words, help, completion, logs, slicing, and the ends of the box.
#include "monitor_fixture.hpp"

#include <random>

TEST(Monitor, greets_and_prompts)
{
    TextOut out;
    monitor_open(out);
    CHECK(contains(std::string(out.view()), "`help` lists the commands"));
    CHECK(contains(std::string(out.view()), "\rbulkhead> "));
}

TEST(Monitor, says_which_command_was_meant)
{
    STRCMP_EQUAL("'pa' may mean parts or part.\r\n", run("pa").c_str());
    CHECK_SHOWS(run("evnts"), "no command is named 'evnts'; there are: help, parts, part,");
    CHECK_SHOWS(run("evnts"), "Did you mean events?");
}

TEST(Monitor, does_nothing_for_an_empty_line)
{
    STRCMP_EQUAL("", run("   ").c_str());
}

TEST(Monitor, says_how_a_command_is_used_when_there_are_too_many_words)
{
    STRCMP_EQUAL("parts: too many words; it is used as: parts\r\n", run("parts all").c_str());
    STRCMP_EQUAL("events: too many words; it is used as: events [NAME]\r\n", run("events a b").c_str());
    STRCMP_EQUAL("part: too many words; it is used as: part NAME info\r\n", run("part gateway info x").c_str());
    CHECK_SHOWS(run("part gateway dump 1 2 3"), "too many words");
    CHECK_SHOWS(run("part 1 2 3 4 5 6 7"), "too many words");
}

TEST(Monitor, takes_clear_abbreviations)
{
    CHECK_SHOWS(run("ver"), "Bulkhead ");
    CHECK_SHOWS(run("part gat i"), "gateway, domain 1, type pv");
    CHECK_SHOWS(run("part 2 i"), "logger, domain 2, type pv");
}

TEST(Monitor, lists_its_commands_and_explains_one)
{
    const std::string all = run("help");
    for (const Command& command : commands())
        CHECK_SHOWS(all, command.name);
    CHECK_SHOWS(run("help trace"), "trace on|off|show: record");
    CHECK_SHOWS(run("help part"), "dump     ADDR [LEN]");
    CHECK_SHOWS(run("help xyz"), "help: no command is named 'xyz'");
}

TEST(Monitor, works_without_any_partition)
{
    fake::make_world({});
    CHECK_SHOWS(run("parts"), "no partitions");
    CHECK_SHOWS(run("part x info"), "no partition is named 'x'; there is none.");
    for (const char* command : {"events", "grants", "exits", "mem", "sched", "cpus", "log", "help"})
        (void)run(command);
}

TEST(Monitor, shows_logs_with_times_and_without_control_sequences)
{
    ConsoleSource& source = fake::sources[0];
    source.log.append("one\x1b[31m\r\n\ntwo", Nanoseconds(1'234'567'000));
    STRCMP_EQUAL("[    1.234567] one\r\n\r\n[    1.234567] two\r\n", run("part gateway log").c_str());
    CHECK_SHOWS(run("part logger log"), "The log is empty.");
    static char memory[4096];
    core_source().log.use(memory);
    core_source().log.append("core line\n", Nanoseconds(0));
    CHECK_SHOWS(run("log"), "[    0.000000] core line\r\n");
}

TEST(Monitor, ends_a_log_although_its_source_writes_on)
{
    ConsoleSource& source = fake::sources[0];
    source.log.append("first\nsecond\n", Nanoseconds(0));
    keys("part gateway log\r");
    std::string text;
    for (int i = 0; i < 20 && monitor.run.step != nullptr; ++i) {
        source.log.append("more\n", Nanoseconds(0));
        text += rest(1);
    }
    CHECK(contains(text, "second"));
    CHECK_FALSE(contains(text, "more"));
    CHECK(monitor.run.step == nullptr);
}

TEST(Monitor, says_when_a_log_was_overwritten_while_it_was_shown)
{
    ConsoleSource& source = fake::sources[0];
    for (int i = 0; i < 200; ++i)
        source.log.append("line\n", Nanoseconds(0));
    keys("part gateway log\r");
    std::string text = rest(3);
    for (int i = 0; i < 250; ++i)
        source.log.append("line\n", Nanoseconds(0));
    text += rest();
    CHECK(contains(text, "lines were overwritten meanwhile]"));
}

TEST(Monitor, shows_long_lines_of_a_log_whole)
{
    fake::sources[0].log.append(std::string(500, 'x') + "\n", Nanoseconds(0));
    keys("part gateway log\r");
    const std::string text = rest();
    LONGS_EQUAL(500, std::count(text.begin(), text.end(), 'x'));
}

TEST(Monitor, turns_the_terminal_elsewhere)
{
    (void)run("attach log");
    STRCMP_EQUAL("2", fake::turned.c_str());
    fake::turned.clear();
    (void)run("quit");
    STRCMP_EQUAL("overview", fake::turned.c_str());
    fake::turned.clear();
    CHECK_SHOWS(run("attach"), "attach: to which partition? There are: gateway and logger.");
    CHECK_SHOWS(run("attach x"), "attach: no partition is named 'x'");
}

TEST(Monitor, ends_the_box_only_by_the_whole_word_and_after_saying_so)
{
    STRCMP_EQUAL("reboot: write it in full, it ends every partition.\r\n", run("reb").c_str());
    STRCMP_EQUAL("poweroff: write it in full, it ends every partition.\r\n", run("pow").c_str());
    CHECK_SHOWS(keys("reboot\r"), "The box is being reset.");
    TextOut out;
    bool ended = false;
    try {
        (void)monitor_fill(out);
    } catch (const fake::BoxEnded& end) {
        ended = std::string_view(end.how) == "reboot";
    }
    CHECK(ended);
    monitor.run = CommandRun{};
    CHECK_SHOWS(keys("\x15poweroff\r"), "The box is being switched off.");
    ended = false;
    try {
        (void)monitor_fill(out);
    } catch (const fake::BoxEnded& end) {
        ended = std::string_view(end.how) == "poweroff";
    }
    CHECK(ended);
}

TEST(Monitor, stops_long_output_on_control_c_and_forgets_what_was_typed)
{
    keys("part gateway dump 0 0x10000\r");
    CHECK(monitor.run.step != nullptr);
    STRCMP_EQUAL("", keys("help\r").c_str());   // forgotten
    STRCMP_EQUAL("^C\r\n\rbulkhead> \x1b[K", keys("\x03").c_str());
    CHECK(monitor.run.step == nullptr);
}

TEST(Monitor, does_what_was_typed_ahead_after_the_command)
{
    keys("part gateway dump 0 100\r");
    STRCMP_EQUAL("", keys("trace\rev\t").c_str());
    std::string shown;
    for (int i = 0; i < 200; ++i) {
        TextOut out;
        if (!monitor_fill(out))
            break;
        shown += out.view();
    }
    CHECK_SHOWS(shown, "bulkhead> \x1b[Ktrace\r\ntrace is off");
    STRCMP_EQUAL("events ", std::string(monitor.editor.line()).c_str());
}

TEST(Monitor, draws_its_prompt_again_only_when_it_waits_for_a_line)
{
    TextOut out;
    keys("par");
    monitor_redraw(out);
    STRCMP_EQUAL("\rbulkhead> par\x1b[K", std::string(out.view()).c_str());
    keys("\x15part gateway dump 0 0x10000\r");
    out.clear();
    monitor_redraw(out);
    CHECK(out.empty());
}

TEST(Monitor, completes_commands_partitions_and_actions)
{
    const auto line_after = [this](std::string_view typed) {
        keys("\x15");
        keys(typed);
        return std::string(monitor.editor.line());
    };
    STRCMP_EQUAL("events ", line_after("ev\t").c_str());
    STRCMP_EQUAL("part", line_after("pa\t").c_str());
    STRCMP_EQUAL("part gateway ", line_after("part ga\t").c_str());
    STRCMP_EQUAL("part gateway pause ", line_after("part gateway pa\t").c_str());
    STRCMP_EQUAL("ev logger ", line_after("ev l\t").c_str());
    STRCMP_EQUAL("trace show ", line_after("trace s\t").c_str());
    STRCMP_EQUAL("help version ", line_after("help v\t").c_str());
    STRCMP_EQUAL("parts ", line_after("parts\t").c_str());
}

TEST(Monitor, lists_what_a_word_may_become)
{
    CHECK_SHOWS(keys("part gateway re\t"), "\r\nregs  restart  resume  \r\n\rbulkhead> part gateway re");
    keys("\x15");
    CHECK_SHOWS(keys("part \t"), "gateway  logger");
    keys("\x15");
    const std::string all = keys("\t");
    CHECK_SHOWS(all, "help  parts  part  attach");
    CHECK(longest_line(all) <= 80);
}

TEST(Monitor, beeps_when_there_is_nothing_to_complete)
{
    keys("xyz");
    STRCMP_EQUAL("\a", keys("\t").c_str());
    keys("\x15version x");
    STRCMP_EQUAL("\a", keys("\t").c_str());
}

TEST(Monitor, survives_any_line)
{
    std::mt19937 random(11);
    constexpr std::string_view words[] = {"part", "parts", "gateway", "logger", "info", "regs", "bt", "dump", "log",
                                          "events", "grants", "exits", "0", "1", "0xffffffffffffffff", "trace", "on",
                                          "show", "help", "cpus", "sched", "mem", "irq", "acpi", "pause", "x", "\t"};
    for (int round = 0; round < 3000; ++round) {
        std::string line = "\x15";
        for (size_t i = random() % 7; i > 0; --i)
            line += std::string(words[random() % std::size(words)]) + " ";
        if (random() % 4 == 0)
            line += static_cast<char>(random());
        keys(line + "\r");
        rest();
        if (monitor.run.step != nullptr)
            keys("\x03");
    }
}
