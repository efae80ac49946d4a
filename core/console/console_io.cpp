// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_console_io: text into the partition's own log and console, input from it. Every
// partition may use it. Source: xen/include/public/xen.h, CONSOLEIO_write and CONSOLEIO_read.
#include "core/console/source.hpp"
#include "core/hypercall.hpp"
#include "core/partition.hpp"
#include "machine/clock.hpp"
#include "machine/memory.hpp"

#include <algorithm>
#include <array>

namespace bulkhead {

namespace {

constexpr size_t copy_bytes = 512;   // copied and appended at most 20,000 instructions a call

// Its newlines stand alone: nobody's terminal driver has added the carriage returns that an attached
// terminal needs.
void append_lines(ConsoleSource& source, std::string_view text)
{
    const Nanoseconds now = machine::now();
    LockGuard guard(source.lock);
    while (!text.empty()) {
        const size_t length = std::min(text.find('\n'), text.size());
        source.log.append(text.substr(0, length), now);
        if (length == text.size())
            break;
        source.log.append(length != 0 && text[length - 1] == '\r' ? "\n" : "\r\n", now);
        text.remove_prefix(length + 1);
    }
    source.log_end.store(source.log.end(), std::memory_order_relaxed);
}

long write(Vcpu& vcpu, HypercallArguments& arguments)
{
    const auto count = static_cast<uint32_t>(arguments.value[1]);
    const GuestVirtual text(arguments.value[2]);
    std::array<char, copy_bytes> chunk;
    const size_t length = std::min<size_t>(count, chunk.size());
    if (!machine::copy_from_guest(chunk.data(), text, length))
        return negative(XEN_EFAULT);
    append_lines(*vcpu.partition->console.source, {chunk.data(), length});
    wake_console();
    if (length == count)
        return 0;
    arguments.value[1] = count - length;
    arguments.value[2] = text.raw() + length;
    return hypercall_continue;
}

// The number of bytes read. The first call of a life turns input away from the ring.
long read(Vcpu& vcpu, HypercallArguments& arguments)
{
    const auto count = static_cast<uint32_t>(arguments.value[1]);
    if (count > INT_MAX)
        return negative(XEN_E2BIG);
    Partition& partition = *vcpu.partition;
    ConsoleSource& source = *partition.console.source;
    std::array<char, copy_bytes> bytes;
    size_t length = 0;
    {
        LockGuard guard(source.lock);
        partition.console.reads_by_hypercall = true;
        while (length < std::min<size_t>(count, bytes.size()) && !source.input.empty())
            bytes[length++] = source.input.take();
    }
    if (!machine::copy_to_guest(GuestVirtual(arguments.value[2]), bytes.data(), length))
        return negative(XEN_EFAULT);
    return static_cast<long>(length);
}

}  // namespace

long do_console_io(Vcpu& vcpu, HypercallArguments& arguments)
{
    switch (static_cast<uint32_t>(arguments.value[0])) {
    case CONSOLEIO_write:
        return write(vcpu, arguments);
    case CONSOLEIO_read:
        return read(vcpu, arguments);
    default:
        return negative(XEN_ENOSYS);
    }
}

}  // namespace bulkhead
