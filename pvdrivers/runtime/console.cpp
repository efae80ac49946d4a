// SPDX-License-Identifier: BSD-2-Clause
// Source: xen/include/public/io/console.h; xen.h, CONSOLEIO_write and CONSOLEIO_read.
#include "pvdrivers/runtime/console.hpp"

#include "pvdrivers/runtime/fatal.hpp"
#include "pvdrivers/runtime/frames.hpp"
#include "pvdrivers/runtime/memory.hpp"
#include "pvdrivers/runtime/spin_lock.hpp"

#include <bulkhead/console.hpp>
#include <bulkhead/events.hpp>

#include <algorithm>
#include <cstdio>

extern "C" {
#include <xen/event_channel.h>
#include <xen/io/console.h>
}

namespace bulkhead {

namespace {

SpinLock console_lock;
xencons_interface* ring;                // null: the hypercall is the console
Port ring_port;

struct {
    void (*function)(void*) = nullptr;
    void* context = nullptr;
} input_handler;

constexpr size_t line_bytes = 512;

void notify_ring()
{
    evtchn_send_t send = {static_cast<uint32_t>(ring_port)};
    hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_send, as_argument(&send));
}

// As much as fits now; how much that was.
size_t put_into_ring(std::string_view text)
{
    const XENCONS_RING_IDX taken = std::atomic_ref(ring->out_cons).load(std::memory_order_acquire);
    XENCONS_RING_IDX put = ring->out_prod;
    size_t count = 0;
    for (; count < text.size() && put - taken < sizeof(ring->out); ++count)
        ring->out[MASK_XENCONS_IDX(put++, ring->out)] = text[count];
    std::atomic_ref(ring->out_prod).store(put, std::memory_order_release);
    return count;
}

void write_ring(std::string_view text)
{
    while (!text.empty()) {
        text.remove_prefix(put_into_ring(text));
        notify_ring();
        if (!text.empty())
            hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield);
    }
}

void write_hypercall(std::string_view text)
{
    hypercall<__HYPERVISOR_console_io>(CONSOLEIO_write, text.size(), as_argument(text.data()));
}

// Lines end with CR and LF on a terminal; the hypercall adds the CR itself.
void write_lines(std::string_view text)
{
    if (ring == nullptr)
        return write_hypercall(text);
    while (!text.empty()) {
        const size_t end = text.find('\n');
        write_ring(text.substr(0, end));
        if (end == std::string_view::npos)
            return;
        write_ring("\r\n");
        text.remove_prefix(end + 1);
    }
}

void input_came(void*, Port)
{
    if (input_handler.function != nullptr)
        input_handler.function(input_handler.context);
}

}  // namespace

void init_console()
{
    if (start_info->console.domU.mfn == 0) {
        // The first domain of Xen has no ring; what is typed is announced by a virtual interrupt.
        (void)bind_virq(VIRQ_CONSOLE, {input_came, nullptr});
        return;
    }
    ring_port = Port(start_info->console.domU.evtchn);
    if (!adopt_port(ring_port, {input_came, nullptr}))
        return;
    ring = static_cast<xencons_interface*>(ring_page(start_info->console.domU.mfn));
}

void write_console(std::string_view text)
{
    const Locked lock(console_lock);
    write_lines(text);
}

void print(const char* format, ...)
{
    char line[line_bytes];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsniprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length > 0)
        write_console({line, std::min(static_cast<size_t>(length), sizeof(line) - 1)});
}

size_t read_console(std::span<char> into)
{
    const Locked lock(console_lock);
    if (ring == nullptr) {
        const long count = hypercall<__HYPERVISOR_console_io>(CONSOLEIO_read, into.size(), as_argument(into.data()));
        return count > 0 ? static_cast<size_t>(count) : 0;
    }
    const XENCONS_RING_IDX put = std::atomic_ref(ring->in_prod).load(std::memory_order_acquire);
    XENCONS_RING_IDX taken = ring->in_cons;
    size_t count = 0;
    while (count < into.size() && taken != put)
        into[count++] = ring->in[MASK_XENCONS_IDX(taken++, ring->in)];
    std::atomic_ref(ring->in_cons).store(taken, std::memory_order_release);
    if (count != 0)
        notify_ring();
    return count;
}

void on_console_input(void (*function)(void* context), void* context) { input_handler = {function, context}; }

// --- Reports of a crash -----------------------------------------------------------

// The lock may be the crashed vCPU's own: tried for a while, then done without.
void write_report(std::string_view text)
{
    constexpr unsigned tries = 1000;
    bool locked = false;
    for (unsigned i = 0; i < tries && !locked; ++i) {
        locked = console_lock.try_lock();
        if (!locked)
            hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield);
    }
    write_lines(text);
    if (locked)
        console_lock.unlock();
}

void print_report(const char* format, ...)
{
    char line[line_bytes];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsniprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length > 0)
        write_report({line, std::min(static_cast<size_t>(length), sizeof(line) - 1)});
}

}  // namespace bulkhead
