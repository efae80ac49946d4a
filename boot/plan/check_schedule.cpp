// SPDX-License-Identifier: BSD-2-Clause
#include <algorithm>

#include "boot/plan/check.hpp"
#include "boot/plan/nearest.hpp"
#include "boot/plan/services.hpp"
#include "boot/plan/text.hpp"

namespace bulkhead::tool {

namespace {

constexpr std::string_view idle_name = "idle";

bool has_table(const SystemModel& system, uint8_t cpu)
{
    return std::any_of(system.schedule.begin(), system.schedule.end(),
                       [cpu](const CpuScheduleModel& table) { return table.cpu == cpu; });
}

void check_budget(const PartitionModel& partition, Report& report)
{
    if (partition.period_us.stated && !partition.budget_us.stated && !partition.is_service)
        report.error(partition.period_us.at, "period without budget says nothing; give both or neither");
    if (partition.budget_us.stated && partition.budget_us.value > partition.period_us.value)
        report.error(partition.budget_us.at,
                     sentence("budget is ", partition.budget_us.value, " us, more than the period of ",
                              partition.period_us.value, " us; at most the period is possible"));
}

void check_windows(const SystemModel& system, const CpuScheduleModel& table, Report& report)
{
    std::vector<std::string_view> names{idle_name};
    for (const auto& partition : system.partitions)
        names.push_back(partition.name.value);
    uint64_t sum = 0;
    for (const auto& window : table.windows) {
        sum += window.length_us;
        if (window.partition == idle_name)
            continue;
        const auto owner = std::find_if(system.partitions.begin(), system.partitions.end(),
                                        [&window](const auto& p) { return p.name.value == window.partition; });
        if (owner == system.partitions.end())
            report.error(table.at, sentence("cpu", unsigned{table.cpu}, " has a window for ", Quoted{window.partition},
                                            ", which is no partition; ",
                                            suggestion(window.partition, names, "a partition's name or idle is expected")));
        else if (!owner->placement.empty() && !runs_on(*owner, table.cpu))
            report.error(table.at, sentence("cpu", unsigned{table.cpu}, " has a window for ", Quoted{window.partition},
                                            ", which has no vCPU there; its cpus do not name CPU ",
                                            unsigned{table.cpu}));
    }
    if (system.major_frame_us.stated && sum != system.major_frame_us.value)
        report.error(table.at, sentence("the windows of cpu", unsigned{table.cpu}, " add up to ", sum,
                                        " us; major-frame says ", system.major_frame_us.value, " us"));
    for (const auto& partition : system.partitions) {
        const bool has_window = std::any_of(table.windows.begin(), table.windows.end(), [&partition](const auto& w) {
            return w.partition == partition.name.value;
        });
        if (runs_on(partition, table.cpu) && !has_window)
            report.error(table.at, sentence("partition ", Quoted{partition.name.value}, " has a vCPU on CPU ",
                                            unsigned{table.cpu}, " and no window there: it would never run; ",
                                            "give it a window or another CPU"));
    }
}

void check_tables(const SystemModel& system, Report& report)
{
    for (size_t i = 0; i < system.schedule.size(); ++i) {
        for (size_t j = 0; j < i; ++j)
            if (system.schedule[j].cpu == system.schedule[i].cpu)
                report.error(system.schedule[i].at, sentence("CPU ", unsigned{system.schedule[i].cpu},
                                                             " has a table already, at ",
                                                             to_text(system.schedule[j].at), "; keep one"));
        check_windows(system, system.schedule[i], report);
    }
    if (system.major_frame_us.stated && system.schedule.empty())
        report.error(system.major_frame_us.at,
                     "major-frame without a table says nothing; such as cpu0 = \"a 5000\", \"b 5000\" is expected");
}

// Without windows, a higher priority without a budget can keep a lower one from running for good.
void warn_of_starvation(const SystemModel& system, uint8_t cpu, Report& report)
{
    for (const auto& strong : system.partitions) {
        if (strong.is_service || strong.budget_us.stated || !runs_on(strong, cpu))
            continue;
        for (const auto& weak : system.partitions) {
            if (!runs_on(weak, cpu) || weak.priority.value >= strong.priority.value)
                continue;
            const auto& at = strong.priority.stated ? strong.priority.at : strong.at;
            report.warning(at, sentence("partition ", Quoted{strong.name.value}, " (priority ",
                                        unsigned{strong.priority.value}, ", no budget) can keep ",
                                        Quoted{weak.name.value}, " (priority ", unsigned{weak.priority.value},
                                        ") from running on CPU ", unsigned{cpu}, "; give it a budget"));
        }
    }
}

void warn_of_overcommitment(const SystemModel& system, uint8_t cpu, Report& report)
{
    uint64_t permille = 0;
    const Location* last = nullptr;
    for (const auto& partition : system.partitions) {
        const auto vcpus = std::count(partition.placement.begin(), partition.placement.end(), cpu);
        if (vcpus == 0 || !partition.budget_us.stated || partition.budget_us.value > partition.period_us.value)
            continue;
        permille += static_cast<uint64_t>(vcpus) * partition.budget_us.value * 1000 / partition.period_us.value;
        last = &partition.budget_us.at;
    }
    if (permille > 1000)
        report.warning(*last, sentence("the budgets on CPU ", unsigned{cpu}, " add up to ", permille / 10,
                                       " % of its time; the least urgent will not get theirs"));
}

}  // namespace

void check_schedule(const SystemModel& system, Report& report)
{
    for (const auto& partition : system.partitions)
        check_budget(partition, report);
    check_tables(system, report);
    for (uint16_t number = 0; number < plan::max_cpus; ++number) {
        const auto cpu = static_cast<uint8_t>(number);
        if (!has_table(system, cpu))
            warn_of_starvation(system, cpu, report);
        warn_of_overcommitment(system, cpu, report);
    }
    check_services(system, report);
}

}  // namespace bulkhead::tool
