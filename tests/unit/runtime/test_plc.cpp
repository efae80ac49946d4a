// SPDX-License-Identifier: BSD-2-Clause
// What plc shows of itself.
#include "pvdrivers/plc/texts.hpp"

#include <CppUTest/TestHarness.h>

#include <string>
#include <thread>

namespace {

plc::Figures figures()
{
    plc::Figures figures{.cycle = 5001, .missed = 2, .rate_hz = 1000, .deadline_us = 500, .min_ns = 1234, .mean_ns = 2000,
                         .per_mille_999_ns = 12999, .max_ns = 20050, .level_um = -5, .setpoint_um = 600000,
                         .valve_per_mille = 77, .histogram = {}};
    figures.histogram[1] = 999;
    figures.histogram[plc::Jitter::bars - 1] = 1;
    return figures;
}

}  // namespace

TEST_GROUP(Plc) {};

TEST(Plc, writes_its_figures_as_json)
{
    plc::Text<1024> text;
    write_json(text, "plc", figures());
    STRCMP_EQUAL("{\"name\":\"plc\",\"cycle\":5001,\"missed\":2,\"rate_hz\":1000,\"deadline_us\":500,"
                 "\"late_us\":{\"min\":1.2,\"mean\":2.0,\"p99.9\":12.9,\"max\":20.0},"
                 "\"histogram\":[0,999,0,0,0,0,0,0,0,0,1],\"level_um\":-5,\"setpoint_um\":600000,\"valve_per_mille\":77}\n",
                 std::string(text.view()).c_str());
}

TEST(Plc, writes_a_page)
{
    plc::Text<8192> text;
    write_page(text, "plc", figures());
    const std::string page(text.view());
    STRCMP_CONTAINS("<h1>plc</h1>", page.c_str());
    STRCMP_CONTAINS("<th>most<td>20.0", page.c_str());
    STRCMP_CONTAINS("<th>&ge; 1000<td>1<td", page.c_str());
    CHECK(page.ends_with("</html>\n"));
}

TEST(Plc, cuts_a_text_that_does_not_fit)
{
    plc::Text<10> text;
    text.add("12345678").add("abc").add(uint64_t{1});
    STRCMP_EQUAL("12345678ab", std::string(text.view()).c_str());
}

TEST(Plc, shows_nothing_before_there_is_something)
{
    plc::Shown<plc::Figures> shown;
    plc::Figures seen{};
    LONGS_EQUAL(0, shown.read(seen));
    shown.show(figures());
    const uint32_t first = shown.read(seen);
    CHECK(first != 0);
    LONGS_EQUAL(5001, seen.cycle);
    LONGS_EQUAL(first, shown.read(seen));
    shown.show(figures());
    CHECK(shown.read(seen) != first);
}

TEST(Plc, shows_whole_values_only)
{
    struct Value {
        std::array<uint64_t, 20> words;
    };
    plc::Shown<Value> shown;
    std::atomic<bool> end = false;
    std::thread writer([&] {
        Value value{};
        while (!end) {
            for (auto& word : value.words)
                ++word;
            shown.show(value);
            std::this_thread::yield();
        }
    });
    uint32_t last = 0;
    for (size_t seen = 0; seen < 100;) {
        Value value{};
        const uint32_t version = shown.read(value);
        if (version == 0 || version == last)
            continue;
        last = version;
        ++seen;
        CHECK(std::ranges::all_of(value.words, [&](uint64_t word) { return word == value.words[0]; }));
    }
    end = true;
    writer.join();
}
