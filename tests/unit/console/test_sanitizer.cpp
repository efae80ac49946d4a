// SPDX-License-Identifier: BSD-2-Clause
// Nothing that a partition prints may act on the terminal.
#include "core/console/sanitizer.hpp"

#include "core/console/sanitizer.cpp"

#include <random>
#include <string>
#include <vector>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

std::string clean(std::string_view text)
{
    Sanitizer sanitizer;
    std::vector<char> out(text.size() + Sanitizer::extra_bytes + 1);
    size_t length = sanitizer.clean(text, out.data());
    length += sanitizer.finish_line(&out[length]);
    return {out.data(), length};
}

// Printable ASCII, tab, or well-formed UTF-8 that is no control.
bool is_harmless(std::string_view text)
{
    for (size_t i = 0; i < text.size();) {
        const auto byte = static_cast<uint8_t>(text[i]);
        if (byte == '\t' || (byte >= 0x20 && byte < 0x7f)) {
            ++i;
            continue;
        }
        const size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        if (byte < 0xc2 || byte > 0xf4 || i + length > text.size())
            return false;
        for (size_t k = 1; k < length; ++k) {
            if ((static_cast<uint8_t>(text[i + k]) & 0xc0) != 0x80)
                return false;
        }
        if (byte == 0xc2 && static_cast<uint8_t>(text[i + 1]) < 0xa0)
            return false;
        i += length;
    }
    return true;
}

}  // namespace

#define CLEANS_TO(expected, text) STRCMP_EQUAL(expected, clean(text).c_str())

TEST_GROUP(Sanitizer){};

TEST(Sanitizer, leaves_plain_text_and_utf8_alone)
{
    CLEANS_TO("plain text, 1 + 1\tand a tab", "plain text, 1 + 1\tand a tab");
    CLEANS_TO("Gr\u00fc\u00dfe \u2192 \u65e5\u672c \U0001f600", "Gr\u00fc\u00dfe \u2192 \u65e5\u672c \U0001f600");
}

TEST(Sanitizer, removes_colours_and_cursor_movement)
{
    CLEANS_TO("red green", "\x1b[31mred\x1b[0m \x1b[1;32mgreen");
    CLEANS_TO("ab", "a\x1b[2J\x1b[1;1H\x1b[?25lb");
    CLEANS_TO("ab", "a\x1b[38;2;1;2;3m\x1b[4 qb");
}

TEST(Sanitizer, removes_strings_with_their_content)
{
    CLEANS_TO("ab", "a\x1b]0;title\ab");
    CLEANS_TO("ab", "a\x1b]0;title\x1b\\b");
    CLEANS_TO("ab", "a\x1bPq#0;2;0\x1b\\b");
    CLEANS_TO("ab", "a\x1b_apc\x1b\\\x1b^pm\x1b\\\x1bXsos\x1b\\b");
    CLEANS_TO("a", "a\x1b]0;never ends");
}

TEST(Sanitizer, begins_a_new_sequence_when_a_string_is_broken_off)
{
    CLEANS_TO("ab", "a\x1b]0;title\x1b[31mb");
    CLEANS_TO("b", "\x1b[31\x1b[32mb");
    CLEANS_TO("b", "\x1b\x1b[32mb");
}

TEST(Sanitizer, removes_short_escapes_and_character_sets)
{
    CLEANS_TO("abc", "a\x1b" "cb\x1b(B\x1b)0\x1b#8c");
    CLEANS_TO("ab", "a\x0e\x0f\x1b=\x1b>\x1b" "7\x1b" "8b");
}

TEST(Sanitizer, ends_a_sequence_on_cancel)
{
    CLEANS_TO("ab", "a\x1b[31\x18" "b");
    CLEANS_TO("ab", "a\x1b]0;t\x1a" "b");
    CLEANS_TO("ab", "a\x1b\x18" "b");
}

TEST(Sanitizer, removes_c0_controls_and_del)
{
    CLEANS_TO("abc", std::string_view("a\0\x01\a\v\f\x05" "b\x7f" "c", 10));
}

TEST(Sanitizer, takes_c1_controls_for_what_they_are)
{
    CLEANS_TO("ab", "a\u009b31mb");
    CLEANS_TO("ab", "a\u009d0;title\ab");
    CLEANS_TO("ab", "a\u0085\u0084b");
    CLEANS_TO("a?31mb", "a\x9b" "31mb");
}

TEST(Sanitizer, removes_marks_that_turn_the_direction_of_writing)
{
    CLEANS_TO("ab", "a\u202e\u2066\u200f\u2028\ufeffb");
}

TEST(Sanitizer, shows_malformed_utf8_as_question_marks)
{
    CLEANS_TO("a?b", "a\xff" "b");
    CLEANS_TO("??", "\xc0\xaf");
    CLEANS_TO("???", "\xed\xa0\x80");
    CLEANS_TO("????", "\xf4\x90\x80\x80");
    CLEANS_TO("??", "\xe0\x80");
    CLEANS_TO("?a", "\xe2\x82" "a");
    CLEANS_TO("?\u00fc", "\xe2\x82\u00fc");
    CLEANS_TO("x?", "x\xe2\x82");
}

TEST(Sanitizer, lets_a_carriage_return_start_the_line_again)
{
    CLEANS_TO("100%", "10%\r50%\r100%");
    CLEANS_TO("text", "text\r");
    CLEANS_TO("text", "old\r\r\rtext\r\r");
    CLEANS_TO("done", "working\r\x1b[Kdone");
}

TEST(Sanitizer, lets_a_backspace_take_back_a_character)
{
    CLEANS_TO("ac", "ab\bc");
    CLEANS_TO("ac", "a\u20ac\bc");
    CLEANS_TO("a", "\b\b\ba");
    CLEANS_TO("ab", "abc\b \b");
}

TEST(Sanitizer, carries_characters_and_sequences_from_one_part_to_the_next)
{
    Sanitizer sanitizer;
    char out[16];
    UNSIGNED_LONGS_EQUAL(1, sanitizer.clean("a\xe2\x82", out));
    CHECK_FALSE(sanitizer.at_rest());
    UNSIGNED_LONGS_EQUAL(4, sanitizer.clean("\xac" "b", out));
    MEMCMP_EQUAL("\u20ac" "b", out, 4);
    CHECK(sanitizer.at_rest());
    UNSIGNED_LONGS_EQUAL(0, sanitizer.clean("\x1b[3", out));
    CHECK_FALSE(sanitizer.at_rest());
    UNSIGNED_LONGS_EQUAL(1, sanitizer.clean("1mx", out));
}

TEST(Sanitizer, says_when_a_carriage_return_in_a_part_started_the_line_again)
{
    Sanitizer sanitizer;
    char out[16];
    (void)sanitizer.clean("10%\r", out);
    CHECK_FALSE(sanitizer.restarted());
    UNSIGNED_LONGS_EQUAL(3, sanitizer.clean("20%", out));
    CHECK(sanitizer.restarted());
    (void)sanitizer.clean("x", out);
    CHECK_FALSE(sanitizer.restarted());
}

TEST(Sanitizer, forgets_an_unfinished_sequence_at_the_next_line)
{
    Sanitizer sanitizer;
    char out[16];
    (void)sanitizer.clean("\x1b]0;swallow", out);
    UNSIGNED_LONGS_EQUAL(0, sanitizer.finish_line(out));
    UNSIGNED_LONGS_EQUAL(4, sanitizer.clean("next", out));
}

TEST(Sanitizer, lets_nothing_harmful_through_whatever_the_input)
{
    std::mt19937 random(7);
    constexpr std::string_view special = "\x1b[]P_^X\\\a\x18\x9b\x9d\xc2\xe2\x80\x9c\xed\xf0\xf4\r\b\x7f;m0";
    for (int round = 0; round < 20'000; ++round) {
        Sanitizer sanitizer;
        for (int part = 0; part < 3; ++part) {
            std::string text;
            for (size_t i = random() % 40; i > 0; --i)
                text += random() % 2 ? special[random() % special.size()] : static_cast<char>(random());
            std::vector<char> out(text.size() + Sanitizer::extra_bytes);
            const size_t length = sanitizer.clean(text, out.data());
            CHECK(length < text.size() + Sanitizer::extra_bytes);
            CHECK(is_harmless({out.data(), length}));
        }
        char last[1];
        const size_t length = sanitizer.finish_line(last);
        CHECK(is_harmless({last, length}));
    }
}
