// SPDX-License-Identifier: BSD-2-Clause
// The monitor's line editor, key by key, on a small terminal that does what it is told.
#include "core/monitor/line_editor.hpp"

#include "core/console/text_out.cpp"
#include "core/monitor/line_editor.cpp"

#include <random>
#include <string>
#include <vector>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

// One line of a terminal: text, CR, LF, bell, erase to the end, cursor left and right, clear.
struct Terminal {
    std::string line;
    size_t cursor = 0;
    int bells = 0;
    int newlines = 0;

    void write(std::string_view text)
    {
        for (size_t i = 0; i < text.size(); ++i) {
            const char byte = text[i];
            if (byte == '\r')
                cursor = 0;
            else if (byte == '\n') {
                line.clear();
                ++newlines;
            } else if (byte == '\a')
                ++bells;
            else if (byte == '\x1b')
                i = sequence(text, i + 2);
            else {
                CHECK(cursor < 80);
                line.resize(std::max(line.size(), cursor + 1), ' ');
                line[cursor++] = byte;
            }
        }
    }
    size_t sequence(std::string_view text, size_t i)
    {
        size_t number = 0;
        while (text[i] >= '0' && text[i] <= '9')
            number = number * 10 + static_cast<size_t>(text[i++] - '0');
        if (text[i] == 'K')
            line.resize(std::min(line.size(), cursor));
        else if (text[i] == 'D') {
            CHECK(number > 0 && number <= cursor);
            cursor -= number;
        } else if (text[i] == 'C')
            cursor += number;
        else if (text[i] == 'J')
            line.clear();
        else if (text[i] == 'H')
            cursor = 0;
        else
            FAIL("unknown sequence");
        return i;
    }
};

}  // namespace

TEST_GROUP(LineEditor)
{
    LineEditor editor;
    Terminal terminal;
    LineEditor::Event last = LineEditor::Event::none;

    void setup() override
    {
        TextOut out;
        editor.start(out);
        terminal.write(out.view());
    }
    void type(std::string_view keys)
    {
        for (const char key : keys) {
            TextOut out;
            last = editor.key(static_cast<uint8_t>(key), out);
            CHECK(out.size() <= 120);
            if (last == LineEditor::Event::line || last == LineEditor::Event::interrupt) {
                entered = std::string(editor.line());
                editor.start(out);
            }
            terminal.write(out.view());
        }
    }
    // The terminal shows prompt, text and cursor ('|') so.
    void shows(std::string_view expected)
    {
        std::string shown = terminal.line;
        shown.resize(std::max(shown.size(), terminal.cursor), ' ');
        shown.insert(terminal.cursor, "|");
        STRCMP_EQUAL(("bulkhead> " + std::string(expected)).c_str(), shown.c_str());
        std::string kept(editor.line());
        kept.insert(editor.before_cursor().size(), "|");
        STRCMP_EQUAL(std::string(expected).c_str(), kept.c_str());
    }
    std::string entered;
};

TEST(LineEditor, shows_what_is_typed)
{
    type("parts");
    shows("parts|");
}

TEST(LineEditor, inserts_in_the_middle_after_moving_left)
{
    type("pats\x1b[D\x1b[Dr");
    shows("par|ts");
    type("\x02\x02x\x06");
    shows("pxa|rts");
}

TEST(LineEditor, stops_at_both_ends)
{
    type("ab\x1b[C\x06");
    shows("ab|");
    type("\x1b[D\x1b[D\x1b[D\x02");
    shows("|ab");
}

TEST(LineEditor, moves_to_the_ends_with_home_and_end_of_every_terminal)
{
    for (const char* home : {"\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\x01"}) {
        type("\x15" "abc");
        type(home);
        shows("|abc");
        type("\x0b");
    }
    for (const char* end : {"\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "\x05"}) {
        type("\x15" "abc\x01");
        type(end);
        shows("abc|");
        type("\x15");
    }
}

TEST(LineEditor, deletes_before_and_under_the_cursor)
{
    type("abcd\x7f\b");
    shows("ab|");
    type("\x01\x1b[3~");
    shows("|b");
    type("\x04\x04\x7f");
    shows("|");
}

TEST(LineEditor, kills_to_both_ends_and_by_word)
{
    type("part gateway info \x17");
    shows("part gateway |");
    type("\x17");
    shows("part |");
    type("x\x01\x06\x06\x0b");
    shows("pa|");
    type("rts\x02\x15");
    shows("|s");
}

TEST(LineEditor, clears_the_screen_and_keeps_the_line)
{
    type("abc\x02\x0c");
    shows("ab|c");
}

TEST(LineEditor, ignores_other_escape_sequences_whole)
{
    type("a\x1b[15~\x1b[1;5Q\x1bOP\x1b[Z\x1b" "b\x1b[?1;2c");
    shows("a|");
    type("\x1b[1;5Db");
    shows("b|a");
}

TEST(LineEditor, refuses_bytes_that_are_not_ascii)
{
    type("\xc3\xbc");
    shows("|");
    LONGS_EQUAL(2, terminal.bells);
}

TEST(LineEditor, gives_the_line_on_enter_in_all_its_forms)
{
    type("one\r");
    CHECK(last == LineEditor::Event::line);
    STRCMP_EQUAL("one", entered.c_str());
    entered = "none";
    type("\n");   // of CR LF
    STRCMP_EQUAL("none", entered.c_str());
    type("two\n");
    STRCMP_EQUAL("two", entered.c_str());
    shows("|");
}

TEST(LineEditor, throws_the_line_away_on_control_c)
{
    type("abc\x03");
    CHECK(last == LineEditor::Event::interrupt);
    shows("|");
}

TEST(LineEditor, asks_for_completion_on_tab)
{
    type("pa\t");
    CHECK(last == LineEditor::Event::complete);
    TextOut out;
    editor.insert("rts ", out);
    terminal.write(out.view());
    shows("parts |");
}

TEST(LineEditor, takes_no_more_than_fits_on_a_line_of_80_columns)
{
    type(std::string(100, 'x'));
    shows(std::string(69, 'x') + "|");
    LONGS_EQUAL(31, terminal.bells);
}

TEST(LineEditor, recalls_former_lines_and_comes_back_to_the_one_being_typed)
{
    type("one\rtwo\rdra");
    type("\x1b[A");
    shows("two|");
    type("\x10");
    shows("one|");
    type("\x1b[A");
    shows("one|");
    LONGS_EQUAL(1, terminal.bells);
    type("\x1b[B\x0e");
    shows("dra|");
    type("\x1b[B");
    shows("dra|");
}

TEST(LineEditor, keeps_neither_empty_lines_nor_repetitions)
{
    type("one\r\r   \rone\rtwo\r");
    type("\x1b[A\x1b[A\x1b[A");
    shows("one|");
}

TEST(LineEditor, keeps_the_last_32_lines)
{
    for (int i = 0; i < 40; ++i)
        type("line" + std::to_string(i) + "\r");
    for (int i = 0; i < 40; ++i)
        type("\x1b[A");
    shows("line8|");
    LONGS_EQUAL(8, terminal.bells);
}

TEST(LineEditor, shows_the_truth_whatever_is_typed)
{
    std::mt19937 random(3);
    constexpr std::string_view keys = "ab c\x01\x02\x04\x05\x06\b\x0b\x0e\x10\x15\x17\x7f\r\n\x03\x0c\x1b[ABCDHF3~14;O";
    for (int round = 0; round < 200; ++round) {
        for (int i = 0; i < 100; ++i)
            type(keys.substr(random() % keys.size(), 1));
        type("x");   // ends an escape sequence that was begun
        type("x");
        std::string kept(editor.line());
        kept.insert(editor.before_cursor().size(), "|");
        shows(kept);
    }
}
