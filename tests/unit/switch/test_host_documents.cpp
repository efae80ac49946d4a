// SPDX-License-Identifier: BSD-2-Clause
// Text, history, and the documents made of them: the status page, the metrics, the diagnosis commands.
#include "pvdrivers/switch/host/sources.hpp"

#include "pvdrivers/switch/host/box.cpp"
#include "pvdrivers/switch/host/commands.cpp"
#include "pvdrivers/switch/host/history.cpp"
#include "pvdrivers/switch/host/metrics.cpp"
#include "pvdrivers/switch/host/page.cpp"
#include "pvdrivers/switch/host/plot.cpp"
#include "pvdrivers/switch/host/text.cpp"
#include "tests/unit/fakes/lwip_port.hpp"
#include "tests/unit/switch/fake_sources.hpp"

#include <map>
#include <regex>
#include <set>

#include <CppUTest/TestHarness.h>

namespace {

using namespace bulkhead::net;
using namespace std::literals;

template <class... Parts>
std::string written(const Parts&... parts)
{
    std::array<char, 256> room;
    Text out(room);
    (out << ... << parts);
    return std::string(out.view());
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

TEST_GROUP(text) {};

TEST(text, keeps_to_its_room)
{
    std::array<char, 4> room;
    Text out(room);
    out << "abc";
    CHECK_FALSE(out.overflowed());
    out << 12u;
    CHECK(out.overflowed());
    CHECK(out.view() == "abc1");
}

TEST(text, escapes_for_html_labels_and_terminals)
{
    CHECK(written(Html{"<a href=\"x\">&'"}) == "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    CHECK(written(Label{"a\\b\"c\nd"}) == "a\\\\b\\\"c\\nd");
    CHECK(written(Plain{"a\x1b[2J\tb\r"}) == "a?[2J b?");
}

TEST(text, shows_only_well_formed_utf_8)
{
    CHECK(written(Html{"Kühlhaus \xe2\x82\xac \xf0\x9f\x98\x80"}) == "Kühlhaus \xe2\x82\xac \xf0\x9f\x98\x80");
    CHECK(written(Html{"\xff\xc3"}) == "??");
    CHECK(written(Html{"\xc0\xaf\xe0\x80\xaf\xed\xa0\x80\xf4\x90\x80\x80"}) == "????????????");
    CHECK(written(Html{"\xc2\x85"}) == "?");        // a control character
}

TEST(text, writes_numbers_with_units)
{
    CHECK(written(Decimal{12345, 3, 1}, ' ', Decimal{5, 3, 3}, ' ', Decimal{7, 0, 0}) == "12.3 0.005 7");
    CHECK(written(Right{7, 4}, Right{12345, 3}) == "   712345");
    CHECK(written(Bytes{1023}, ' ', Bytes{1536}, ' ', Bytes{256 << 20}) == "1023 B 1.5 KiB 256 MiB");
    CHECK(written(BitRate{999}, ' ', BitRate{1'950'000}, ' ', BitRate{UINT64_MAX}) == "999 bit/s 1.9 Mbit/s 18446744 Tbit/s");
    CHECK(written(Bytes{(1u << 20) - 1}) == "1023 KiB");
    CHECK(written(Bytes{(1u << 20) + (1u << 20) - 1}) == "1.9 MiB");
    CHECK(written(Span{59}, ' ', Span{90061}) == "00:00:59 1 d 01:01:01");
    CHECK(written(Mac{{0, 0x16, 0x3e, 0xaa, 0xb, 0xff}}) == "00:16:3e:aa:0b:ff");
}

TEST_GROUP(history)
{
    FakeSources fake;
    void sample(uint64_t seconds) { fake.history.sample(fake.figures, fake.box, seconds * 1'000'000'000); }
};

TEST(history, has_nothing_before_the_second_sample)
{
    sample(100);
    CHECK_EQUAL(0u, fake.history.size());
    CHECK_EQUAL(0u, fake.history.share(0));
    CHECK_EQUAL(0u, fake.history.busy(0));
    CHECK_EQUAL(0u, fake.history.rate(0).in);
}

TEST(history, says_what_counters_have_grown_by)
{
    sample(100);
    fake.figures.all_ports[0].in.bytes += 3000;
    fake.figures.all_ports[0].out.bytes += 6000;
    fake.figures.all_ports[1].in.bytes += 1500;
    fake.box.cpus[1].used_ns += 1'500'000'000;      // half of it
    fake.box.partitions[0].cpu_ns += 4'500'000'000; // on two CPUs
    sample(103);
    CHECK_EQUAL(1u, fake.history.size());
    CHECK_EQUAL(8000u, fake.history.rate(0).in);
    CHECK_EQUAL(16000u, fake.history.rate(0).out);
    CHECK_EQUAL(16000u, fake.history.latest().delivered);
    CHECK_EQUAL(4000u, fake.history.latest().uplink);
    CHECK_EQUAL(0u, fake.history.busy(0));
    CHECK_EQUAL(500u, fake.history.busy(1));
    CHECK_EQUAL(250, fake.history.latest().busy);
    CHECK_EQUAL(1500u, fake.history.share(0));
}

TEST(history, takes_a_counter_that_went_back_for_a_new_one)
{
    sample(100);
    fake.box.partitions[0].cpu_ns = 0;
    fake.figures.all_ports[0].in.bytes = 0;
    sample(103);
    CHECK_EQUAL(0u, fake.history.share(0));
    CHECK_EQUAL(0u, fake.history.rate(0).in);
}

TEST(history, keeps_the_last_samples)
{
    for (uint64_t i = 0; i <= History::length + 5; ++i) {
        fake.figures.all_ports[0].out.bytes += i * 375;
        sample(i * 3);
    }
    CHECK_EQUAL(History::length, fake.history.size());
    CHECK_EQUAL(6000u, fake.history.at(0).delivered);
    CHECK_EQUAL((History::length + 5) * 1000, fake.history.latest().delivered);
}

TEST(history, leaves_out_what_it_has_no_room_for)
{
    while (fake.figures.all_ports.size() < History::most_ports + 3)
        fake.figures.add(fake.figures.all_ports[0]);
    fake.box.partitions.resize(History::most_partitions + 3);
    fake.box.cpus.resize(History::most_cpus + 3);
    sample(1);
    sample(4);
    CHECK_EQUAL(0u, fake.history.rate(History::most_ports).in);
    CHECK_EQUAL(0u, fake.history.share(History::most_partitions));
    CHECK_EQUAL(0u, fake.history.busy(History::most_cpus));
}

TEST_GROUP(page)
{
    FakeSources fake;
    // Every element that is opened is closed, in order.
    static void check_nesting(const std::string& html)
    {
        static const std::set<std::string> alone{"meta", "link", "!DOCTYPE"};
        std::vector<std::string> open;
        const std::regex tag("<(/?)([!a-zA-Z0-9]+)((?:\"[^\"]*\"|[^\">])*)>");
        for (std::sregex_iterator i(html.begin(), html.end(), tag), end; i != end; ++i) {
            const std::string name = (*i)[2];
            if (alone.contains(name) || (*i)[3].str().ends_with("/"))
                continue;
            if ((*i)[1] == "") {
                open.push_back(name);
                continue;
            }
            CHECK(!open.empty());
            STRCMP_EQUAL(open.back().c_str(), name.c_str());
            open.pop_back();
        }
        CHECK(open.empty());
    }
};

TEST(page, shows_partitions_ports_and_addresses)
{
    fake.figures.counters[0][1] = 42;
    fake.history.sample(fake.figures, fake.box, 1);
    fake.figures.all_ports[0].in.bytes += 375'000;
    for (uint64_t i = 1; i < 4; ++i)
        fake.history.sample(fake.figures, fake.box, 1 + i * 3'000'000'000);
    const std::string html = fake.document(render_page);
    check_nesting(html);
    for (const auto* part : {"edge demo", "v1.2", "01:02:03", "gateway", "running", "control", "crashed", "256 MiB", "gateway/0",
                             "00:16:3e:01:02:03", "e1000e 00:03.0 8086:10d3", "1000 Mbit/s", "shorter than &lt;60&gt; bytes:&nbsp;42",
                             "02:00:00:00:00:09", "12&nbsp;s", "fixed", "<svg", "1 of 2"})
        CHECK_TEXT(has(html, part), part);
    CHECK_FALSE(has(html, "source address is not"));    // its counter is zero
    CHECK_FALSE(fake.overflowed);
}

TEST(page, has_no_script_and_nothing_from_elsewhere)
{
    const std::string html = fake.document(render_page);
    CHECK_FALSE(has(html, "<script"));
    CHECK_FALSE(has(html, "://"));
    CHECK_FALSE(has(html, " on"s + "load"));
    CHECK(has(html, "http-equiv=\"refresh\""));
    CHECK(has(html, "name=\"viewport\""));
}

TEST(page, writes_no_text_from_elsewhere_as_html)
{
    constexpr std::string_view evil = "<b>\"'&";
    fake.figures.names[0].text = evil;
    fake.figures.counters[0][0] = 1;
    for (PortFigures& port : fake.figures.all_ports)
        port.name = port.network = port.state = port.driver = port.device = evil;
    fake.figures.all_networks[0].name = evil;
    fake.figures.entries[0].network = fake.figures.entries[0].port = evil;
    fake.box.figures.version = fake.box.figures.model = evil;
    fake.box.partitions[0].name = evil;
    fake.box.partitions[0].type = "<\"'&";
    const std::string html = fake.document(render_page);
    CHECK_FALSE(has(html, std::string(evil)));
    CHECK_FALSE(has(html, "<\"'&"));
    check_nesting(html);
}

TEST(page, has_its_limits_with_everything_at_its_longest)
{
    static const std::string long_name(63, '"');
    fake.figures.names.assign(60, {"a_counter", std::string_view(long_name)});
    fake.figures.all_ports.clear();
    fake.figures.counters.clear();
    fake.figures.all_networks.assign(4, {long_name, UINT16_MAX, UINT32_MAX, UINT32_MAX});
    for (unsigned i = 0; i < 90; ++i) {
        fake.figures.add({.kind = i % 30 == 0 ? PortKind::uplink : PortKind::vif, .name = long_name, .network = long_name,
                          .state = long_name, .up = true, .in = {UINT64_MAX, UINT64_MAX}, .out = {UINT64_MAX, UINT64_MAX},
                          .queues = UINT16_MAX, .vlan = 4095, .isolated = true, .rate_bytes_per_second = UINT64_MAX,
                          .driver = long_name, .device = long_name, .link_mbits = UINT32_MAX});
        fake.figures.counters.back().assign(60, UINT64_MAX);
    }
    fake.figures.entries.assign(1000, {.network = long_name, .port = long_name, .vlan = 4095, .age_s = UINT32_MAX});
    fake.box.partitions.assign(64, {std::string_view(long_name), std::string_view(long_name), UINT32_MAX, BULKHEAD_CLIENT_shut_down,
                                    UINT32_MAX, UINT64_MAX, UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX});
    for (uint64_t i = 0; i < 110; ++i) {
        for (PortFigures& port : fake.figures.all_ports)
            port.in.bytes = port.out.bytes = i % 2 == 0 ? 0 : UINT64_MAX / 16000;
        fake.history.sample(fake.figures, fake.box, i * 3'000'000'000);
    }
    check_nesting(fake.document(render_page));
    CHECK_FALSE(fake.document(render_metrics).empty());
    for (const Command& command : commands)
        if (command.render != nullptr)
            CHECK_FALSE(fake.document(command.render).empty());
    CHECK_FALSE(fake.overflowed);
}

TEST(page, of_a_switch_without_ports_is_whole)
{
    fake.figures.all_ports.clear();
    fake.figures.all_networks.clear();
    fake.figures.entries.clear();
    fake.box.partitions.clear();
    fake.box.cpus.clear();
    const std::string html = fake.document(render_page);
    check_nesting(html);
    CHECK(html.ends_with("</html>\n"));
}

TEST(page, rounds_the_scale_of_a_plot_up)
{
    CHECK_EQUAL(1000u, round_up(0));
    CHECK_EQUAL(1000u, round_up(1000));
    CHECK_EQUAL(2000u, round_up(1001));
    CHECK_EQUAL(5000u, round_up(2001));
    CHECK_EQUAL(10000u, round_up(5001));
    CHECK(round_up(UINT64_MAX / 16) >= UINT64_MAX / 16);
}

TEST_GROUP(metrics)
{
    FakeSources fake;
    struct Parsed {
        std::map<std::string, std::string> types;
        std::map<std::string, std::string> samples;     // name and labels
    };
    // Reads them as the format's description says, and fails on anything else.
    static Parsed parse(const std::string& text)
    {
        Parsed parsed;
        const std::regex help("# HELP ([a-z0-9_]+) ([^\\n]*)");
        const std::regex type("# TYPE ([a-z0-9_]+) (counter|gauge)");
        const std::regex sample("([a-z0-9_]+)(\\{[a-z]+=\"(?:[^\"\\\\\\n]|\\\\[\\\\\"n])*\"(?:,[a-z]+=\"(?:[^\"\\\\\\n]|\\\\[\\\\\"n])*\")*\\})? "
                                "([0-9]+(?:\\.[0-9]+)?)");
        CHECK(text.ends_with('\n'));
        std::string family;
        std::set<std::string> helped;
        for (size_t at = 0; at < text.size();) {
            const size_t end = text.find('\n', at);
            const std::string line = text.substr(at, end - at);
            at = end + 1;
            std::smatch match;
            if (std::regex_match(line, match, help)) {
                CHECK(helped.insert(match[1]).second);
                family = match[1];
            } else if (std::regex_match(line, match, type)) {
                CHECK(match[1] == family);
                CHECK(parsed.types.emplace(match[1], match[2]).second);
            } else {
                CHECK_TEXT(std::regex_match(line, match, sample), line.c_str());
                CHECK(match[1] == family && parsed.types.contains(family));
                CHECK_TEXT(parsed.samples.emplace(match[1].str() + match[2].str(), match[3]).second, line.c_str());
            }
        }
        for (const auto& [name, kind] : parsed.types)
            CHECK_EQUAL(kind == "counter", name.ends_with("_total"));
        return parsed;
    }
};

TEST(metrics, are_in_prometheus_format)
{
    fake.figures.counters[0][1] = 42;
    fake.counters.answered[4] = 3;
    const Parsed parsed = parse(fake.document(render_metrics));
    const auto value = [&](const std::string& sample) {
        const auto found = parsed.samples.find(sample);
        return found == parsed.samples.end() ? "absent"s : found->second;
    };
    STRCMP_EQUAL("1", value("bulkhead_info{version=\"v1.2\",model=\"edge demo\"}").c_str());
    STRCMP_EQUAL("3723.500000000", value("bulkhead_uptime_seconds").c_str());
    STRCMP_EQUAL("2.000000000", value("bulkhead_cpu_used_seconds_total{cpu=\"1\"}").c_str());
    STRCMP_EQUAL("1", value("bulkhead_partition_state{partition=\"control\",state=\"crashed\"}").c_str());
    STRCMP_EQUAL("0", value("bulkhead_partition_state{partition=\"control\",state=\"running\"}").c_str());
    STRCMP_EQUAL("13.525000000", value("bulkhead_partition_cpu_seconds_total{partition=\"gateway\"}").c_str());
    STRCMP_EQUAL("2", value("bulkhead_partition_crashes_total{partition=\"control\"}").c_str());
    STRCMP_EQUAL("1000", value("bulkhead_port_received_bytes_total{network=\"lan0\",port=\"gateway/0\"}").c_str());
    STRCMP_EQUAL("42", value("bulkhead_port_dropped_total{network=\"lan0\",port=\"gateway/0\",reason=\"runt\"}").c_str());
    STRCMP_EQUAL("0", value("bulkhead_port_dropped_total{network=\"lan0\",port=\"host\",reason=\"spoofed_source\"}").c_str());
    STRCMP_EQUAL("1000000000",
                 value("bulkhead_uplink_speed_bits_per_second{network=\"lan0\",port=\"uplink\",driver=\"e1000e\"}").c_str());
    STRCMP_EQUAL("3", value("bulkhead_http_answers_total{status=\"4xx\"}").c_str());
    CHECK_FALSE(fake.overflowed);
}

TEST(metrics, escape_what_stands_in_labels)
{
    fake.box.figures.model = "a\\b\"c\nd";
    fake.figures.names.assign(40, {"a_reason", ""});
    for (unsigned i = 0; i < 40; ++i)
        fake.figures.names[i].name = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"sv.substr(0, i + 1);
    for (auto& counters : fake.figures.counters)
        counters.assign(40, 1);
    const Parsed parsed = parse(fake.document(render_metrics));
    CHECK(parsed.samples.contains("bulkhead_info{version=\"v1.2\",model=\"a\\\\b\\\"c\\nd\"}"));
    CHECK_EQUAL(120, std::count_if(parsed.samples.begin(), parsed.samples.end(),
                                   [](const auto& sample) { return sample.first.starts_with("bulkhead_port_dropped"); }));
}

TEST_GROUP(commands)
{
    FakeSources fake;
    std::string answer(std::string_view line)
    {
        const Answer answer = understand(fake.sources, line);
        return answer.render == nullptr ? std::string(answer.text) : fake.document(answer.render, answer.cursor);
    }
};

TEST(commands, show_the_same_figures)
{
    fake.figures.counters[0][1] = 42;
    CHECK(has(answer("help"), "part NAME"));
    CHECK(has(answer("version"), "Bulkhead v1.2\nplan: edge demo\nup for 01:02:03\n"));
    CHECK(has(answer("parts"), " 2  control           crashed            1  131072 KiB      3        2"));
    CHECK(has(answer("part gateway"), "gateway, domain 1, type pv"));
    CHECK(has(answer("part gateway"), "card gateway/0"));
    CHECK_FALSE(has(answer("part control"), "card"));
    CHECK(has(answer("cpus"), "gateway"));
    CHECK(has(answer("cpus"), "idle\n"));
    CHECK(has(answer("vifs"), "42  shorter than <60> bytes"));
    CHECK_FALSE(has(answer("vifs"), "not the card's"));
    CHECK(has(answer("fdb"), "02:00:00:00:00:09     7       12  lan0 uplink"));
    CHECK(has(answer("fdb"), "fixed"));
    CHECK(answer("log") == "[    1.234567] core line one\n[    1.234567] core line two\n");
    CHECK(answer("  log \t control ") == "[    1.234567] log of 1\n");
}

TEST(commands, clean_what_a_partition_has_written)
{
    fake.box.core_text = "a\x1b[2Jb\nc\r\n\xffz";
    CHECK(answer("log") == "[    1.234567] a?[2Jb\n[    1.234567] c\n[    1.234567] ?z");
}

TEST(commands, of_an_empty_table_have_its_head)
{
    fake.figures.entries.clear();
    CHECK(answer("fdb") == "address            VLAN    age/s  network and port\n");
}

TEST(commands, are_refused_in_a_sentence)
{
    CHECK(answer("part") == "which partition?\n");
    CHECK(answer("part nobody") == "no such partition; parts lists them\n");
    CHECK(answer("part gateway restart") == "too many words\n");
    CHECK(answer("parts x") == "too many words\n");
    CHECK(answer("reboot") == "no such command; help lists them\n");
    CHECK(answer("PARTS") == "no such command; help lists them\n");
    CHECK(answer("   ").empty());
    CHECK(understand(fake.sources, "quit").ends);
}

}  // namespace
