// SPDX-License-Identifier: BSD-2-Clause
// What a person typed: words, names, beginnings, likeness, numbers.
#include "core/monitor/words.hpp"

#include "core/console/text_out.cpp"
#include "core/monitor/words.cpp"

#include <random>
#include <string>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

constexpr std::string_view some[] = {"parts", "part", "pci", "poweroff", "help"};
constexpr NameList some_names{5, [](size_t i) { return some[i]; }};
constexpr NameList two_names{2, [](size_t i) { return std::string_view(i == 0 ? "gateway" : "logger"); }};
constexpr NameList no_names{0, nullptr};
constexpr NameList many_names{40, [](size_t i) {
                                  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
                                  return letters.substr(i, 3);
                              }};

std::string names(const NameList& list, std::string_view beginning = {}, std::string_view last = "and")
{
    TextOut out;
    put_names(list, beginning, last, out);
    return std::string(out.view());
}

std::string no_match(const NameList& list, std::string_view word, std::string_view command = "part")
{
    TextOut out;
    put_no_match(list, word, find_name(list, word), command, "partition", out);
    return std::string(out.view());
}

}  // namespace

TEST_GROUP(Words){};

TEST(Words, are_separated_by_blanks)
{
    const Words words = split_words("  part\tgateway   info ");
    LONGS_EQUAL(3, words.count);
    CHECK(words[0] == "part" && words[1] == "gateway" && words[2] == "info" && words[3].empty());
    LONGS_EQUAL(0, split_words("").count);
    LONGS_EQUAL(0, split_words("   ").count);
}

TEST(Words, are_six_at_most)
{
    CHECK_FALSE(split_words("1 2 3 4 5 6").too_many);
    const Words words = split_words("1 2 3 4 5 6 7");
    CHECK(words.too_many);
    LONGS_EQUAL(6, words.count);
}

TEST(Words, mean_a_name_exactly_before_they_mean_a_beginning)
{
    const Match match = find_name(some_names, "part");
    CHECK(match.meaning == Meaning::one);
    LONGS_EQUAL(1, match.index);
}

TEST(Words, mean_the_one_name_that_begins_with_them)
{
    CHECK(find_name(some_names, "h").meaning == Meaning::one);
    LONGS_EQUAL(3, find_name(some_names, "PO").index);
    CHECK(find_name(some_names, "p").meaning == Meaning::several);
    CHECK(find_name(some_names, "x").meaning == Meaning::none);
    CHECK(find_name(some_names, "partss").meaning == Meaning::none);
    CHECK(find_name(some_names, "").meaning == Meaning::none);
    CHECK(find_name(no_names, "x").meaning == Meaning::none);
}

TEST(Words, are_compared_by_letters_added_dropped_changed_or_swapped)
{
    LONGS_EQUAL(0, closest_name(two_names, "gatway"));
    LONGS_EQUAL(0, closest_name(two_names, "gateeway"));
    LONGS_EQUAL(0, closest_name(two_names, "gtaeway"));
    LONGS_EQUAL(1, closest_name(two_names, "loggar"));
    LONGS_EQUAL(2, closest_name(two_names, "firewall"));
    LONGS_EQUAL(2, closest_name(two_names, "x"));
    LONGS_EQUAL(2, closest_name(two_names, std::string(60, 'y')));
    LONGS_EQUAL(0, closest_name(no_names, "x"));
}

TEST(Words, are_told_apart_by_a_few_looks_as_by_all)
{
    std::mt19937 random(1);
    const auto word = [&] {
        std::string text(1 + random() % 8, 'a');
        for (char& letter : text)
            letter = static_cast<char>('a' + random() % 3);
        return text;
    };
    unsigned close = 0;
    for (int i = 0; i < 20'000; ++i) {
        const std::string a = word(), b = word();
        size_t looks = SIZE_MAX;
        const size_t exactly = distance(a, b, compared_bytes, looks);
        for (size_t most = 1; most <= 3; ++most)
            LONGS_EQUAL(std::min(most, exactly), distance(a, b, most, looks));
        close += exactly < 3;
    }
    CHECK(close > 1000);
}

TEST(Words, are_compared_until_so_many_looks_are_used_up)
{
    constexpr NameList alike{1000, [](size_t i) { return std::string_view(i == 999 ? "partition-x" : "partition-123"); }};
    LONGS_EQUAL(1000, closest_name(alike, "partition-y"));
    size_t looks = 100;
    LONGS_EQUAL(3, distance("partition-abcdefg", "partition-gfedcba", 3, looks));
    CHECK(looks > 0 && looks < 60);
    LONGS_EQUAL(1, distance("abc", "abd", 3, looks));
    looks = 5;
    LONGS_EQUAL(3, distance("abc", "abd", 3, looks));
}

TEST(Words, make_lists_that_read_well)
{
    STRCMP_EQUAL("gateway and logger", names(two_names).c_str());
    STRCMP_EQUAL("gateway", names(two_names, "g").c_str());
    STRCMP_EQUAL("parts, part, pci or poweroff", names(some_names, "p", "or").c_str());
    STRCMP_EQUAL("", names(no_names).c_str());
    STRCMP_EQUAL("abc, bcd, cde, def, efg, fgh, ghi, hij, ijk, jkl, klm and 29 more", names(many_names).c_str());
}

TEST(Words, that_mean_nothing_get_a_sentence)
{
    STRCMP_EQUAL("part: no partition is named 'gatway'; there are: gateway and logger. Did you mean gateway?\r\n",
                 no_match(two_names, "gatway").c_str());
    STRCMP_EQUAL("part: no partition is named 'zzz'; there are: gateway and logger.\r\n", no_match(two_names, "zzz").c_str());
    STRCMP_EQUAL("part: no partition is named 'zzz'; there is none.\r\n", no_match(no_names, "zzz").c_str());
    STRCMP_EQUAL("'pa' may mean parts or part.\r\n", no_match(some_names, "pa", "").c_str());
}

TEST(Words, are_numbers_in_the_base_that_is_meant)
{
    CHECK(parse_hexadecimal("ffffffff81000000") == 0xffffffff81000000);
    CHECK(parse_hexadecimal("0xFF") == 255u);
    CHECK(parse_number("100") == 100u);
    CHECK(parse_number("0x100") == 256u);
    CHECK(parse_number("18446744073709551615") == ~uint64_t{0});
    CHECK(!parse_number("18446744073709551616"));
    CHECK(!parse_hexadecimal("10000000000000000"));
    CHECK(!parse_number("12a") && !parse_number("") && !parse_number("0x") && !parse_hexadecimal("g"));
    CHECK(!parse_number("-1"));
}

TEST(Words, can_be_anything)
{
    std::mt19937 random(5);
    for (int round = 0; round < 5000; ++round) {
        std::string line;
        for (size_t i = random() % 70; i > 0; --i)
            line += static_cast<char>(random() % 3 == 0 ? ' ' : random());
        const Words words = split_words(line);
        for (size_t i = 0; i < words.count; ++i) {
            CHECK(!words[i].empty());
            (void)no_match(many_names, words[i]);
            (void)parse_number(words[i]);
        }
    }
}
