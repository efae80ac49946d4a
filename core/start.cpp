// SPDX-License-Identifier: BSD-2-Clause
// From a machine that runs to partitions that run: a straight list. Whatever is wrong here is said
// on the serial console with what would be right.
#include "core/banner.hpp"
#include "core/boot_allocator.hpp"
#include "core/boot_info.hpp"
#include "core/checked.hpp"
#include "core/console/console.hpp"
#include "core/cpu.hpp"
#include "core/devices/devices.hpp"
#include "core/events.hpp"
#include "core/frames.hpp"
#include "core/grants.hpp"
#include "core/hardware.hpp"
#include "core/lifecycle.hpp"
#include "core/log.hpp"
#include "core/panic.hpp"
#include "core/partition.hpp"
#include "core/partition_setup.hpp"
#include "core/plan_check.hpp"
#include "core/pv/emulate.hpp"
#include "core/pv/entry_points.hpp"
#include "core/pv/start_of_day.hpp"
#include "core/questions.hpp"
#include "core/schedule.hpp"
#include "core/slot_health.hpp"
#include "core/services.hpp"
#include "core/shared_memory.hpp"
#include "machine/core_space.hpp"
#include "machine/fpu.hpp"
#include "machine/guest_view.hpp"
#include "machine/memory.hpp"
#include "machine/relax.hpp"
#include "machine/smp.hpp"

#include <atomic>

namespace bulkhead {

namespace {

constinit std::atomic<bool> released{false};

void enter_other_cpu(Cpu&)
{
    machine::init_fpu();
    while (!released.load(std::memory_order_acquire))
        machine::relax();
    hardware_operations.enable_cpu();
    enter_guests();
}

const plan::Header& find_plan(const BootInfo& info)
{
    if (info.plan_bytes == 0)
        panic("this image holds no plan: it is core.elf itself; build one with `make image PLAN=...`");
    const auto* header = machine::physical_pointer<plan::Header>(info.plan);
    if (const char* sentence = plan::check_plan(header, info.plan_bytes); sentence != nullptr)
        panic("the plan in this image is damaged: %s", sentence);
    return *header;
}

void init_all_frames()
{
    for (Partition& partition : all_partitions()) {
        if (partition.state.load(std::memory_order_relaxed) == PartitionState::left_out)
            continue;
        init_frames(partition);
        init_shared_frame(partition.shared_frame, partition.id);
    }
}

}  // namespace

void core_main(const BootInfo& info)
{
    print_hello(info);
    print_previous_panic();
    const plan::Header& plan = find_plan(info);
    set_panic_plan(plan);
    init_console(plan);
    machine::init_fpu();
    machine::start_cpus(enter_other_cpu);
    print_machine(info, plan);
    init_emulation();
    make_partitions(plan);
    init_start_of_day(plan);
    init_all_frames();
    init_shared_memory(plan);
    init_events(all_partitions());
    init_grants(all_partitions());
    init_services();
    init_questions(plan);
    init_devices(plan, info);
    init_schedule(plan::table<plan::Window>(plan, plan.windows));
    init_partition_consoles();
    init_slot_health(info, plan.slot_health_s);
    machine::make_guest_views(all_partitions());
    if constexpr (checked_build)
        checked::init();
    print_partitions(plan);
    close_boot_allocator();
    machine::unmap_start_code();
    hardware_operations.enable_cpu();
    start_console_interrupts();
    start_partitions();
    start_slot_health();
    released.store(true, std::memory_order_release);
    enter_guests();
}

}  // namespace bulkhead
