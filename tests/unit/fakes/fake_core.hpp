// SPDX-License-Identifier: BSD-2-Clause
// What most units of the core call and few tests are about: the log (kept as lines), panic() (ends
// the test program with its sentence), CPUs by number, start-up memory from the arena of frames, and
// the list of partitions. Include it after the headers and before the .cpp files under test.
#pragma once

#include "core/boot_allocator.hpp"
#include "core/cpu.hpp"
#include "core/log.hpp"
#include "core/panic.hpp"
#include "core/partition.hpp"
#include "machine/interrupts.hpp"
#include "machine/memory.hpp"
#include "machine/this_cpu.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

namespace bulkhead {

namespace fake {

inline std::vector<std::string> log_lines;
inline std::span<Partition> partitions;      // what all_partitions() answers
inline uint32_t cpus_in_use = max_cpus;

// Call it in each setup().
inline void reset_core()
{
    reset_memory();
    log_lines.clear();
    partitions = {};
    pokes.clear();
    timers_set.clear();
    cpus_in_use = max_cpus;
    current_cpu = 0;
    for (size_t i = 0; i < max_cpus; ++i) {
        cpus[i].number = CpuNumber(static_cast<uint16_t>(i));
        cpus[i].current = nullptr;
        cpus[i].schedule.running = nullptr;
        cpus[i].work = 0;
        cpus[i].online = true;
    }
}

}  // namespace fake

inline void log(const char* format, ...)
{
    char line[240];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    fake::log_lines.emplace_back(line);
}

[[noreturn]] inline void panic(const char* format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    std::fputs("panic: ", stderr);
    std::vfprintf(stderr, format, arguments);
    std::fputc('\n', stderr);
    va_end(arguments);
    std::abort();
}

inline uint32_t cpu_count() { return fake::cpus_in_use; }
inline Cpu& cpu_by_number(CpuNumber number)
{
    if (number.raw() >= fake::cpus_in_use)
        panic("no CPU %u", number.raw());
    return fake::cpus[number.raw()];
}

inline void* boot_allocate(size_t bytes, size_t alignment)
{
    if (alignment > page_size)
        panic("boot_allocate: alignment %zu", alignment);
    return fake::frame_bytes(fake::new_frame(frames_for(bytes)));
}
inline Mfn boot_allocate_frame() { return fake::new_frame(); }

inline std::span<Partition> all_partitions() { return fake::partitions; }
inline Partition* find_partition(DomainId id)
{
    for (Partition& partition : fake::partitions)
        if (partition.id == id)
            return &partition;
    return nullptr;
}

}  // namespace bulkhead
