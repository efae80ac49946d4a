// SPDX-License-Identifier: BSD-2-Clause
// Logs and their readers: order, times, what is lost and how it is counted.
#include "core/console/text_log.hpp"

#include "core/console/text_log.cpp"

#include <random>
#include <string>
#include <vector>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

struct Lines {
    std::vector<std::string> text;
    std::vector<uint64_t> times;
    uint64_t lost = 0;
};

// Everything from a cursor to the end, whole lines joined from their pieces.
Lines read_all(const TextLog& log, LogCursor& cursor, size_t piece_bytes = 240)
{
    Lines lines;
    std::vector<char> buffer(piece_bytes);
    LogPiece piece;
    bool open = false;
    while (next_piece(log, cursor, log.end(), buffer, piece)) {
        if (!open) {
            lines.text.emplace_back();
            lines.times.push_back(piece.time.raw());
        }
        lines.lost += piece.lost_lines;
        lines.text.back() += std::string(piece.text);
        open = !piece.line_end;
    }
    return lines;
}

}  // namespace

TEST_GROUP(TextLog)
{
    std::array<char, 1024> memory{};
    TextLog log{memory};
    LogCursor cursor;

    void add(std::string_view text, uint64_t microseconds = 0)
    {
        UNSIGNED_LONGS_EQUAL(text.size(), log.append(text, Nanoseconds(microseconds * 1000)));
    }
    void add_numbered(int from, int to)
    {
        for (int i = from; i < to; ++i)
            add("line " + std::to_string(i) + "\n", static_cast<uint64_t>(i));
    }
};

TEST(TextLog, gives_lines_back_with_the_time_of_their_first_byte)
{
    add("one\ntw", 5);
    add("o\n", 9);
    add("three\n", 1'234'567'890'123);
    const Lines lines = read_all(log, cursor);
    UNSIGNED_LONGS_EQUAL(3, lines.text.size());
    STRCMP_EQUAL("one", lines.text[0].c_str());
    STRCMP_EQUAL("two", lines.text[1].c_str());
    STRCMP_EQUAL("three", lines.text[2].c_str());
    UNSIGNED_LONGS_EQUAL(5'000, lines.times[0]);
    UNSIGNED_LONGS_EQUAL(5'000, lines.times[1]);
    UNSIGNED_LONGS_EQUAL(1'234'567'890'123'000, lines.times[2]);
    UNSIGNED_LONGS_EQUAL(3, cursor.lines);
    UNSIGNED_LONGS_EQUAL(log.end(), cursor.position);
}

TEST(TextLog, keeps_empty_lines_without_a_time)
{
    add("\n\nx\n\n", 7);
    std::array<char, 16> buffer;
    LogPiece piece;
    CHECK(next_piece(log, cursor, log.end(), buffer, piece));
    CHECK(piece.line_start && piece.line_end && !piece.stamped && piece.text.empty());
    UNSIGNED_LONGS_EQUAL(3, read_all(log, cursor).text.size());
    UNSIGNED_LONGS_EQUAL(4, log.lines());
}

TEST(TextLog, gives_a_line_without_end_in_parts_as_it_grows)
{
    std::array<char, 16> buffer;
    LogPiece piece;
    add("login");
    CHECK(next_piece(log, cursor, log.end(), buffer, piece));
    CHECK(piece.line_start && !piece.line_end && piece.text == "login");
    CHECK_FALSE(next_piece(log, cursor, log.end(), buffer, piece));
    add(": ");
    CHECK(next_piece(log, cursor, log.end(), buffer, piece));
    CHECK(!piece.line_start && !piece.line_end && piece.text == ": ");
    add("\n");
    CHECK(next_piece(log, cursor, log.end(), buffer, piece));
    CHECK(!piece.line_start && piece.line_end && piece.text.empty());
}

TEST(TextLog, stops_at_the_end_that_the_reader_names)
{
    add("old\n");
    const uint64_t end = log.end();
    add("new\n");
    std::array<char, 16> buffer;
    LogPiece piece;
    CHECK(next_piece(log, cursor, end, buffer, piece));
    CHECK_FALSE(next_piece(log, cursor, end, buffer, piece));
}

TEST(TextLog, takes_no_more_lines_than_asked_for)
{
    UNSIGNED_LONGS_EQUAL(4, log.append("a\nb\nc\n", Nanoseconds(0), 2));
    UNSIGNED_LONGS_EQUAL(2, log.lines());
}

TEST(TextLog, drops_everything_before_it_has_memory)
{
    TextLog none;
    UNSIGNED_LONGS_EQUAL(3, none.append("abc", Nanoseconds(0)));
    UNSIGNED_LONGS_EQUAL(0, none.end());
}

TEST(TextLog, counts_the_lines_that_a_slow_reader_lost)
{
    add("first\n");
    read_all(log, cursor);
    add_numbered(0, 500);
    const Lines lines = read_all(log, cursor);
    CHECK(lines.lost > 400);
    UNSIGNED_LONGS_EQUAL(500, lines.lost + lines.text.size());
    STRCMP_EQUAL("line 499", lines.text.back().c_str());
    STRCMP_EQUAL(("line " + std::to_string(lines.lost)).c_str(), lines.text.front().c_str());
    UNSIGNED_LONGS_EQUAL(log.lines(), cursor.lines);
}

TEST(TextLog, survives_a_line_longer_than_itself)
{
    add("short\n");
    add(std::string(5000, 'x'));
    const Lines lines = read_all(log, cursor);
    UNSIGNED_LONGS_EQUAL(1, lines.text.size());
    UNSIGNED_LONGS_EQUAL(1, lines.lost);
    CHECK(lines.text[0].size() > 900 && lines.text[0].size() <= 1024);
    add("\nnext\n");
    const Lines rest = read_all(log, cursor);
    STRCMP_EQUAL("next", rest.text.back().c_str());
}

TEST(TextLog, skips_to_the_last_lines_and_says_how_many_it_left_out)
{
    add_numbered(0, 40);
    UNSIGNED_LONGS_EQUAL(35, skip_to_tail(log, cursor, 1000, 5));
    const Lines lines = read_all(log, cursor);
    UNSIGNED_LONGS_EQUAL(5, lines.text.size());
    STRCMP_EQUAL("line 35", lines.text[0].c_str());
}

TEST(TextLog, skips_by_bytes_to_the_start_of_a_line)
{
    add_numbered(10, 40);   // 15 bytes each in the ring
    UNSIGNED_LONGS_EQUAL(28, skip_to_tail(log, cursor, 40, 100));
    UNSIGNED_LONGS_EQUAL(2, read_all(log, cursor).text.size());
}

TEST(TextLog, counts_a_line_without_end_as_one_of_the_last)
{
    add_numbered(0, 10);
    add("prompt# ");
    UNSIGNED_LONGS_EQUAL(8, skip_to_tail(log, cursor, 500, 3));
    const Lines lines = read_all(log, cursor);
    STRCMP_EQUAL("line 8", lines.text[0].c_str());
    STRCMP_EQUAL("prompt# ", lines.text[2].c_str());
}

TEST(TextLog, skips_nothing_when_all_of_it_is_wanted)
{
    add_numbered(0, 5);
    UNSIGNED_LONGS_EQUAL(0, skip_to_tail(log, cursor, 500, 10));
    UNSIGNED_LONGS_EQUAL(5, read_all(log, cursor).text.size());
}

TEST(TextLog, skips_into_a_line_that_alone_is_too_long)
{
    add(std::string(600, 'x'));
    UNSIGNED_LONGS_EQUAL(0, skip_to_tail(log, cursor, 100, 5));
    const Lines lines = read_all(log, cursor);
    UNSIGNED_LONGS_EQUAL(100, lines.text[0].size());
}

TEST(TextLog, skips_to_the_very_end_when_nothing_is_wanted)
{
    add_numbered(0, 5);
    add("half");
    UNSIGNED_LONGS_EQUAL(5, skip_to_tail(log, cursor, 500, 0));
    UNSIGNED_LONGS_EQUAL(log.end(), cursor.position);
    add(" line\n");
    STRCMP_EQUAL(" line", read_all(log, cursor).text[0].c_str());
}

TEST(TextLog, knows_when_a_whole_line_waits)
{
    add("abc");
    CHECK_FALSE(has_whole_line(log, cursor, 100));
    CHECK(has_whole_line(log, cursor, 3));
    add("\n");
    CHECK(has_whole_line(log, cursor, 100));
}

TEST(TextLog, gives_the_raw_stream_without_stamps)
{
    add("a\r\n\nb");
    add("c\n");
    std::array<char, 3> small;
    std::string raw;
    while (const size_t count = next_raw(log, cursor, small))
        raw.append(small.data(), count);
    STRCMP_EQUAL("a\r\n\nbc\n", raw.c_str());
    UNSIGNED_LONGS_EQUAL(3, cursor.lines);
}

TEST(TextLog, starts_at_the_oldest_whole_line)
{
    add_numbered(0, 200);
    cursor = oldest_line(log);
    const uint64_t before = cursor.lines;
    const Lines lines = read_all(log, cursor);
    UNSIGNED_LONGS_EQUAL(200, before + lines.text.size());
    STRCMP_EQUAL(("line " + std::to_string(before)).c_str(), lines.text[0].c_str());
}

// Random text in random pieces, read and skipped at random: every line that is given back whole is
// one that was written, none is given twice, and the counts add up.
TEST(TextLog, accounts_for_every_line_whatever_the_sizes)
{
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
        memory.fill(0);
        log = TextLog{memory};
        cursor = LogCursor{};
        uint64_t written = 0;
        uint64_t given = 0;
        for (int step = 0; step < 60; ++step) {
            std::string text;
            const int lines = static_cast<int>(random() % 6);
            for (int i = 0; i < lines; ++i)
                text += std::string(random() % 200, 'y') + (random() % 7 == 0 ? "" : "\n");
            for (char& byte : text) {
                if (random() % 31 == 0)
                    byte = static_cast<char>(random());
            }
            written += static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
            add(text, random());
            UNSIGNED_LONGS_EQUAL(written, log.lines());
            if (random() % 3 == 0) {
                given += skip_to_tail(log, cursor, random() % 700, random() % 9);
            } else if (random() % 2 == 0) {
                std::array<char, 64> buffer;
                LogPiece piece;
                for (int i = 0; i < 5 && next_piece(log, cursor, log.end(), buffer, piece); ++i)
                    given += piece.lost_lines + piece.line_end;
            }
            CHECK(cursor.position <= log.end());
            UNSIGNED_LONGS_EQUAL(given, cursor.lines);
        }
        LogPiece piece;
        std::array<char, 64> buffer;
        while (next_piece(log, cursor, log.end(), buffer, piece))
            given += piece.lost_lines + piece.line_end;
        UNSIGNED_LONGS_EQUAL(written, given);
    }
}
