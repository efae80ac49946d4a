// SPDX-License-Identifier: BSD-2-Clause
// The forms are those of xl.cfg(5), "cpus".
#include "boot/plan/cpu_list.hpp"

#include "boot/plan/cpu_list.cpp"
#include "boot/plan/text.cpp"
#include "boot/plan/value.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;

namespace {

constexpr CpuBound any{64, false};
constexpr CpuBound four{4, true};

std::string parsed(std::string_view list, CpuBound bound = four)
{
    const auto cpus = parse_cpu_list(list, bound);
    return cpus ? cpu_list_text(*cpus) : cpus.error();
}

Outcome<std::vector<uint8_t>> from_text(std::string_view zero_terminated)
{
    return parse_cpus(Bytes(zero_terminated.begin(), zero_terminated.end()), four);
}

}  // namespace

TEST_GROUP(CpuList) {};

TEST(CpuList, xl_forms_are_understood)
{
    STRCMP_EQUAL("0-1", parsed("0-1").c_str());
    STRCMP_EQUAL("2", parsed("2").c_str());
    STRCMP_EQUAL("0,2-3", parsed("0,2-3").c_str());
    STRCMP_EQUAL("0-3", parsed("all").c_str());
    STRCMP_EQUAL("0-63", parsed("all", any).c_str());
    STRCMP_EQUAL("0,2-3", parsed("^1").c_str());
    STRCMP_EQUAL("0,3", parsed("0-3,^1,^2").c_str());
    STRCMP_EQUAL("0,3", parsed("all,^1-2").c_str());
    STRCMP_EQUAL("0-1", parsed(" 0 , 1 ").c_str());
}

TEST(CpuList, the_written_order_is_kept_and_each_cpu_is_there_once)
{
    STRCMP_EQUAL("3,0-1", parsed("3,0-1,3,0").c_str());
}

TEST(CpuList, a_cpu_that_does_not_exist_is_refused_with_what_there_is)
{
    STRCMP_EQUAL("names CPU 4, which does not exist: the machine node says 4 CPUs, that is 0 to 3", parsed("4").c_str());
    STRCMP_EQUAL("names CPU 64, which does not exist: 0 to 63 is possible", parsed("64", any).c_str());
    CHECK_FALSE(parse_cpu_list("0-4000000000", four));
    CHECK_FALSE(parse_cpu_list("18446744073709551616", four));
}

TEST(CpuList, nonsense_is_refused)
{
    for (const auto* list : {"", ",", "a", "1-", "-1", "2-1", "1,,2", "^", "0-1-2", "nodes:0", "0x", "^0-3", "1 2"})
        CHECK_FALSE(parse_cpu_list(list, four));
}

TEST(CpuList, several_texts_give_each_vcpu_its_cpu)
{
    const std::string_view two{"3\0" "3\0" "1\0", 6};
    const auto cpus = from_text(two);
    CHECK(cpus.value() == (std::vector<uint8_t>{3, 3, 1}));
}

TEST(CpuList, a_vcpu_cannot_have_two_cpus)
{
    CHECK_FALSE(from_text({"3\0" "0-1\0", 6}));
}

TEST(CpuList, cells_are_taken_as_they_are)
{
    CHECK(parse_cpus(Bytes{0, 0, 0, 2, 0, 0, 0, 0}, four).value() == (std::vector<uint8_t>{2, 0}));
    CHECK_FALSE(parse_cpus(Bytes{0, 0, 0, 4}, four));
    CHECK_FALSE(parse_cpus(Bytes{0, 0, 0}, four));
    CHECK_FALSE(parse_cpus({}, four));
}
