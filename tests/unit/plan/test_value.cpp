// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/value.hpp"

#include "boot/plan/text.cpp"
#include "boot/plan/value.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;

namespace {

Bytes text_bytes(std::string_view text) { return {text.begin(), text.end()}; }

Bytes cell_bytes(std::initializer_list<uint32_t> cells)
{
    Bytes out;
    for (const uint32_t cell : cells)
        for (const int shift : {24, 16, 8, 0})
            out.push_back(static_cast<uint8_t>(cell >> shift));
    return out;
}

}  // namespace

TEST_GROUP(Value) {};

TEST(Value, a_number_may_be_a_cell_or_text_as_in_xl)
{
    LONGS_EQUAL(256, number(cell_bytes({256}), 1, 1000).value());
    LONGS_EQUAL(256, number(text_bytes({"256\0", 4}), 1, 1000).value());
    LONGS_EQUAL(256, number(text_bytes({"0x100\0", 6}), 1, 1000).value());
    LONGS_EQUAL(256, number(text_bytes({" 256 \0", 6}), 1, 1000).value());
}

TEST(Value, a_number_outside_its_bounds_is_refused_with_the_bounds)
{
    STRCMP_EQUAL("is 33; from 1 to 32 is possible", number(cell_bytes({33}), 1, 32).error().c_str());
    STRCMP_EQUAL("is 0; from 1 to 32 is possible", number(cell_bytes({0}), 1, 32).error().c_str());
}

TEST(Value, what_is_no_number_is_refused)
{
    CHECK_FALSE(number(text_bytes({"many\0", 5}), 1, 32));
    CHECK_FALSE(number(text_bytes({"12x\0", 4}), 1, 32));
    CHECK_FALSE(number(text_bytes({"\0", 1}), 1, 32));
    CHECK_FALSE(number(text_bytes({"99999999999999999999\0", 21}), 1, 32));
    CHECK_FALSE(number(cell_bytes({1, 2}), 1, 32));
    CHECK_FALSE(number({}, 1, 32));
    CHECK_FALSE(number(Bytes{1, 2, 3}, 1, 32));
}

TEST(Value, text_is_what_prints_and_ends_in_a_zero)
{
    CHECK(is_text(text_bytes({"a\0", 2})));
    CHECK(is_text(text_bytes({"\0", 1})));
    CHECK(is_text(text_bytes({"a\0b\0", 4})));
    CHECK_FALSE(is_text({}));
    CHECK_FALSE(is_text(text_bytes("a")));
    CHECK_FALSE(is_text(cell_bytes({1})));
    CHECK_FALSE(is_text(cell_bytes({0})));
    CHECK_FALSE(is_text(cell_bytes({0x100})));
}

TEST(Value, one_text_is_not_two)
{
    STRCMP_EQUAL("a", text(text_bytes({"a\0", 2})).value().c_str());
    STRCMP_EQUAL("has 2 texts; one is expected", text(text_bytes({"a\0b\0", 4})).error().c_str());
    STRCMP_EQUAL("has no value; text in double quotes is expected", text({}).error().c_str());
    STRCMP_EQUAL("is not text; text in double quotes is expected", text(cell_bytes({7})).error().c_str());
}

TEST(Value, wide_numbers_are_pairs_of_cells)
{
    const auto wide = wide_cells(cell_bytes({0, 0x40000000, 1, 0})).value();
    LONGS_EQUAL(2, wide.size());
    CHECK(wide[0] == 0x40000000);
    CHECK(wide[1] == 0x100000000);
    CHECK_FALSE(wide_cells(cell_bytes({0, 1, 2})));
    CHECK_FALSE(wide_cells(text_bytes({"12345678\0", 9})));
}

TEST(Value, a_switch_may_be_said_in_many_ways)
{
    CHECK(boolean({}).value());
    CHECK(boolean(cell_bytes({1})).value());
    CHECK(boolean(text_bytes({"yes\0", 4})).value());
    CHECK_FALSE(boolean(cell_bytes({0})).value());
    CHECK_FALSE(boolean(text_bytes({"off\0", 4})).value());
    CHECK_FALSE(boolean(cell_bytes({2})).has_value());
    CHECK_FALSE(boolean(text_bytes({"perhaps\0", 8})).has_value());
}

TEST(Value, splitting_keeps_empty_parts)
{
    const auto parts = split("a,,b,", ',');
    LONGS_EQUAL(4, parts.size());
    CHECK(parts[1].empty());
    CHECK(parts[3].empty());
}
