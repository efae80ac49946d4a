// SPDX-License-Identifier: BSD-2-Clause
// Guests' rings, hostile ones included, over restarts; when CPU 0 works and sleeps; the last words of a panic.
#include "console_fixture.hpp"

#include <thread>

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
