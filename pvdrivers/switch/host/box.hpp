// SPDX-License-Identifier: BSD-2-Clause
// What the core tells about the box: partitions, CPUs and logs, as values of this moment. Read-only; the
// core's monitor is not involved. Host tests put a box of their own in its place.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace bulkhead::net {

// A short text by value. Not more than fits is kept.
template <size_t room>
class Name {
public:
    constexpr Name() = default;
    constexpr Name(const char* text) : Name(std::string_view(text)) {}
    constexpr Name(std::string_view text)
    {
        for (; length_ < room && length_ < text.size(); ++length_)
            text_[length_] = text[length_];
    }
    [[nodiscard]] constexpr std::string_view view() const { return {text_.data(), length_}; }

private:
    std::array<char, room> text_{};
    size_t length_ = 0;
};

struct BoxFigures {
    Name<63> version;
    Name<63> model;             // the plan's
    uint64_t uptime_ns = 0;
    uint32_t cpus = 0;
    uint32_t partitions = 0;    // services behind the plan's partitions
};

struct CpuFigures {
    uint64_t used_ns = 0;       // by vCPUs, in their partitions' lives of now
    uint32_t partition = 0;     // whose vCPU runs there now; no such one: none
};

struct PartitionFigures {
    Name<31> name;
    Name<7> type;
    uint32_t domain = 0;
    uint8_t state = 0;          // BULKHEAD_CLIENT_*
    uint32_t vcpus = 0;
    uint64_t memory_bytes = 0;
    uint64_t cpu_ns = 0;        // used in this life
    uint32_t lives = 0;
    uint32_t crashes = 0;
    uint32_t watchdogs = 0;
};

struct LogPart {
    Name<228> text;             // as it was written
    bool is_stamped = false;    // a line begins here
    bool ends_line = false;
    uint64_t time_ns = 0;       // since the start
};

// How the monitor calls that state.
[[nodiscard]] std::string_view state_name(uint8_t state);
// It has a life that goes on.
[[nodiscard]] bool is_alive(uint8_t state);

class Box {
public:
    // The core's own log.
    static constexpr uint32_t core_log = UINT32_MAX;

    [[nodiscard]] virtual BoxFigures box() const = 0;
    // False: there is no such one.
    [[nodiscard]] virtual bool cpu(uint32_t index, CpuFigures& cpu) const = 0;
    [[nodiscard]] virtual bool partition(uint32_t index, PartitionFigures& partition) const = 0;
    // The next part of a line of a log, and moves the position, which begins at 0. False: that is all.
    [[nodiscard]] virtual bool log(uint32_t partition, uint64_t& position, LogPart& part) const = 0;

protected:
    ~Box() = default;
};

}  // namespace bulkhead::net
