// SPDX-License-Identifier: BSD-2-Clause
// The console as a whole, from guests' rings and log() to the UART: what is shown in which view,
// what floods and hostile partitions can do, when CPU 0 works and sleeps.
#include "core/console/console.hpp"

#include "fake_box.hpp"

#include "core/console/console.cpp"
#include "core/console/keys.cpp"
#include "core/console/multiplexer.cpp"
#include "core/console/sanitizer.cpp"
#include "core/console/text_log.cpp"
#include "core/console/text_out.cpp"
#include "core/log.cpp"
#include "core/partition_console.cpp"
#include "core/trace.cpp"

#include <algorithm>
#include <regex>
#include <thread>

#include <CppUTest/TestHarness.h>

// A monitor that shows a prompt, echoes keys and has some output of its own.
namespace bulkhead {

namespace {
std::string monitor_text;
bool monitor_is_open;
}

void monitor_open(TextOut& out)
{
    monitor_is_open = true;
    out.put("> ");
}
void monitor_key(uint8_t byte, TextOut& out)
{
    const char text = static_cast<char>(byte);
    out.put({&text, 1});
}
bool monitor_waits() { return false; }
bool monitor_fill(TextOut& out)
{
    if (monitor_text.empty())
        return false;
    out.put(monitor_text.substr(0, 100));
    monitor_text.erase(0, 100);
    return true;
}
void monitor_redraw(TextOut& out) { out.put("> "); }
void monitor_close() { monitor_is_open = false; }

}  // namespace bulkhead

using namespace bulkhead;

namespace {

// Without colours, as a person sees it.
std::string plain(std::string text)
{
    return std::regex_replace(text, std::regex("\x1b\\[[0-9;]*m"), "");
}

std::string take_sent() { return std::exchange(fake::uart_sent, {}); }

constexpr std::string_view escape = "\x1d";

}  // namespace

TEST_GROUP(Console)
{
    void setup() override
    {
        fake::reset_box();
        fake::make_partitions(2, {"gateway", "log"});
        std::construct_at(&core);
        terminal = {};
        mode = Mode::polled;
        polling = false;
        asleep = false;
        partition_sources = {};
        monitor_text.clear();
        monitor_is_open = false;
        plan::Header header{};
        header.escape = 0x1d;
        init_console(header);
    }
    void teardown() override
    {
        fake::free_box();
        std::string().swap(monitor_text);
    }
    void start(size_t partitions = 2)
    {
        fake::make_partitions(partitions, {"gateway", "log"});
        init_partition_consoles();
        for (size_t i = 0; i < partitions; ++i) {
            fake::ring_frame[i] = fake::new_frame();
            connect_console(fake::partitions[i], fake::ring_frame[i]);
        }
        start_console_interrupts();
        run();
        take_sent();
    }
    // CPU 0 does its work whenever it is asked to, until it sleeps or `turns` are over.
    void run(int turns = 100'000)
    {
        for (int i = 0; i < turns; ++i) {
            if (fake::cpus[0].work.exchange(0) == 0) {
                if (fake::uart_wants_transmit && fake::uart_room != 0)
                    fake::tsc += 1000;
                else if (next_console_deadline() == never)
                    return;
                else
                    fake::tsc = std::max(fake::tsc, next_console_deadline().raw());
            }
            console_work();
        }
    }
    void type(std::string_view text)
    {
        fake::uart_typed += text;
        while (!fake::uart_typed.empty())
            console_work();
        run();
    }
    std::string typed(std::string_view text)
    {
        take_sent();
        type(text);
        return plain(take_sent());
    }
    std::string seen()
    {
        run();
        return plain(take_sent());
    }
};

TEST(Console, prints_log_lines_by_polling_during_start_up)
{
    bulkhead::log("hello %d", 42);
    STRCMP_EQUAL("core | hello 42\r\n", plain(take_sent()).c_str());
}

TEST(Console, gives_up_on_a_dead_uart_during_start_up)
{
    fake::uart_room = 0;
    bulkhead::log("x");
    STRCMP_EQUAL("", take_sent().c_str());
}

TEST(Console, cuts_off_log_lines_at_240_bytes_and_ends_each_one)
{
    bulkhead::log("%s", std::string(300, 'x').c_str());
    STRCMP_EQUAL(("core | " + std::string(239, 'x') + "\r\n").c_str(), plain(take_sent()).c_str());
    bulkhead::log("with a newline\n");
    STRCMP_EQUAL("core | with a newline\r\n", plain(take_sent()).c_str());
    bulkhead::log("%s", "");
    STRCMP_EQUAL("core | \r\n", plain(take_sent()).c_str());
}

TEST(Console, shows_each_line_with_its_sources_name_in_a_colour_of_its_own)
{
    start();
    fake::guest_write(0, "one\n");
    fake::guest_write(1, "two\n");
    bulkhead::log("three");
    run();
    STRCMP_EQUAL("\x1b[36mgateway\x1b[0m | one\r\n\x1b[32mlog    \x1b[0m | two\r\n\x1b[1mcore   \x1b[0m | three\r\n",
                 take_sent().c_str());
}

TEST(Console, gives_many_partitions_different_colours)
{
    start(12);
    std::vector<std::string> colours;
    for (size_t i = 0; i < 12; ++i) {
        fake::guest_write(i, "x\n");
        run();
        const std::string sent = take_sent();
        const std::string colour = sent.substr(0, sent.find('m'));
        CHECK(std::ranges::find(colours, colour) == colours.end());
        colours.push_back(colour);
    }
}

TEST(Console, removes_what_could_imitate_another_source)
{
    start();
    fake::guest_write(0, "x\x1b[1A\x1b[2K\rcore    | all is well\x1b[0m\n");
    STRCMP_EQUAL("gateway | core    | all is well\r\n", seen().c_str());
    fake::guest_write(0, "a\rb\r\n");
    STRCMP_EQUAL("gateway | b\r\n", seen().c_str());
    fake::guest_write(0, "\x1b]0;swallow\nnext\n");
    STRCMP_EQUAL("gateway | \r\ngateway | next\r\n", seen().c_str());
}

TEST(Console, shows_a_line_without_end_after_a_while)
{
    start();
    fake::guest_write(0, "login: ");
    fake::cpus[0].work = 0;
    console_work();
    STRCMP_EQUAL("", take_sent().c_str());
    STRCMP_EQUAL("gateway | login: ", seen().c_str());
    fake::guest_write(0, "root\n");
    STRCMP_EQUAL("root\r\n", seen().c_str());
}

TEST(Console, marks_the_rest_of_a_line_that_another_source_broke)
{
    start();
    fake::guest_write(0, "login: ");
    run();
    fake::guest_write(1, "hm\n");
    run();
    fake::guest_write(0, "root\n");
    STRCMP_EQUAL("gateway | login: \r\nlog     | hm\r\ngateway + root\r\n", seen().c_str());
}

TEST(Console, says_nothing_when_only_the_end_of_a_broken_line_comes)
{
    start();
    fake::guest_write(0, "login: ");
    run();
    fake::guest_write(1, "hm\n");
    run();
    take_sent();
    fake::guest_write(0, "\r\nnext\n");
    STRCMP_EQUAL("gateway | next\r\n", seen().c_str());
}

TEST(Console, gives_every_source_its_turn_line_by_line)
{
    start();
    for (int i = 0; i < 3; ++i)
        fake::guest_write(0, "a\n");
    for (int i = 0; i < 3; ++i)
        fake::guest_write(1, "b\n");
    STRCMP_EQUAL("gateway | a\r\nlog     | b\r\ngateway | a\r\nlog     | b\r\ngateway | a\r\nlog     | b\r\n",
                 seen().c_str());
}

TEST(Console, breaks_an_endless_line_so_that_others_have_their_turn)
{
    start();
    fake::guest_write_all(0, std::string(3000, 'x'));
    fake::guest_write(1, "b\n");
    const std::string text = seen();
    const size_t other = text.find("\r\nlog     | b\r\ngateway + x");
    CHECK(other != std::string::npos);
    CHECK(other <= 5 * 240 + 10);
    LONGS_EQUAL(3000, std::ranges::count(text, 'x'));
}

TEST(Console, says_how_many_lines_it_skipped_and_the_log_keeps_them)
{
    start();
    fake::uart_room = 0;
    for (int i = 0; i < 1000; ++i)
        fake::guest_write_all(0, "line number " + std::to_string(i) + "\r\n");
    run(50);
    fake::uart_room = fake::no_limit;
    const std::string text = seen();
    std::smatch match;
    CHECK(std::regex_search(text, match, std::regex("gateway \\| \\[(\\d+) lines not shown; in the monitor, `part gateway log` has them\\]\r\n")));
    const int skipped = std::stoi(match[1]);
    const auto shown = std::count(text.begin(), text.end(), '\n') - 1;
    LONGS_EQUAL(1000, skipped + shown);
    CHECK(text.ends_with("gateway | line number 999\r\n"));
    // What was left out can still be read.
    LogCursor cursor = oldest_line(console_source(1).log);
    std::array<char, 240> buffer;
    LogPiece piece;
    CHECK(next_piece(console_source(1).log, cursor, ~0ull, buffer, piece));
    CHECK(cursor.lines < 400);
}

TEST(Console, does_not_let_one_flood_delay_another_source)
{
    start();
    fake::uart_room = 0;
    for (int i = 0; i < 3000; ++i)
        fake::guest_write_all(0, "flood\r\n");
    fake::guest_write(1, "small\n");
    run(20);
    fake::uart_room = fake::no_limit;
    const std::string text = seen();
    CHECK(text.find("log     | small") < 400);
}

TEST(Console, attaches_to_a_partition_by_its_digit_and_says_how_to_get_away)
{
    start();
    fake::guest_write(0, "old line\nprompt# ");
    run();
    const std::string text = typed("\x1d" "1");
    STRCMP_EQUAL("\r\n-- attached to gateway; Ctrl-] 0 leaves, Ctrl-] ? lists all keys --\r\nold line\r\nprompt# ",
                 text.c_str());
}

TEST(Console, says_so_when_the_partition_does_not_run)
{
    start();
    fake::partitions[0].state = PartitionState::crashed;
    CHECK(typed("1").find("\r\n-- gateway does not run now: crashed --\r\n") != std::string::npos);
}

TEST(Console, attaches_from_the_overview_without_the_escape_key)
{
    start();
    CHECK(typed("2").find("attached to log") != std::string::npos);
    LONGS_EQUAL(2, terminal.multiplexer.attached());
}

TEST(Console, does_not_take_a_function_key_for_digits_in_the_overview)
{
    start();
    typed("\x1b[15~\x1b[1;2A");
    CHECK(terminal.multiplexer.view() == Multiplexer::View::overview);
}

TEST(Console, passes_the_attached_partitions_output_unchanged)
{
    start();
    typed("1");
    const std::string raw = "\x1b[2J\x1b[31mred\x1b[0m\r50%\r\n\n\x1b]0;t\a\xff\x9b\x00end";
    fake::guest_write(0, raw);
    run();
    STRCMP_EQUAL(raw.c_str(), take_sent().c_str());
}

TEST(Console, keeps_other_partitions_out_of_an_attached_view)
{
    start();
    typed("1");
    fake::guest_write(1, "noise\n");
    STRCMP_EQUAL("", seen().c_str());
}

TEST(Console, shows_the_cores_lines_while_attached_on_lines_of_their_own)
{
    start();
    typed("1");
    fake::guest_write(0, "prompt# ");
    run();
    take_sent();
    bulkhead::log("log has crashed");
    STRCMP_EQUAL("\r\ncore    | log has crashed\r\n", seen().c_str());
}

TEST(Console, does_not_break_a_control_sequence_for_a_line_of_the_core)
{
    start();
    typed("1");
    fake::uart_room = 10;
    fake::guest_write_all(0, std::string(253, 'x') + "\x1b[31mred");
    run(5);
    bulkhead::log("now");
    fake::uart_room = fake::no_limit;
    // The first chunk ends inside the sequence: the line comes after the next one.
    CHECK(seen().find("red\r\ncore    | now") != std::string::npos);
}

TEST(Console, shows_a_line_of_the_core_between_two_lines_of_the_attached_partition)
{
    start();
    typed("1");
    fake::uart_room = 10;
    fake::guest_write_all(0, std::string(250, 'x') + "first\r\nsecond\r\nthird\r\n");
    run(5);
    bulkhead::log("now");
    fake::uart_room = fake::no_limit;
    CHECK(seen().find("first\r\ncore    | now\r\nsecond\r\nthird\r\n") != std::string::npos);
}

TEST(Console, ends_a_control_sequence_that_is_never_finished_for_a_line_of_the_core)
{
    start();
    typed("1");
    fake::guest_write(0, "x\x1b]0;");
    run();
    take_sent();
    bulkhead::log("now");
    STRCMP_EQUAL("\x18\r\ncore    | now\r\n", seen().c_str());
}

TEST(Console, hides_the_cores_lines_while_attached_when_asked_to)
{
    start();
    typed("1");
    CHECK(typed("\x1dq").find("hidden") != std::string::npos);
    bulkhead::log("now");
    STRCMP_EQUAL("", seen().c_str());
    CHECK(typed("\x1dq").find("shown") != std::string::npos);
}

TEST(Console, gives_keys_to_the_attached_partition_only)
{
    start();
    typed("1");
    type("ls\r");
    STRCMP_EQUAL("ls\r", fake::guest_read(0).c_str());
    STRCMP_EQUAL("", fake::guest_read(1).c_str());
    CHECK(std::ranges::count(fake::notified, 1) > 0);
    LONGS_EQUAL(0, std::ranges::count(fake::notified, 2));
}

TEST(Console, sends_the_escape_key_when_it_is_doubled)
{
    start();
    typed("1");
    type("a\x1d\x1d" "b");
    STRCMP_EQUAL("a\x1d" "b", fake::guest_read(0).c_str());
}

TEST(Console, takes_another_escape_key_from_the_plan)
{
    plan::Header header{};
    header.escape = 0x01;
    init_console(header);
    start();
    CHECK(typed("1").find("Ctrl-A 0 leaves") != std::string::npos);
    type("\x1d");
    STRCMP_EQUAL("\x1d", fake::guest_read(0).c_str());
    CHECK(typed("\x01" "0").find("-- overview") != std::string::npos);
}

TEST(Console, says_what_the_keys_are)
{
    start();
    const std::string text = typed("\x1d?");
    CHECK(text.find("1   attach to gateway\r\n") != std::string::npos);
    CHECK(text.find("2   attach to log\r\n") != std::string::npos);
    CHECK(text.find("m   monitor") != std::string::npos);
    CHECK(text.find("Ctrl-]  sends Ctrl-] to the partition") != std::string::npos);
}

TEST(Console, says_so_when_a_key_or_partition_does_not_exist)
{
    start();
    CHECK(typed("\x1d" "9").find("there is no partition 9; they are 1 to 2") != std::string::npos);
    CHECK(typed("\x1dz").find("1 to 2 attaches") != std::string::npos);
    CHECK(typed("\r").find("1 to 2 attaches") != std::string::npos);
    typed("1");
    CHECK(typed("\x1dz").find("no such key after Ctrl-]") != std::string::npos);
    STRCMP_EQUAL("", fake::guest_read(0).c_str());
}

TEST(Console, says_so_when_there_is_no_partition_at_all)
{
    start(0);
    CHECK(typed("1").find("there is no partition --") != std::string::npos);
}

TEST(Console, resets_the_terminal_when_it_leaves_a_partition)
{
    start();
    typed("1");
    take_sent();
    type("\x1d" "0");
    const std::string text = take_sent();
    CHECK(text.starts_with("\x18\x1b\\\x1b[0m"));
    CHECK(text.find("\x1b[?1049l") != std::string::npos);
    CHECK(text.find("-- overview") != std::string::npos);
}

TEST(Console, tells_in_the_overview_how_much_came_meanwhile)
{
    start();
    typed("1");
    for (int i = 0; i < 50; ++i)
        fake::guest_write(1, "line " + std::to_string(i) + "\r\n");
    run();
    const std::string text = typed("\x1d" "0");
    CHECK(text.find("log     | [44 lines not shown; in the monitor, `part log log` has them]\r\nlog     | line 44\r\n") != std::string::npos);
    CHECK(text.ends_with("log     | line 49\r\n"));
}

TEST(Console, skips_in_an_attached_view_too_and_says_so)
{
    start();
    typed("1");
    fake::uart_room = 0;
    for (int i = 0; i < 2000; ++i)
        fake::guest_write_all(0, "line " + std::to_string(i) + "\r\n");
    run(20);
    fake::uart_room = fake::no_limit;
    const std::string text = seen();
    CHECK(std::regex_search(text, std::regex("gateway \\| \\[\\d+ lines not shown; in the monitor, `part gateway log` has them\\]\r\n")));
    CHECK(text.ends_with("line 1999\r\n"));
}

TEST(Console, opens_the_monitor_and_gives_it_the_keys)
{
    start();
    STRCMP_EQUAL("> ", typed("m").c_str());
    CHECK(monitor_is_open);
    STRCMP_EQUAL("help", typed("help").c_str());
    typed("\x1d" "1");
    CHECK_FALSE(monitor_is_open);
}

TEST(Console, shows_the_monitors_output_in_slices)
{
    start();
    typed("m");
    monitor_text = std::string(250, 'x') + "\n";
    fake::cpus[0].work = work_console;
    STRCMP_EQUAL((std::string(250, 'x') + "\r\n").c_str(), seen().c_str());
}

TEST(Console, shows_the_prompt_again_below_a_line_of_the_core)
{
    start();
    typed("m");
    bulkhead::log("something");
    STRCMP_EQUAL("\r\x1b[Kcore    | something\r\n> ", seen().c_str());
}

TEST(Console, keeps_input_for_a_guest_that_is_slow_and_beeps_when_there_is_too_much)
{
    start();
    typed("1");
    take_sent();
    type(std::string(1024 + 512, 'a'));
    LONGS_EQUAL(0, std::ranges::count(take_sent(), '\a'));
    type("b");
    LONGS_EQUAL(1, std::ranges::count(take_sent(), '\a'));
    std::string got = fake::guest_read(0);
    got += fake::guest_read(0);
    LONGS_EQUAL(1024 + 512, got.size());
    LONGS_EQUAL(0, std::ranges::count(got, 'b'));
}

TEST(Console, takes_the_whole_ring_at_once_and_notifies_a_guest_that_filled_it)
{
    start();
    LONGS_EQUAL(2048, fake::guest_write(0, std::string(3000, 'x')));
    LONGS_EQUAL(2048, fake::ring(0).out_cons);
    LONGS_EQUAL(1, fake::notified.size());
    fake::guest_write(0, "short\n");
    LONGS_EQUAL(1, fake::notified.size());
}

TEST(Console, leaves_a_flood_of_lines_for_later_turns)
{
    start();
    LONGS_EQUAL(2048, fake::guest_write(0, std::string(2048, '\n')));
    LONGS_EQUAL(256, fake::ring(0).out_cons);
    run();
    LONGS_EQUAL(2048, fake::ring(0).out_cons);
    LONGS_EQUAL(2048, console_source(1).log.lines());
}

TEST(Console, drops_text_behind_an_impossible_index)
{
    start();
    xencons_interface& ring = fake::ring(0);
    ring.out_prod = 5000;
    fake::handler(fake::partitions[0], Port(1));
    LONGS_EQUAL(1, fake::partitions[0].console.bad_indices);
    STRCMP_EQUAL("", seen().c_str());
    ring.out[5000 % 2048] = '!';
    ring.out[5001 % 2048] = '\n';
    ring.out_prod = 5002;
    fake::handler(fake::partitions[0], Port(1));
    STRCMP_EQUAL("gateway | !\r\n", seen().c_str());
}

TEST(Console, trusts_its_own_consumer_index_only)
{
    start();
    fake::guest_write(0, "one\n");
    fake::ring(0).out_cons = 0xffff'0000;
    fake::ring(0).out[4] = 'x';
    fake::ring(0).out[5] = '\n';
    fake::ring(0).out_prod = 6;
    fake::handler(fake::partitions[0], Port(1));
    STRCMP_EQUAL("gateway | one\r\ngateway | x\r\n", seen().c_str());
    LONGS_EQUAL(6, fake::ring(0).out_cons);
}

TEST(Console, gives_no_input_to_a_ring_with_an_impossible_index)
{
    start();
    typed("1");
    fake::ring(0).in_cons = 77;
    type("abc");
    LONGS_EQUAL(0, fake::ring(0).in_prod);
    CHECK(fake::partitions[0].console.bad_indices > 0);
    fake::ring(0).in_cons = 0;
    fake::handler(fake::partitions[0], Port(1));
    LONGS_EQUAL(3, fake::ring(0).in_prod);
}

TEST(Console, works_when_the_rings_indices_wrap_around)
{
    start();
    xencons_interface& ring = fake::ring(0);
    fake::partitions[0].console.out_cons = ring.out_cons = ring.out_prod = 0xffff'fff0;
    fake::partitions[0].console.in_prod = ring.in_cons = ring.in_prod = 0xffff'fffe;
    fake::guest_write(0, "abcdefghijklmnopqrstuvwxyz\n");
    STRCMP_EQUAL("gateway | abcdefghijklmnopqrstuvwxyz\r\n", seen().c_str());
    typed("1");
    type("wrapped");
    STRCMP_EQUAL("wrapped", fake::guest_read(0).c_str());
}

TEST(Console, holds_the_ring_page_writable_for_one_life)
{
    start();
    LONGS_EQUAL(2, fake::writable_held.size());
    disconnect_console(fake::partitions[0]);
    LONGS_EQUAL(1, fake::writable_held.size());
    disconnect_console(fake::partitions[0]);
    LONGS_EQUAL(1, fake::writable_held.size());
    service_console(fake::partitions[0]);
}

TEST(Console, keeps_the_log_over_a_restart_and_ends_the_last_line)
{
    start();
    fake::guest_write(0, "first life");
    disconnect_console(fake::partitions[0]);
    fake::ring_frame[0] = fake::new_frame();
    connect_console(fake::partitions[0], fake::ring_frame[0]);
    fake::guest_write(0, "second life\n");
    STRCMP_EQUAL("gateway | first life\r\ngateway | second life\r\n", seen().c_str());
}

TEST(Console, takes_what_is_left_in_the_ring_when_a_life_ends)
{
    start();
    memcpy(fake::ring(0).out, "panic\n", 6);
    fake::ring(0).out_prod = 6;
    disconnect_console(fake::partitions[0]);
    STRCMP_EQUAL("gateway | panic\r\n", seen().c_str());
}

TEST(Console, forgets_what_was_typed_for_a_former_life)
{
    start();
    typed("1");
    disconnect_console(fake::partitions[0]);
    type("rm -rf /\r");
    fake::ring_frame[0] = fake::new_frame();
    connect_console(fake::partitions[0], fake::ring_frame[0]);
    type("x");
    STRCMP_EQUAL("x", fake::guest_read(0).c_str());
}

TEST(Console, runs_a_partition_without_console_when_its_page_or_port_is_unusable)
{
    start();
    disconnect_console(fake::partitions[0]);
    fake::refuse_frame = true;
    connect_console(fake::partitions[0], fake::ring_frame[0]);
    CHECK(fake::partitions[0].console.ring == nullptr);
    CHECK(seen().find("runs without a console") != std::string::npos);
    fake::refuse_frame = false;
    fake::refuse_port = true;
    connect_console(fake::partitions[0], fake::ring_frame[0]);
    CHECK(seen().find("port 1 is not free") != std::string::npos);
}

TEST(Console, pokes_cpu_0_once_when_it_sleeps)
{
    start();
    fake::pokes.clear();
    fake::guest_write(0, "a\n");
    fake::guest_write(0, "b\n");
    LONGS_EQUAL(1, fake::pokes.size());
    LONGS_EQUAL(work_console, fake::cpus[0].work.load());
}

TEST(Console, rests_after_each_turn_so_that_partitions_of_cpu_0_run)
{
    start();
    fake::tsc_step = 500;   // each look at the clock
    uint64_t working = 0;
    const uint64_t begin = fake::tsc;
    for (int i = 0; i < 2000; ++i) {
        fake::guest_write_all(1, "a flood of lines on a UART that takes everything\n");
        if (fake::cpus[0].work.exchange(0) != 0 || next_console_deadline().raw() <= fake::tsc) {
            const uint64_t before = fake::tsc;
            console_work();
            working += fake::tsc - before;
        }
        fake::tsc += 1000;
    }
    CHECK(working * 4 < fake::tsc - begin);
}

TEST(Console, is_not_kept_busy_by_a_partition_that_wakes_it_for_nothing)
{
    start();
    fake::pokes.clear();
    for (int i = 0; i < 1000; ++i) {
        fake::guest_write(0, "x");
        fake::tsc += 100;
        if (fake::cpus[0].work.exchange(0) != 0 || next_console_deadline().raw() <= fake::tsc)
            console_work();
    }
    CHECK(fake::pokes.size() < 30);
}

TEST(Console, is_not_woken_by_an_event_without_text)
{
    start();
    fake::pokes.clear();
    fake::handler(fake::partitions[0], Port(1));
    LONGS_EQUAL(0, fake::pokes.size());
}

TEST(Console, asks_for_the_transmitter_interrupt_only_while_the_uart_is_full)
{
    start();
    fake::uart_room = 16;
    fake::guest_write(0, "a line that is longer than the FIFO\n");
    fake::cpus[0].work = 0;
    console_work();
    CHECK(fake::uart_wants_transmit);
    fake::uart_room = fake::no_limit;
    run();
    CHECK_FALSE(fake::uart_wants_transmit);
    STRCMP_EQUAL("gateway | a line that is longer than the FIFO\r\n", plain(take_sent()).c_str());
}

TEST(Console, rests_although_a_line_without_end_has_become_due)
{
    start();
    fake::guest_write(0, "prompt# ");
    fake::cpus[0].work = 0;
    console_work();
    fake::tsc = terminal.multiplexer.deadline().raw();
    fake::guest_write(1, "line\n");
    console_work();
    CHECK(next_console_deadline().raw() > fake::tsc);
}

TEST(Console, sleeps_with_no_deadline_when_nothing_happens)
{
    start();
    CHECK(next_console_deadline() == never);
    fake::guest_write(0, "x\n");
    run();
    CHECK(next_console_deadline() == never);
}

TEST(Console, writes_a_panic_by_polling_with_the_end_of_the_log)
{
    start();
    for (int i = 0; i < 50; ++i)
        bulkhead::log("event %d", i);
    run();
    take_sent();
    core.lock.lock();   // its holder will never give it back
    begin_panic_output();
    panic_write("the sentence\n");
    bulkhead::log("from the panic's code");
    panic_write_log_end(3);
    STRCMP_EQUAL("\x18\r\nthe sentence\r\nfrom the panic's code\r\nevent 47\r\nevent 48\r\nevent 49\r\n", plain(take_sent()).c_str());
}

TEST(Console, takes_lines_from_several_cpus_at_once)
{
    start();
    fake::one_thread = false;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < 3; ++t) {
            threads.emplace_back([t] {
                for (int i = 0; i < 100; ++i)
                    bulkhead::log("thread %d line %d", t, i);
            });
        }
    }
    fake::one_thread = true;
    LONGS_EQUAL(300, core.log.lines());
    const std::string text = seen();
    const std::regex line("core    \\| thread \\d line \\d+\r\n");
    LONGS_EQUAL(300, std::distance(std::sregex_iterator(text.begin(), text.end(), line), std::sregex_iterator()));
}
