// SPDX-License-Identifier: BSD-2-Clause
// part NAME info: what the plan says about a partition and what became of it.
#include "core/lifecycle.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/partition.hpp"

namespace bulkhead {

namespace {

const char* action_name(plan::Action action)
{
    switch (action) {
    case plan::Action::destroy:
        return "destroy";
    case plan::Action::restart:
        return "restart";
    case plan::Action::preserve:
        return "preserve";
    }
    return "unknown";
}

void put_uuid(const std::array<uint8_t, 16>& uuid, TextOut& out)
{
    out.put("  uuid         ");
    for (size_t i = 0; i < uuid.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out.put_raw("-");
        out.put_hexadecimal(uuid[i]);
    }
    out.put("\n");
}

void put_plan(const Partition& partition, TextOut& out)
{
    const plan::Partition& plan = *partition.plan;
    out.print("%s, domain %u, type %s\n", partition.name(), unsigned{partition.id.raw()}, type_name(plan.type));
    put_uuid(plan.uuid, out);
    out.print("  state        %s\n", state_name(partition.state.load(std::memory_order_relaxed)));
    if (partition.reason != nullptr)
        out.print("  reason       %.120s\n", partition.reason);
    out.print("  memory       %s at most, %s in use by the guest\n", memory_text(plan.max_frames << page_shift).data(),
              memory_text(partition.memory.frames << page_shift).data());
    out.print("  priority     %u%s\n", plan.priority, plan.realtime != 0 ? ", realtime" : "");
    if (plan.budget_us != 0)
        out.print("  budget       %u us in each %u us\n", plan.budget_us, plan.period_us);
    out.print("  policy       poweroff %s, reboot %s, crash %s, watchdog %s\n", action_name(plan.on_poweroff),
              action_name(plan.on_reboot), action_name(plan.on_crash), action_name(plan.on_watchdog));
}

void put_health(const Partition& partition, TextOut& out)
{
    const Health& health = partition.health;
    out.print("  lives        %u starts, %u power-offs, %u reboots, %u crashes, %u watchdog\n", health.starts,
              health.poweroffs, health.reboots, health.crashes, health.watchdog_fires);
    if (health.last_reason[0] != '\0')
        out.print("  last ended   %.110s\n", health.last_reason.data());
    out.print("  console      port %u%s", partition.plan->console_port,
              partition.console.ring != nullptr ? "" : ", not connected");
    if (partition.console.bad_indices != 0)
        out.print(", %llu impossible ring indices", wide(partition.console.bad_indices));
    out.put("\n");
}

bool step_info(CommandRun& run, TextOut& out)
{
    const Partition& partition = *run.partition;
    if (run.item == 0) {
        put_plan(partition, out);
    } else if (run.item == 1) {
        put_health(partition, out);
        out.put("  vCPU  CPU  state                     CPU time   times run\n");
    } else {
        const Vcpu& vcpu = partition.vcpus[run.item - 2];
        out.print("  %4u  %3u  %-20s  %12s  %10llu\n", unsigned{vcpu.number.raw()}, unsigned{vcpu.cpu.raw()},
                  hold_text(vcpu).data(), duration_text(runstate_of(vcpu).time[RUNSTATE_running]).data(),
                  wide(vcpu.schedule.dispatches));
    }
    return ++run.item < partition.vcpus.size() + 2;
}

}  // namespace

void start_part_info(CommandRun& run, const Words&, TextOut&) { run.step = step_info; }

}  // namespace bulkhead
