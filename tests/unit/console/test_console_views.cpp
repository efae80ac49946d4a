// SPDX-License-Identifier: BSD-2-Clause
// The terminal attached to a partition or turned to the monitor, and the keys that lead there and back.
#include "console_fixture.hpp"

TEST(Console, attaches_to_a_partition_by_its_digit_and_says_how_to_get_away)
{
    start();
    fake::guest_write(0, "old line\nprompt# ");
    run();
    const std::string text = typed("\x1d" "1");
    STRCMP_EQUAL("\r\n-- attached to gateway; Ctrl-] 0 leaves, Ctrl-] ? lists all keys --\r\nold line\r\nprompt# ",
                 text.c_str());
}

TEST(Console, says_so_when_the_partition_does_not_run)
{
    start();
    fake::partitions[0].state = PartitionState::crashed;
    CHECK(typed("1").find("\r\n-- gateway does not run now: crashed --\r\n") != std::string::npos);
}

TEST(Console, attaches_from_the_overview_without_the_escape_key)
{
    start();
    CHECK(typed("2").find("attached to log") != std::string::npos);
    LONGS_EQUAL(2, terminal.multiplexer.attached());
}

TEST(Console, does_not_take_a_function_key_for_digits_in_the_overview)
{
    start();
    typed("\x1b[15~\x1b[1;2A");
    CHECK(terminal.multiplexer.view() == Multiplexer::View::overview);
}

TEST(Console, passes_the_attached_partitions_output_unchanged)
{
    start();
    typed("1");
    const std::string raw = "\x1b[2J\x1b[31mred\x1b[0m\r50%\r\n\n\x1b]0;t\a\xff\x9b\x00end";
    fake::guest_write(0, raw);
    run();
    STRCMP_EQUAL(raw.c_str(), take_sent().c_str());
}

TEST(Console, keeps_other_partitions_out_of_an_attached_view)
{
    start();
    typed("1");
    fake::guest_write(1, "noise\n");
    STRCMP_EQUAL("", seen().c_str());
}

TEST(Console, shows_the_cores_lines_while_attached_on_lines_of_their_own)
{
    start();
    typed("1");
    fake::guest_write(0, "prompt# ");
    run();
    take_sent();
    bulkhead::log("log has crashed");
    STRCMP_EQUAL("\r\ncore    | log has crashed\r\n", seen().c_str());
}

TEST(Console, does_not_break_a_control_sequence_for_a_line_of_the_core)
{
    start();
    typed("1");
    fake::uart_room = 10;
    fake::guest_write_all(0, std::string(253, 'x') + "\x1b[31mred");
    run(5);
    bulkhead::log("now");
    fake::uart_room = fake::no_limit;
    // The first chunk ends inside the sequence: the line comes after the next one.
    CHECK(seen().find("red\r\ncore    | now") != std::string::npos);
}

TEST(Console, shows_a_line_of_the_core_between_two_lines_of_the_attached_partition)
{
    start();
    typed("1");
    fake::uart_room = 10;
    fake::guest_write_all(0, std::string(250, 'x') + "first\r\nsecond\r\nthird\r\n");
    run(5);
    bulkhead::log("now");
    fake::uart_room = fake::no_limit;
    CHECK(seen().find("first\r\ncore    | now\r\nsecond\r\nthird\r\n") != std::string::npos);
}

TEST(Console, ends_a_control_sequence_that_is_never_finished_for_a_line_of_the_core)
{
    start();
    typed("1");
    fake::guest_write(0, "x\x1b]0;");
    run();
    take_sent();
    bulkhead::log("now");
    STRCMP_EQUAL("\x18\r\ncore    | now\r\n", seen().c_str());
}

TEST(Console, hides_the_cores_lines_while_attached_when_asked_to)
{
    start();
    typed("1");
    CHECK(typed("\x1dq").find("hidden") != std::string::npos);
    bulkhead::log("now");
    STRCMP_EQUAL("", seen().c_str());
    CHECK(typed("\x1dq").find("shown") != std::string::npos);
}

TEST(Console, gives_keys_to_the_attached_partition_only)
{
    start();
    typed("1");
    type("ls\r");
    STRCMP_EQUAL("ls\r", fake::guest_read(0).c_str());
    STRCMP_EQUAL("", fake::guest_read(1).c_str());
    CHECK(std::ranges::count(fake::notified, 1) > 0);
    LONGS_EQUAL(0, std::ranges::count(fake::notified, 2));
}

TEST(Console, sends_the_escape_key_when_it_is_doubled)
{
    start();
    typed("1");
    type("a\x1d\x1d" "b");
    STRCMP_EQUAL("a\x1d" "b", fake::guest_read(0).c_str());
}

TEST(Console, takes_another_escape_key_from_the_plan)
{
    plan::Header header{};
    header.escape = 0x01;
    init_console(header);
    start();
    CHECK(typed("1").find("Ctrl-A 0 leaves") != std::string::npos);
    type("\x1d");
    STRCMP_EQUAL("\x1d", fake::guest_read(0).c_str());
    CHECK(typed("\x01" "0").find("-- overview") != std::string::npos);
}

TEST(Console, says_what_the_keys_are)
{
    start();
    const std::string text = typed("\x1d?");
    CHECK(text.find("1   attach to gateway\r\n") != std::string::npos);
    CHECK(text.find("2   attach to log\r\n") != std::string::npos);
    CHECK(text.find("m   monitor") != std::string::npos);
    CHECK(text.find("Ctrl-]  sends Ctrl-] to the partition") != std::string::npos);
}

TEST(Console, says_so_when_a_key_or_partition_does_not_exist)
{
    start();
    CHECK(typed("\x1d" "9").find("there is no partition 9; they are 1 to 2") != std::string::npos);
    CHECK(typed("\x1dz").find("1 to 2 attaches") != std::string::npos);
    CHECK(typed("\r").find("1 to 2 attaches") != std::string::npos);
    typed("1");
    CHECK(typed("\x1dz").find("no such key after Ctrl-]") != std::string::npos);
    STRCMP_EQUAL("", fake::guest_read(0).c_str());
}

TEST(Console, says_so_when_there_is_no_partition_at_all)
{
    start(0);
    CHECK(typed("1").find("there is no partition --") != std::string::npos);
}

TEST(Console, resets_the_terminal_when_it_leaves_a_partition)
{
    start();
    typed("1");
    take_sent();
    type("\x1d" "0");
    const std::string text = take_sent();
    CHECK(text.starts_with("\x18\x1b\\\x1b[0m"));
    CHECK(text.find("\x1b[?1049l") != std::string::npos);
    CHECK(text.find("-- overview") != std::string::npos);
}

TEST(Console, tells_in_the_overview_how_much_came_meanwhile)
{
    start();
    typed("1");
    for (int i = 0; i < 50; ++i)
        fake::guest_write(1, "line " + std::to_string(i) + "\r\n");
    run();
    const std::string text = typed("\x1d" "0");
    CHECK(text.find("log     | [44 lines not shown; in the monitor, `part log log` has them]\r\nlog     | line 44\r\n") != std::string::npos);
    CHECK(text.ends_with("log     | line 49\r\n"));
}

TEST(Console, skips_in_an_attached_view_too_and_says_so)
{
    start();
    typed("1");
    fake::uart_room = 0;
    for (int i = 0; i < 2000; ++i)
        fake::guest_write_all(0, "line " + std::to_string(i) + "\r\n");
    run(20);
    fake::uart_room = fake::no_limit;
    const std::string text = seen();
    CHECK(std::regex_search(text, std::regex("gateway \\| \\[\\d+ lines not shown; in the monitor, `part gateway log` has them\\]\r\n")));
    CHECK(text.ends_with("line 1999\r\n"));
}

TEST(Console, opens_the_monitor_and_gives_it_the_keys)
{
    start();
    STRCMP_EQUAL("> ", typed("m").c_str());
    CHECK(monitor_is_open);
    STRCMP_EQUAL("help", typed("help").c_str());
    typed("\x1d" "1");
    CHECK_FALSE(monitor_is_open);
}

TEST(Console, shows_the_monitors_output_in_slices)
{
    start();
    typed("m");
    monitor_text = std::string(250, 'x') + "\n";
    fake::cpus[0].work = work_console;
    STRCMP_EQUAL((std::string(250, 'x') + "\r\n").c_str(), seen().c_str());
}

TEST(Console, shows_the_prompt_again_below_a_line_of_the_core)
{
    start();
    typed("m");
    bulkhead::log("something");
    STRCMP_EQUAL("\r\x1b[Kcore    | something\r\n> ", seen().c_str());
}
