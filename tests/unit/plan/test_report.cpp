// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/report.hpp"
#include "boot/plan/text.hpp"

#include "boot/plan/report.cpp"
#include "boot/plan/text.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;

TEST_GROUP(Report) {};

TEST(Report, an_empty_report_did_not_fail_and_says_nothing)
{
    const Report report;
    CHECK_FALSE(report.failed());
    STRCMP_EQUAL("", report.text().c_str());
}

TEST(Report, a_warning_is_no_failure)
{
    Report report;
    report.warning({"a.dts", 3}, "odd");
    CHECK_FALSE(report.failed());
    LONGS_EQUAL(1, report.warnings());
    STRCMP_EQUAL("a.dts:3: warning: odd\n", report.text().c_str());
}

TEST(Report, messages_come_in_the_order_of_the_lines_and_files_as_they_were_first_mentioned)
{
    Report report;
    report.error({"b.dts", 9}, "nine");
    report.error({"a.dts", 1}, "other file");
    report.error({"b.dts", 2}, "two");
    report.error({"b.dts", 9}, "nine again");
    STRCMP_EQUAL("b.dts:2: error: two\nb.dts:9: error: nine\nb.dts:9: error: nine again\na.dts:1: error: other file\n",
                 report.text().c_str());
    LONGS_EQUAL(4, report.errors());
}

TEST(Report, the_same_message_at_the_same_place_is_said_once)
{
    Report report;
    report.error({"a.dts", 1}, "twice");
    report.error({"a.dts", 1}, "twice");
    LONGS_EQUAL(1, report.errors());
}

TEST(Report, a_place_without_a_line_is_the_file)
{
    STRCMP_EQUAL("a.dts", to_text({"a.dts", 0}).c_str());
}

TEST_GROUP(Text) {};

TEST(Text, sizes_use_the_largest_unit_with_one_decimal)
{
    STRCMP_EQUAL("0 bytes", sentence(Size{0}).c_str());
    STRCMP_EQUAL("1 byte", sentence(Size{1}).c_str());
    STRCMP_EQUAL("1023 bytes", sentence(Size{1023}).c_str());
    STRCMP_EQUAL("1.5 KiB", sentence(Size{1536}).c_str());
    STRCMP_EQUAL("256 MiB", sentence(Size{uint64_t{256} << 20}).c_str());
    STRCMP_EQUAL("17179869183.9 GiB", sentence(Size{~uint64_t{0}}).c_str());
}

TEST(Text, counts_have_their_plural)
{
    STRCMP_EQUAL("1 vCPU, 2 vCPUs, 0 vCPUs", sentence(Count{1, "vCPU"}, ", ", Count{2, "vCPU"}, ", ", Count{0, "vCPU"}).c_str());
}

TEST(Text, quoting_shows_control_characters_and_cuts_what_is_long)
{
    STRCMP_EQUAL("\"a\\x1bb\"", sentence(Quoted{"a\x1b" "b"}).c_str());
    LONGS_EQUAL(120 + 5, sentence(Quoted{std::string(500, 'x')}).size());
}

TEST(Text, hexadecimal_does_not_change_the_numbers_behind_it)
{
    STRCMP_EQUAL("0x1f 31", sentence(Hex{31}, ' ', 31).c_str());
}

TEST(Text, lists_end_with_and)
{
    const std::vector<std::string> items{"a", "b", "c"};
    STRCMP_EQUAL("a, b and c", list_of(items).c_str());
    STRCMP_EQUAL("a", list_of(std::span(items).first(1)).c_str());
    STRCMP_EQUAL("", list_of({}).c_str());
}
