// SPDX-License-Identifier: BSD-2-Clause
// The sources, and the way from their logs to the UART: by polling during start-up, by CPU 0 when
// the UART has room afterwards, by polling again in a panic.
#include "core/console/console.hpp"

#include "core/boot_allocator.hpp"
#include "core/console/multiplexer.hpp"
#include "core/console/source.hpp"
#include "core/console/view.hpp"
#include "core/cpu.hpp"
#include "core/partition.hpp"
#include "core/partition_console.hpp"
#include "core/trace.hpp"
#include "machine/clock.hpp"
#include "machine/interrupts.hpp"
#include "machine/relax.hpp"
#include "machine/uart.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

constexpr size_t core_log_bytes = 64 * 1024;
constexpr size_t partition_log_bytes = 32 * 1024;
// A turn costs 20,000 instructions or so, with these; 38,000 when several partitions write at full speed.
constexpr int keys_at_most = 32;
constexpr int bytes_at_most = 128;
constexpr int services_at_most = 2;                  // more than one turn shows
constexpr int fills_at_most = 3;
// After each turn CPU 0 belongs to its partitions for at least this many times as long, so that a
// flood on a UART that takes everything at once costs them no more than a fifth.
constexpr uint64_t rest_factor = 4;
constexpr uint64_t turn_overhead_ns = 2'000;     // the interrupt around it
// An empty transmitter takes a byte within 100 microseconds; a dead one must not stop the start.
constexpr uint32_t put_tries = 1'000'000;

enum class Mode : uint8_t { polled, interrupts, panic };

constinit std::array<char, core_log_bytes> core_log_memory{};
constinit ConsoleSource core{};
constinit std::span<ConsoleSource> partition_sources{};

struct Terminal {
    Multiplexer multiplexer;
    TextOut out;
    Nanoseconds rest_until;
    uint32_t next_service;
};
constinit Terminal terminal{};
constinit std::atomic<Mode> mode{Mode::polled};
constinit std::atomic<bool> polling{false};      // one CPU writes, the others leave it to that one
constinit std::atomic<bool> asleep{false};

void put_polled(char byte)
{
    for (uint32_t tries = 0; tries < put_tries; ++tries) {
        if (machine::uart_put(byte))
            return;
    }
}

void write_all_polled()
{
    while (!terminal.out.empty() || terminal.multiplexer.fill(terminal.out, never)) {
        put_polled(terminal.out.front());
        terminal.out.pop();
    }
}

// During start-up several CPUs may log: whoever comes second leaves its line to the first one, or
// to the next line.
void flush_polled()
{
    if (polling.exchange(true, std::memory_order_acquire))
        return;
    write_all_polled();
    polling.store(false, std::memory_order_release);
}

}  // namespace

ConsoleSource& core_source()
{
    if (core.log.size() == 0)
        core.log.use(core_log_memory);
    return core;
}

size_t console_source_count() { return 1 + partition_sources.size(); }

ConsoleSource& console_source(size_t index) { return index == 0 ? core_source() : partition_sources[index - 1]; }

void console_append(ConsoleSource& source, std::string_view text)
{
    if (mode.load(std::memory_order_relaxed) == Mode::panic) {
        panic_write(text);   // whoever holds the lock may never give it back
        return;
    }
    {
        LockGuard guard(source.lock);
        source.log.append(text, machine::now());
        source.log_end.store(source.log.end(), std::memory_order_relaxed);
    }
    wake_console();
}

void wake_console()
{
    switch (mode.load(std::memory_order_relaxed)) {
    case Mode::polled:
        flush_polled();
        break;
    case Mode::interrupts:
        // Pairs with the fence in go_to_sleep(): either that one sees the new text, or this one
        // sees it asleep.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (asleep.load(std::memory_order_relaxed) && asleep.exchange(false, std::memory_order_relaxed)) {
            cpu_by_number(CpuNumber(0)).work.fetch_or(work_console, std::memory_order_release);
            machine::poke(CpuNumber(0));
        }
        break;
    case Mode::panic:
        break;
    }
}

void init_console(const plan::Header& header)
{
    terminal.multiplexer.set_escape(header.escape);
}

void init_partition_consoles()
{
    const std::span<Partition> partitions = all_partitions();
    partition_sources = boot_allocate_array<ConsoleSource>(partitions.size());
    for (size_t i = 0; i < partitions.size(); ++i) {
        ConsoleSource& source = partition_sources[i];
        source.log.use(boot_allocate_array<char>(partition_log_bytes));
        source.partition = &partitions[i];
        source.name = partitions[i].name();
        partitions[i].console.source = &source;
    }
    terminal.multiplexer.measure_names();
    init_trace();
}

// `polling` stays set: another CPU that is about to flush finds it so and leaves its line to CPU 0.
void start_console_interrupts()
{
    while (polling.exchange(true, std::memory_order_acquire))
        machine::relax();
    write_all_polled();
    mode.store(Mode::interrupts, std::memory_order_release);
    machine::uart_want_transmit(false);
    cpu_by_number(CpuNumber(0)).work.fetch_or(work_console, std::memory_order_release);
}

namespace {

void take_keys()
{
    for (int i = 0; i < keys_at_most && terminal.out.room() >= Multiplexer::key_room; ++i) {
        const int byte = machine::uart_get();
        if (byte < 0)
            break;
        terminal.multiplexer.key(static_cast<uint8_t>(byte), terminal.out);
    }
    if (Partition* receiver = terminal.multiplexer.take_input_receiver(); receiver != nullptr)
        service_console(*receiver);
}

// What partitions left in their rings because it was too much for one turn.
void serve_rings()
{
    const size_t count = partition_sources.size();
    int served = 0;
    for (size_t i = 0; i < count && served < services_at_most; ++i) {
        ConsoleSource& source = partition_sources[terminal.next_service % count];
        terminal.next_service = static_cast<uint32_t>((terminal.next_service + 1) % count);
        if (source.needs_service.exchange(false, std::memory_order_relaxed)) {
            service_console(*source.partition);
            ++served;
        }
    }
}

bool anything_to_serve()
{
    return std::ranges::any_of(partition_sources, [](const ConsoleSource& source) {
        return source.needs_service.load(std::memory_order_relaxed);
    });
}

enum class Output : uint8_t { nothing, some, uart_full };

Output write_output(Nanoseconds now)
{
    Output result = Output::nothing;
    int fills = 0;
    for (int i = 0; i < bytes_at_most; ++i) {
        while (terminal.out.empty()) {
            if (++fills > fills_at_most)
                return Output::some;
            if (!terminal.multiplexer.fill(terminal.out, now))
                return result;
        }
        if (!machine::uart_put(terminal.out.front()))
            return Output::uart_full;
        terminal.out.pop();
        result = Output::some;
    }
    return result;
}

// False: something came in at the last moment.
bool go_to_sleep(Nanoseconds now)
{
    asleep.store(true, std::memory_order_relaxed);
    // Pairs with the fence in wake_console().
    std::atomic_thread_fence(std::memory_order_seq_cst);
    terminal.rest_until = Nanoseconds(0);
    if (!anything_to_serve() && !terminal.multiplexer.fill(terminal.out, now))
        return true;
    asleep.store(false, std::memory_order_relaxed);
    return false;
}

}  // namespace

// CPU 0 sleeps only after a turn that found nothing and that nobody had asked for since the last
// one: so a partition that wakes it again and again finds it resting, not asleep.
void console_work()
{
    const Nanoseconds begin = machine::now();
    take_keys();
    if (begin < terminal.rest_until)
        return;
    const bool was_asleep = asleep.exchange(false, std::memory_order_relaxed);
    const bool rested = terminal.rest_until != Nanoseconds(0);
    serve_rings();
    const Output output = write_output(begin);
    machine::uart_want_transmit(output == Output::uart_full);
    if (output == Output::nothing && (was_asleep || rested) && go_to_sleep(begin))
        return;
    const uint64_t used_ns = machine::now() - begin + turn_overhead_ns;
    terminal.rest_until = begin + used_ns * (1 + rest_factor);
}

Nanoseconds next_console_deadline()
{
    // While it rests, whatever became due waits for the end of the rest.
    return asleep.load(std::memory_order_relaxed) ? terminal.multiplexer.deadline() : terminal.rest_until;
}

void turn_to_overview(TextOut& out) { terminal.multiplexer.show_overview(out); }
void turn_to_partition(size_t number, TextOut& out) { terminal.multiplexer.attach(number, out); }
bool shows_monitor() { return terminal.multiplexer.view() == Multiplexer::View::monitor; }

void begin_panic_output()
{
    mode.store(Mode::panic, std::memory_order_relaxed);
    machine::uart_want_transmit(false);
    panic_write("\x18\x1b[0m\n");
}

void panic_write(std::string_view text)
{
    for (const char byte : text) {
        if (byte == '\n')
            put_polled('\r');
        put_polled(byte);
    }
}

void panic_write_log_end(uint32_t lines)
{
    const TextLog& log = core_source().log;
    LogCursor cursor = oldest_line(log);
    (void)skip_to_tail(log, cursor, size_t{lines} * 80, lines);
    std::array<char, 240> buffer;
    LogPiece piece;
    while (next_piece(log, cursor, log.end(), buffer, piece)) {
        panic_write(piece.text);
        if (piece.line_end)
            panic_write("\n");
    }
}

}  // namespace bulkhead
