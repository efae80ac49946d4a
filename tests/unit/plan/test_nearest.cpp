// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/nearest.hpp"

#include "boot/plan/nearest.cpp"
#include "boot/plan/text.cpp"

#include <CppUTest/TestHarness.h>

#include <array>

using namespace bulkhead::tool;

namespace {

constexpr std::array<std::string_view, 7> known{"memory", "maxmem", "on_crash", "grant-frames", "cpus", "vcpus", "kernel"};

#define CHECK_MEANT(wanted, written) CHECK_EQUAL(std::string(wanted), std::string(nearest(written, known)))

}  // namespace

TEST_GROUP(Nearest) {};

TEST(Nearest, a_slip_of_one_letter_is_understood)
{
    CHECK_MEANT("memory", "memry");
    CHECK_MEANT("memory", "memoory");
    CHECK_MEANT("memory", "memroy");
    CHECK_MEANT("kernel", "kernal");
}

TEST(Nearest, dashes_and_case_hardly_count)
{
    CHECK_MEANT("on_crash", "on-crash");
    CHECK_MEANT("grant-frames", "grant_frames");
    CHECK_MEANT("vcpus", "vCPUs");
}

TEST(Nearest, what_is_half_said_is_understood)
{
    CHECK_MEANT("cpus", "cpu");
    CHECK_MEANT("memory", "memory_size");
}

TEST(Nearest, what_is_far_from_everything_gets_no_suggestion)
{
    CHECK_MEANT("", "wibble");
    CHECK_MEANT("", "");
    CHECK_MEANT("", std::string(1000, 'm'));
}

TEST(Nearest, a_suggestion_is_a_question_and_else_the_given_words)
{
    STRCMP_EQUAL("did you mean \"memory\"?", suggestion("memry", known, "no").c_str());
    STRCMP_EQUAL("no idea", suggestion("wibble", known, "no idea").c_str());
}
