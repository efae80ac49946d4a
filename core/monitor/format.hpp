// SPDX-License-Identifier: BSD-2-Clause
// Numbers as people read them.
#pragma once

#include "core/console/text_out.hpp"
#include "core/types.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace bulkhead {

struct Partition;
struct Vcpu;

using ShortText = std::array<char, 32>;

// "[    1.234567] "
void put_time_stamp(Nanoseconds time, TextOut& out);
// "12.345 s", "2 h 03 min", "5 d 07 h"
[[nodiscard]] ShortText duration_text(uint64_t nanoseconds);
// "512 KiB", "96 MiB", whole numbers only.
[[nodiscard]] ShortText memory_text(uint64_t bytes);
// "0-1,3": the CPUs of its vCPUs.
[[nodiscard]] ShortText cpus_text(const Partition& partition);
// "runs", "ready", "blocked, paused": why it does not run.
[[nodiscard]] ShortText hold_text(const Vcpu& vcpu);
// CPU time of all its vCPUs in this life.
[[nodiscard]] uint64_t cpu_time_ns(const Partition& partition);

// "title   words ...", further lines indented, none longer than 79 columns.
void put_wrapped(std::string_view title, std::string_view words, size_t indent, TextOut& out);

// For printf's %llu, whatever uint64_t is.
constexpr unsigned long long wide(uint64_t value) { return value; }

}  // namespace bulkhead
