// SPDX-License-Identifier: BSD-2-Clause
// See format.hpp.
#include "core/monitor/format.hpp"

#include "core/cpu.hpp"
#include "core/partition.hpp"

#include <algorithm>
#include <bit>
#include <cstdarg>
#include <cstdio>

namespace bulkhead {

namespace {

constexpr uint64_t second = 1'000'000'000;

// Appends; the last bytes are left out where there is no room.
struct Writer {
    ShortText text{};
    size_t length = 0;

    [[gnu::format(printf, 2, 3)]] void add(const char* format, ...)
    {
        va_list arguments;
        va_start(arguments, format);
        const int added = vsnprintf(text.data() + length, text.size() - length, format, arguments);
        va_end(arguments);
        if (added > 0)
            length = std::min(length + static_cast<size_t>(added), text.size() - 1);
    }
};

}  // namespace

void put_time_stamp(Nanoseconds time, TextOut& out)
{
    const uint64_t microseconds = time.raw() / 1000;
    out.print("[%5llu.%06llu] ", wide(microseconds / 1'000'000), wide(microseconds % 1'000'000));
}

ShortText duration_text(uint64_t nanoseconds)
{
    Writer writer;
    const uint64_t seconds = nanoseconds / second;
    if (seconds < 600)
        writer.add("%llu.%03llu s", wide(seconds), wide(nanoseconds % second / 1'000'000));
    else if (seconds < 48 * 3600)
        writer.add("%llu h %02llu min", wide(seconds / 3600), wide(seconds / 60 % 60));
    else
        writer.add("%llu d %02llu h", wide(seconds / 86400), wide(seconds / 3600 % 24));
    return writer.text;
}

ShortText memory_text(uint64_t bytes)
{
    Writer writer;
    if (bytes % (1024 * 1024) == 0 || bytes >= 1024 * 1024 * 100)
        writer.add("%llu MiB", wide(bytes >> 20));
    else
        writer.add("%llu KiB", wide(bytes >> 10));
    return writer.text;
}

ShortText cpus_text(const Partition& partition)
{
    uint64_t cpus = 0;
    for (const Vcpu& vcpu : partition.vcpus)
        cpus |= uint64_t{1} << (vcpu.cpu.raw() & 63);
    Writer writer;
    while (cpus != 0) {
        const int first = std::countr_zero(cpus);
        const int count = std::countr_one(cpus >> first);
        writer.add("%s%d", writer.length == 0 ? "" : ",", first);
        if (count > 1)
            writer.add("-%d", first + count - 1);
        if (first + count >= 64)
            break;
        cpus &= ~uint64_t{0} << (first + count);
    }
    return writer.text;
}

ShortText hold_text(const Vcpu& vcpu)
{
    // Who looks holds it as well.
    constexpr std::array<const char*, 8> reasons{"down",          "blocked", "polling", "paused", "stopped",
                                                 "out of budget", nullptr,   "waits for its machine service"};
    Writer writer;
    const uint32_t hold = vcpu.hold.load(std::memory_order_relaxed);
    for (size_t i = 0; i < reasons.size(); ++i) {
        if ((hold >> i & 1) != 0 && reasons[i] != nullptr)
            writer.add("%s%s", writer.length == 0 ? "" : ", ", reasons[i]);
    }
    if (writer.length == 0) {
        const Cpu& cpu = cpu_by_number(vcpu.cpu);
        writer.add("%s", __atomic_load_n(&cpu.current, __ATOMIC_RELAXED) == &vcpu ? "runs" : "ready");
    }
    return writer.text;
}

uint64_t cpu_time_ns(const Partition& partition)
{
    uint64_t sum = 0;
    for (const Vcpu& vcpu : partition.vcpus)
        sum += runstate_of(vcpu).time[RUNSTATE_running];
    return sum;
}

void put_wrapped(std::string_view title, std::string_view words, size_t indent, TextOut& out)
{
    constexpr size_t columns = 79;
    out.put(title);
    out.repeat(' ', indent - std::min(indent, title.size()));
    size_t column = indent;
    while (!words.empty()) {
        const size_t length = std::min(words.find(' '), words.size());
        if (column > indent && column + 1 + length > columns) {
            out.put("\n");
            out.repeat(' ', indent);
            column = indent;
        }
        if (column > indent) {
            out.put(" ");
            ++column;
        }
        out.put(words.substr(0, length));
        column += length;
        words.remove_prefix(std::min(length + 1, words.size()));
    }
    out.put("\n");
}

}  // namespace bulkhead
