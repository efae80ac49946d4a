// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/cpu_list.hpp"

#include <algorithm>

#include "boot/plan/value.hpp"

namespace bulkhead::tool {

namespace {

constexpr std::string_view forms =
    "such as \"0-1\", \"2\", \"0,2-3\", \"all,^0\" or <0 1> is expected";

struct CpuRange {
    uint8_t first;
    uint8_t last;
};

Outcome<uint8_t> parse_cpu(uint64_t number, CpuBound bound)
{
    if (number < bound.count)
        return static_cast<uint8_t>(number);
    if (bound.is_machine)
        return refuse("names CPU ", number, ", which does not exist: the machine node says ",
                      Count{bound.count, "CPU"}, ", that is 0 to ", bound.count - 1);
    return refuse("names CPU ", number, ", which does not exist: 0 to ", bound.count - 1, " is possible");
}

Outcome<CpuRange> parse_range(std::string_view part, CpuBound bound)
{
    if (part == "all")
        return CpuRange{0, static_cast<uint8_t>(bound.count - 1)};
    if (part.starts_with("node"))
        return refuse("names NUMA nodes, which are not supported; ", forms);
    const size_t dash = part.find('-');
    const auto first = parse_number(trim(part.substr(0, dash)));
    const auto last = dash == std::string_view::npos ? first : parse_number(trim(part.substr(dash + 1)));
    if (!first || !last)
        return refuse("has ", Quoted{part}, ", which is not a CPU or range of CPUs; ", forms);
    if (*first > *last)
        return refuse("has the range ", Quoted{part}, ", which runs backwards; the lower CPU comes first");
    return CpuRange{ATTEMPT(parse_cpu(*first, bound)), ATTEMPT(parse_cpu(*last, bound))};
}

void add_once(std::vector<uint8_t>& cpus, uint8_t cpu)
{
    if (std::find(cpus.begin(), cpus.end(), cpu) == cpus.end())
        cpus.push_back(cpu);
}

}  // namespace

Outcome<std::vector<uint8_t>> parse_cpu_list(std::string_view list, CpuBound bound)
{
    std::vector<uint8_t> cpus;
    bool first = true;
    for (const auto raw : split(list, ',')) {
        auto part = trim(raw);
        const bool without = part.starts_with('^');
        if (without)
            part = trim(part.substr(1));
        if (first && without)
            for (uint16_t cpu = 0; cpu < bound.count; ++cpu)
                cpus.push_back(static_cast<uint8_t>(cpu));
        first = false;
        const CpuRange range = ATTEMPT(parse_range(part, bound));
        for (unsigned cpu = range.first; cpu <= range.last; ++cpu) {
            if (without)
                std::erase(cpus, static_cast<uint8_t>(cpu));
            else
                add_once(cpus, static_cast<uint8_t>(cpu));
        }
    }
    if (cpus.empty())
        return refuse("leaves no CPU; ", forms);
    return cpus;
}

Outcome<std::vector<uint8_t>> parse_cpus(View value, CpuBound bound)
{
    if (is_text(value)) {
        const auto lists = ATTEMPT(texts(value));
        if (lists.size() == 1)
            return parse_cpu_list(lists.front(), bound);
        std::vector<uint8_t> cpus;  // one for each vCPU, repetitions wanted
        for (const auto& list : lists) {
            const auto one = ATTEMPT(parse_cpu_list(list, bound));
            if (one.size() != 1)
                return refuse("gives a vCPU ", Count{one.size(), "CPU"}, " with ", Quoted{list},
                              "; vCPUs do not move, so name one CPU for each");
            cpus.push_back(one.front());
        }
        return cpus;
    }
    const auto numbers = cells(value);
    if (!numbers)
        return refuse("is not a list of CPUs; ", forms);
    std::vector<uint8_t> cpus;
    for (const uint32_t number : *numbers)
        cpus.push_back(ATTEMPT(parse_cpu(number, bound)));
    return cpus;
}

std::string cpu_list_text(const std::vector<uint8_t>& cpus)
{
    std::string out;
    for (size_t i = 0; i < cpus.size();) {
        size_t end = i + 1;
        while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1)
            ++end;
        out += (out.empty() ? "" : ",") + std::to_string(cpus[i]);
        if (end - i > 1)
            out += '-' + std::to_string(cpus[end - 1]);
        i = end;
    }
    return out;
}

}  // namespace bulkhead::tool
