// SPDX-License-Identifier: BSD-2-Clause
// The overview: lines of the core and of partitions, each source's turn, what floods and imitators can do.
#include "console_fixture.hpp"

TEST(Console, prints_log_lines_by_polling_during_start_up)
{
    bulkhead::log("hello %d", 42);
    STRCMP_EQUAL("core | hello 42\r\n", plain(take_sent()).c_str());
}

TEST(Console, gives_up_on_a_dead_uart_during_start_up)
{
    fake::uart_room = 0;
    bulkhead::log("x");
    STRCMP_EQUAL("", take_sent().c_str());
}

TEST(Console, cuts_off_log_lines_at_240_bytes_and_ends_each_one)
{
    bulkhead::log("%s", std::string(300, 'x').c_str());
    STRCMP_EQUAL(("core | " + std::string(239, 'x') + "\r\n").c_str(), plain(take_sent()).c_str());
    bulkhead::log("with a newline\n");
    STRCMP_EQUAL("core | with a newline\r\n", plain(take_sent()).c_str());
    bulkhead::log("%s", "");
    STRCMP_EQUAL("core | \r\n", plain(take_sent()).c_str());
}

TEST(Console, shows_each_line_with_its_sources_name_in_a_colour_of_its_own)
{
    start();
    fake::guest_write(0, "one\n");
    fake::guest_write(1, "two\n");
    bulkhead::log("three");
    run();
    STRCMP_EQUAL("\x1b[36mgateway\x1b[0m | one\r\n\x1b[32mlog    \x1b[0m | two\r\n\x1b[1mcore   \x1b[0m | three\r\n",
                 take_sent().c_str());
}

TEST(Console, gives_many_partitions_different_colours)
{
    start(12);
    std::vector<std::string> colours;
    for (size_t i = 0; i < 12; ++i) {
        fake::guest_write(i, "x\n");
        run();
        const std::string sent = take_sent();
        const std::string colour = sent.substr(0, sent.find('m'));
        CHECK(std::ranges::find(colours, colour) == colours.end());
        colours.push_back(colour);
    }
}

TEST(Console, removes_what_could_imitate_another_source)
{
    start();
    fake::guest_write(0, "x\x1b[1A\x1b[2K\rcore    | all is well\x1b[0m\n");
    STRCMP_EQUAL("gateway | core    | all is well\r\n", seen().c_str());
    fake::guest_write(0, "a\rb\r\n");
    STRCMP_EQUAL("gateway | b\r\n", seen().c_str());
    fake::guest_write(0, "\x1b]0;swallow\nnext\n");
    STRCMP_EQUAL("gateway | \r\ngateway | next\r\n", seen().c_str());
}

TEST(Console, shows_a_line_without_end_after_a_while)
{
    start();
    fake::guest_write(0, "login: ");
    fake::cpus[0].work = 0;
    console_work();
    STRCMP_EQUAL("", take_sent().c_str());
    STRCMP_EQUAL("gateway | login: ", seen().c_str());
    fake::guest_write(0, "root\n");
    STRCMP_EQUAL("root\r\n", seen().c_str());
}

TEST(Console, marks_the_rest_of_a_line_that_another_source_broke)
{
    start();
    fake::guest_write(0, "login: ");
    run();
    fake::guest_write(1, "hm\n");
    run();
    fake::guest_write(0, "root\n");
    STRCMP_EQUAL("gateway | login: \r\nlog     | hm\r\ngateway + root\r\n", seen().c_str());
}

TEST(Console, says_nothing_when_only_the_end_of_a_broken_line_comes)
{
    start();
    fake::guest_write(0, "login: ");
    run();
    fake::guest_write(1, "hm\n");
    run();
    take_sent();
    fake::guest_write(0, "\r\nnext\n");
    STRCMP_EQUAL("gateway | next\r\n", seen().c_str());
}

TEST(Console, gives_every_source_its_turn_line_by_line)
{
    start();
    for (int i = 0; i < 3; ++i)
        fake::guest_write(0, "a\n");
    for (int i = 0; i < 3; ++i)
        fake::guest_write(1, "b\n");
    STRCMP_EQUAL("gateway | a\r\nlog     | b\r\ngateway | a\r\nlog     | b\r\ngateway | a\r\nlog     | b\r\n",
                 seen().c_str());
}

TEST(Console, breaks_an_endless_line_so_that_others_have_their_turn)
{
    start();
    fake::guest_write_all(0, std::string(3000, 'x'));
    fake::guest_write(1, "b\n");
    const std::string text = seen();
    const size_t other = text.find("\r\nlog     | b\r\ngateway + x");
    CHECK(other != std::string::npos);
    CHECK(other <= 5 * 240 + 10);
    LONGS_EQUAL(3000, std::ranges::count(text, 'x'));
}

TEST(Console, says_how_many_lines_it_skipped_and_the_log_keeps_them)
{
    start();
    fake::uart_room = 0;
    for (int i = 0; i < 1000; ++i)
        fake::guest_write_all(0, "line number " + std::to_string(i) + "\r\n");
    run(50);
    fake::uart_room = fake::no_limit;
    const std::string text = seen();
    std::smatch match;
    CHECK(std::regex_search(text, match, std::regex("gateway \\| \\[(\\d+) lines not shown; in the monitor, `part gateway log` has them\\]\r\n")));
    const int skipped = std::stoi(match[1]);
    const auto shown = std::count(text.begin(), text.end(), '\n') - 1;
    LONGS_EQUAL(1000, skipped + shown);
    CHECK(text.ends_with("gateway | line number 999\r\n"));
    // What was left out can still be read.
    LogCursor cursor = oldest_line(console_source(1).log);
    std::array<char, 240> buffer;
    LogPiece piece;
    CHECK(next_piece(console_source(1).log, cursor, ~0ull, buffer, piece));
    CHECK(cursor.lines < 400);
}

TEST(Console, does_not_let_one_flood_delay_another_source)
{
    start();
    fake::uart_room = 0;
    for (int i = 0; i < 3000; ++i)
        fake::guest_write_all(0, "flood\r\n");
    fake::guest_write(1, "small\n");
    run(20);
    fake::uart_room = fake::no_limit;
    const std::string text = seen();
    CHECK(text.find("log     | small") < 400);
}
