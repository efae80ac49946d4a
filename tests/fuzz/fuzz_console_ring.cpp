// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: a partition that writes anything into its console page at any time, beside a
// user at the terminal. Whatever it does, the core reads and writes inside the page only, what is
// shown of it in the overview is harmless, and the console comes to rest.
//
// Input: operations of one byte and their data; see run().
#include "core/console/console.hpp"

#include "tests/unit/console/fake_box.hpp"

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

namespace bulkhead {

void monitor_open(TextOut&) {}
void monitor_key(uint8_t, TextOut&) {}
bool monitor_fill(TextOut&) { return false; }
bool monitor_waits() { return false; }
void monitor_redraw(TextOut&) {}
void monitor_close() {}

}  // namespace bulkhead

namespace {

using namespace bulkhead;

void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

struct Input {
    const uint8_t* data;
    size_t size;

    uint8_t byte()
    {
        if (size == 0)
            return 0;
        --size;
        return *data++;
    }
    uint32_t word()
    {
        uint32_t value = byte();
        value |= uint32_t{byte()} << 8;
        value |= uint32_t{byte()} << 16;
        return value | uint32_t{byte()} << 24;
    }
    std::string_view text(size_t length)
    {
        length = std::min(length, size);
        const std::string_view text(reinterpret_cast<const char*>(data), length);
        data += length;
        size -= length;
        return text;
    }
};

void reset()
{
    fake::reset_box();
    fake::make_partitions(2, {"hostile", "other"});
    std::destroy_at(&core);
    std::construct_at(&core);
    terminal = {};
    mode = Mode::polled;
    asleep = false;
    polling = false;
    init_partition_consoles();
    for (size_t i = 0; i < 2; ++i) {
        fake::ring_frame[i] = fake::new_frame();
        connect_console(fake::partitions[i], fake::ring_frame[i]);
    }
    start_console_interrupts();
    fake::uart_sent.clear();
}

void work(int turns)
{
    for (int i = 0; i < turns; ++i) {
        if (fake::cpus[0].work.exchange(0) == 0 && next_console_deadline() == never)
            return;
        if (next_console_deadline() != never)
            fake::tsc = std::max(fake::tsc, next_console_deadline().raw());
        console_work();
    }
}

// Control sequences in the overview are the core's own: colours, and the reset when a view is left.
void check_overview(std::string_view sent)
{
    for (size_t i = 0; i < sent.size(); ++i) {
        const auto byte = static_cast<uint8_t>(sent[i]);
        if (byte == 0x1b) {
            require(sent[i + 1] == '[');
            i += 2;
            while (i < sent.size() && (sent[i] == ';' || (sent[i] >= '0' && sent[i] <= '9')))
                ++i;
            require(i < sent.size() && sent[i] == 'm');
            continue;
        }
        require(byte >= 0x20 || byte == '\r' || byte == '\n' || byte == '\t');
        require(byte != 0x7f);
    }
}

void run(Input input)
{
    xencons_interface& ring = fake::ring(0);
    bool always_overview = true;
    while (input.size != 0) {
        switch (input.byte() % 10) {
        case 0:
            ring.out_prod = input.word();
            break;
        case 1:
            ring.out_cons = input.word();
            break;
        case 2:
            ring.in_prod = input.word();
            ring.in_cons = input.word();
            break;
        case 3: {
            const std::string_view text = input.text(input.byte());
            memcpy(&ring.out[ring.out_prod % 1024], text.data(), text.size());
            ring.out_prod += static_cast<uint32_t>(text.size());
            break;
        }
        case 4:
            fake::guest_write(0, input.text(input.byte()));
            break;
        case 5:
            fake::guest_write(1, "a line of the other\n");
            break;
        case 6:
            always_overview = false;
            fake::uart_typed += input.text(input.byte() % 8);
            break;
        case 7:
            log("a line of the core");
            break;
        case 8:
            disconnect_console(fake::partitions[0]);
            connect_console(fake::partitions[0], fake::ring_frame[0]);
            break;
        case 9:
            work(5);
            break;
        }
        fake::handler(fake::partitions[0], Port(1));
    }
    while (!fake::uart_typed.empty()) {
        fake::tsc += 1'000'000;
        console_work();
    }
    work(100'000);
    require(next_console_deadline() == never);
    if (always_overview)
        check_overview(fake::uart_sent);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    reset();
    run({data, size});
    // Nothing beyond the page was touched: the frames around it are as they were.
    for (size_t i = sizeof(xencons_interface); i < page_size; ++i)
        require(fake::frame_bytes(fake::ring_frame[0])[i] == 0);
    return 0;
}
