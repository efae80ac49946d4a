// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_console_io: bounded, for every partition, into its own log.
#include "core/hypercall.hpp"

#include "fake_box.hpp"

#include "core/console/console.cpp"
#include "core/console/console_io.cpp"
#include "core/console/keys.cpp"
#include "core/console/multiplexer.cpp"
#include "core/console/sanitizer.cpp"
#include "core/console/text_log.cpp"
#include "core/console/text_out.cpp"
#include "core/log.cpp"
#include "core/partition_console.cpp"
#include "core/trace.cpp"

#include <CppUTest/TestHarness.h>

namespace bulkhead {

void monitor_open(TextOut&) {}
void monitor_key(uint8_t, TextOut&) {}
bool monitor_waits() { return false; }
bool monitor_fill(TextOut&) { return false; }
void monitor_redraw(TextOut&) {}
void monitor_close() {}

}  // namespace bulkhead

using namespace bulkhead;

TEST_GROUP(ConsoleIo)
{
    std::array<char, 4096> guest{};
    static constexpr uint64_t at = 0xffff'8800'0000'0000;

    void setup() override
    {
        fake::reset_box();
        fake::make_partitions(1, {"guest"});
        std::construct_at(&core);
        terminal = {};
        mode = Mode::polled;
        init_partition_consoles();
        fake::map_guest(GuestVirtual(at), guest.data(), guest.size());
        fake::ring_frame[0] = fake::new_frame();
        connect_console(fake::partitions[0], fake::ring_frame[0]);
    }
    void teardown() override { fake::free_box(); }

    long call(uint64_t command, uint64_t count, uint64_t address, int* calls = nullptr)
    {
        HypercallArguments arguments{{command, count, address, 0, 0, 0}};
        long result = hypercall_continue;
        for (int i = 0; result == hypercall_continue && i < 100; ++i) {
            result = do_console_io(fake::vcpus[0], arguments);
            if (calls != nullptr)
                ++*calls;
        }
        return result;
    }
    std::string raw_log()
    {
        LogCursor cursor;
        std::array<char, 8192> buffer;
        return {buffer.data(), next_raw(console_source(1).log, cursor, buffer)};
    }
    void put(std::string_view text) { memcpy(guest.data(), text.data(), text.size()); }
};

TEST(ConsoleIo, writes_into_the_partitions_log_with_the_carriage_returns_that_a_terminal_needs)
{
    put("one\ntwo\r\n\nthree");
    LONGS_EQUAL(0, call(CONSOLEIO_write, 15, at));
    STRCMP_EQUAL("one\r\ntwo\r\n\r\nthree", raw_log().c_str());
}

TEST(ConsoleIo, writes_long_texts_in_several_calls)
{
    guest.fill('x');
    int calls = 0;
    LONGS_EQUAL(0, call(CONSOLEIO_write, 4096, at, &calls));
    LONGS_EQUAL(8, calls);
    LONGS_EQUAL(4096, raw_log().size());
}

TEST(ConsoleIo, writes_nothing_for_a_count_of_zero)
{
    LONGS_EQUAL(0, call(CONSOLEIO_write, 0, 0));
    STRCMP_EQUAL("", raw_log().c_str());
}

TEST(ConsoleIo, takes_the_count_for_32_bits_as_the_abi_does)
{
    put("ab");
    LONGS_EQUAL(0, call(CONSOLEIO_write, 0x1'0000'0002, at));
    STRCMP_EQUAL("ab", raw_log().c_str());
}

TEST(ConsoleIo, refuses_memory_that_cannot_be_read_or_written)
{
    LONGS_EQUAL(-XEN_EFAULT, call(CONSOLEIO_write, 4, 0x1000));
    LONGS_EQUAL(-XEN_EFAULT, call(CONSOLEIO_write, 5000, at));
    {
        LockGuard guard(console_source(1).lock);
        CHECK(console_source(1).input.put('x'));
    }
    LONGS_EQUAL(-XEN_EFAULT, call(CONSOLEIO_read, 4, 0x1000));
}

TEST(ConsoleIo, refuses_other_commands)
{
    LONGS_EQUAL(-XEN_ENOSYS, call(2, 0, 0));
    LONGS_EQUAL(-XEN_ENOSYS, call(~uint64_t{0}, 0, 0));
}

TEST(ConsoleIo, reads_what_was_typed_from_the_first_read_on)
{
    LONGS_EQUAL(-XEN_E2BIG, call(CONSOLEIO_read, 0x8000'0000, at));
    LONGS_EQUAL(0, call(CONSOLEIO_read, 10, at));
    terminal.multiplexer.attach(1, terminal.out);
    for (const char key : std::string_view("hello"))
        terminal.multiplexer.key(static_cast<uint8_t>(key), terminal.out);
    service_console(*terminal.multiplexer.take_input_receiver());
    LONGS_EQUAL(0, fake::ring(0).in_prod);
    LONGS_EQUAL(1, fake::virqs.size());
    LONGS_EQUAL(2, call(CONSOLEIO_read, 2, at));
    LONGS_EQUAL(3, call(CONSOLEIO_read, 100, at + 2));
    MEMCMP_EQUAL("hello", guest.data(), 5);
    LONGS_EQUAL(0, call(CONSOLEIO_read, 100, at));
}

TEST(ConsoleIo, gives_input_to_the_ring_again_in_the_next_life)
{
    LONGS_EQUAL(0, call(CONSOLEIO_read, 10, at));
    disconnect_console(fake::partitions[0]);
    connect_console(fake::partitions[0], fake::ring_frame[0]);
    terminal.multiplexer.attach(1, terminal.out);
    terminal.multiplexer.key('x', terminal.out);
    service_console(*terminal.multiplexer.take_input_receiver());
    LONGS_EQUAL(1, fake::ring(0).in_prod);
}
