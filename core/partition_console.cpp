// SPDX-License-Identifier: BSD-2-Clause
// The back end of a console ring. The page is shared with a guest that may write anything there at
// any time: each index is read once and checked, and the core trusts only its own copies of those
// that it owns. Source: xen/include/public/io/console.h.
#include "core/partition_console.hpp"

#include "core/console/source.hpp"
#include "core/events.hpp"
#include "core/frames.hpp"
#include "core/log.hpp"
#include "core/partition.hpp"
#include "machine/clock.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace bulkhead {

namespace {

// What one call takes from a ring: with it, it costs about 20,000 instructions whatever the text.
constexpr size_t lines_at_most = 256;
constexpr size_t chunk_bytes = 512;

constexpr uint32_t out_bytes = sizeof(xencons_interface::out);
constexpr uint32_t in_bytes = sizeof(xencons_interface::in);

uint32_t load_index(const XENCONS_RING_IDX& index) { return __atomic_load_n(&index, __ATOMIC_ACQUIRE); }
void store_index(XENCONS_RING_IDX& index, uint32_t value) { __atomic_store_n(&index, value, __ATOMIC_RELEASE); }

struct Outcome {
    bool notify;      // the guest may wait for it
    bool left_over;   // more text in the ring than one call takes
};

// Bytes that the guest has put into `out`. An impossible index drops what may be there: who writes
// nonsense loses text, and nothing else.
uint32_t waiting_output(PartitionConsole& console)
{
    const uint32_t produced = load_index(console.ring->out_prod);
    const uint32_t waiting = produced - console.out_cons;
    if (waiting <= out_bytes)
        return waiting;
    ++console.bad_indices;
    console.out_cons = produced;
    return 0;
}

Outcome take_output(PartitionConsole& console, TextLog& log)
{
    std::array<char, chunk_bytes> chunk;
    const uint32_t waiting = waiting_output(console);
    const Nanoseconds now = machine::now();
    const size_t lines_before = log.lines();
    uint32_t taken = 0;
    while (taken < waiting && log.lines() - lines_before < lines_at_most) {
        const uint32_t place = (console.out_cons + taken) & (out_bytes - 1);
        const size_t length = std::min<size_t>({waiting - taken, out_bytes - place, chunk.size()});
        memcpy(chunk.data(), &console.ring->out[place], length);
        const size_t lines_left = lines_at_most - (log.lines() - lines_before);
        taken += static_cast<uint32_t>(log.append({chunk.data(), length}, now, lines_left));
    }
    console.out_cons += taken;
    store_index(console.ring->out_cons, console.out_cons);
    // A guest waits for room only when there was little; stock ones look at the ring themselves.
    return {waiting >= out_bytes / 2, taken < waiting};
}

// Puts what was typed into the guest's ring. True: something went in.
bool give_input(PartitionConsole& console, InputQueue& input)
{
    const uint32_t used = console.in_prod - load_index(console.ring->in_cons);
    if (used > in_bytes) {
        ++console.bad_indices;
        return false;
    }
    uint32_t room = in_bytes - used;
    const bool given = room != 0;
    for (; room != 0 && !input.empty(); --room)
        console.ring->in[console.in_prod++ & (in_bytes - 1)] = input.take();
    store_index(console.ring->in_prod, console.in_prod);
    return given;
}

void console_event(Partition& partition, Port) { service_console(partition); }

}  // namespace

void service_console(Partition& partition)
{
    PartitionConsole& console = partition.console;
    ConsoleSource& source = *console.source;
    Outcome outcome{};
    bool typed_for_hypercall;
    bool more_to_show;
    {
        LockGuard guard(source.lock);
        typed_for_hypercall = console.reads_by_hypercall && !source.input.empty();
        if (console.ring != nullptr) {
            outcome = take_output(console, source.log);
            if (!console.reads_by_hypercall && !source.input.empty())
                outcome.notify |= give_input(console, source.input);
        }
        more_to_show = source.log_end.exchange(source.log.end(), std::memory_order_relaxed) != source.log.end();
    }
    if (outcome.left_over)
        source.needs_service.store(true, std::memory_order_relaxed);
    if (outcome.notify)
        notify_core_port(partition, console.port);
    if (typed_for_hypercall)
        send_virq(partition.vcpus[0], VIRQ_CONSOLE);
    if (more_to_show || outcome.left_over)
        wake_console();
}

void connect_console(Partition& partition, Mfn ring_frame)
{
    PartitionConsole& console = partition.console;
    const Port port(partition.plan->console_port);
    if (!get_writable_frame(ring_frame, partition.id)) {
        log("%s: its console page cannot be used; it runs without a console", partition.name());
        return;
    }
    {
        LockGuard guard(console.source->lock);
        console.ring = machine::frame_pointer<xencons_interface>(ring_frame);
        console.ring_frame = ring_frame;
        console.port = port;
        console.out_cons = 0;
        console.in_prod = 0;
        console.reads_by_hypercall = false;
        console.source->input.clear();
    }
    if (!bind_core_port(partition, port, console_event))
        log("%s: port %u is not free; its console has no events", partition.name(), port.raw());
}

void disconnect_console(Partition& partition)
{
    PartitionConsole& console = partition.console;
    if (console.ring == nullptr)
        return;
    ConsoleSource& source = *console.source;
    {
        LockGuard guard(source.lock);
        (void)take_output(console, source.log);
        if (source.log.in_line())
            source.log.append("\r\n", machine::now());
        source.log_end.store(source.log.end(), std::memory_order_relaxed);
        console.ring = nullptr;
    }
    source.needs_service.store(false, std::memory_order_relaxed);
    wake_console();
    put_writable_frame(console.ring_frame);
}

}  // namespace bulkhead
