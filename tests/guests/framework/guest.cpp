// SPDX-License-Identifier: BSD-2-Clause
// Start, printing and end of a conformance guest: only console_io (or the console's ring) and sched_op
// are used here, so that `hello` needs nothing else of the hypervisor.
#include "framework/memory.hpp"

#include <cstdarg>

extern "C" {
#include <xen/event_channel.h>
#include <xen/io/console.h>
#include <xen/sched.h>
#include <xen/version.h>
}

start_info_t* start_info;
uint64_t boot_stack_end;

namespace {

class Line {
public:
    void put(char c)
    {
        if (length_ < sizeof(text_))
            text_[length_++] = c;
    }
    void put(const char* text)
    {
        while (*text != '\0')
            put(*text++);
    }
    void put(uint64_t value, unsigned base)
    {
        char digits[20];
        unsigned count = 0;
        do {
            digits[count++] = "0123456789abcdef"[value % base];
            value /= base;
        } while (value != 0);
        while (count > 0)
            put(digits[--count]);
    }
    void format(const char* format, va_list arguments);
    void write()
    {
        if (hypercall<__HYPERVISOR_console_io>(CONSOLEIO_write, length_, as_argument(text_)) < 0)
            write_to_ring();
    }
    // Xen takes console_io from its first domain only.
    void write_to_ring();

private:
    char text_[255];
    size_t length_ = 0;
};

void Line::write_to_ring()
{
    const uint64_t frame = start_info->console.domU.mfn;
    const uint64_t number = reinterpret_cast<const uint64_t*>(__MACH2PHYS_VIRT_START)[frame];
    auto& ring = *reinterpret_cast<xencons_interface*>(virt_base + (number << 12));
    evtchn_send_t reader = {start_info->console.domU.evtchn};
    for (size_t i = 0; i < length_; ++i) {
        while (ring.out_prod - __atomic_load_n(&ring.out_cons, __ATOMIC_ACQUIRE) == sizeof(ring.out)) {
            hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_send, as_argument(&reader));
            hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0);
        }
        ring.out[ring.out_prod % sizeof(ring.out)] = text_[i];
        __atomic_store_n(&ring.out_prod, ring.out_prod + 1, __ATOMIC_RELEASE);
    }
    hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_send, as_argument(&reader));
}

void Line::format(const char* format, va_list arguments)
{
    for (; *format != '\0'; ++format) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        const bool is_long = *++format == 'l';
        if (is_long)
            ++format;
        switch (*format) {
        case 's': put(va_arg(arguments, const char*)); break;
        case 'c': put(static_cast<char>(va_arg(arguments, int))); break;
        case 'p': put(reinterpret_cast<uint64_t>(va_arg(arguments, void*)), 16); break;
        case 'd': {
            const long value = is_long ? va_arg(arguments, long) : va_arg(arguments, int);
            if (value < 0)
                put('-');
            put(value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value), 10);
            break;
        }
        case 'u':
        case 'x':
            put(is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned),
                *format == 'x' ? 16 : 10);
            break;
        default: put(*format); break;
        }
    }
}

}  // namespace

void print(const char* format, ...)
{
    Line line;
    va_list arguments;
    va_start(arguments, format);
    line.format(format, arguments);
    va_end(arguments);
    line.write();
}

static void print_result(const char* result, const char* format, va_list arguments)
{
    Line line;
    line.put(result);
    line.put(guest_name);
    line.put(": ");
    line.format(format, arguments);
    line.put('\n');
    line.write();
}

[[gnu::weak]] void before_failure() {}

void fail(const char* format, ...)
{
    before_failure();
    va_list arguments;
    va_start(arguments, format);
    print_result("FAIL ", format, arguments);
    va_end(arguments);
    shut_down(SHUTDOWN_poweroff);
}

void skip(const char* format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    print_result("SKIP ", format, arguments);
    va_end(arguments);
    shut_down(SHUTDOWN_poweroff);
}

void pass()
{
    print("PASS %s\n", guest_name);
    shut_down(SHUTDOWN_poweroff);
}

bool on_bulkhead()
{
    xen_extraversion_t version = {};
    hypercall<__HYPERVISOR_xen_version>(XENVER_extraversion, as_argument(version));
    const char* name = "-bulkhead";
    for (unsigned i = 0; name[i] != '\0'; ++i)
        if (version[i] != name[i])
            return false;
    return true;
}

void shut_down(unsigned reason)
{
    sched_shutdown_t request = {};
    request.reason = reason;
    for (;;)
        hypercall<__HYPERVISOR_sched_op>(SCHEDOP_shutdown, as_argument(&request));
}

extern "C" [[noreturn]] void start_guest(uint64_t stack_end, start_info_t* info);

void start_guest(uint64_t stack_end, start_info_t* info)
{
    boot_stack_end = stack_end;
    start_info = info;
    run_guest();
    pass();
}
