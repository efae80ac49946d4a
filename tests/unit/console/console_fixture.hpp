// SPDX-License-Identifier: BSD-2-Clause
// The console as a whole, from guests' rings and log() to the UART. One test program includes it once.
#pragma once

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
#include <string>
#include <string_view>
#include <utility>

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
