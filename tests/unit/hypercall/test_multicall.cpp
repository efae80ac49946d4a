// SPDX-License-Identifier: BSD-2-Clause
#include "core/hypercall.hpp"

#include "machine/clock.hpp"

#include "fake_core.hpp"
#include "fake_world.hpp"
#include "other_handlers.hpp"

#include <functional>
#include <vector>

namespace bulkhead {

struct Call {
    uint64_t number;
    std::array<uint64_t, 6> arguments;
};
static std::vector<Call> calls;
static std::function<long(HypercallArguments&)> handler;

long do_event_channel_op(Vcpu&, HypercallArguments&) { return 0; }
long do_grant_table_op(Vcpu&, HypercallArguments&) { return 0; }
static long record(uint64_t number, HypercallArguments& arguments)
{
    calls.push_back({number, arguments.value});
    return handler ? handler(arguments) : static_cast<long>(calls.size());
}
long do_vm_assist(Vcpu&, HypercallArguments& arguments) { return record(__HYPERVISOR_vm_assist, arguments); }
long do_mmu_update(Vcpu&, HypercallArguments& arguments) { return record(__HYPERVISOR_mmu_update, arguments); }

}  // namespace bulkhead

#include "core/hypercall.cpp"
#include "core/hypercall_names.cpp"
#include "core/multicall.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

TEST_GROUP(Multicall)
{
    static constexpr uint64_t list_at = 0x10000;
    std::unique_ptr<fake::World> world;
    std::array<multicall_entry_t, 40> list;

    void setup() override
    {
        fake::reset_core();
        world = std::make_unique<fake::World>(1);
        world->run(world->vcpu(0));
        calls.clear();
        handler = nullptr;
        trace_records.clear();
        trace_enabled = false;
        fake::tsc_step = 0;
        list = {};
        for (size_t i = 0; i < list.size(); ++i) {
            list[i].op = i % 2 == 0 ? __HYPERVISOR_vm_assist : __HYPERVISOR_mmu_update;
            list[i].result = 0xdead;
            list[i].args[0] = i * 10;
            list[i].args[5] = i * 10 + 5;
        }
        map(list.size());
    }
    void teardown() override
    {
        world.reset();
        handler = nullptr;
        fake::on_guest_access = nullptr;
    }

    void map(size_t entries, bool writable = true)
    {
        fake::guest_regions.clear();
        fake::map_guest(GuestVirtual(list_at), list.data(), entries * sizeof(list[0]), writable);
    }
    long run(HypercallArguments & arguments)
    {
        GuestFrame& frame = machine::current_frame();
        frame.rax = __HYPERVISOR_multicall;
        frame.arguments() = arguments;
        const long result = dispatch_hypercall(world->vcpu(0), __HYPERVISOR_multicall, frame.arguments());
        arguments = frame.arguments();
        return result;
    }
    long run(uint64_t count)
    {
        HypercallArguments arguments{{list_at, count}};
        return run(arguments);
    }
};

TEST(Multicall, executes_each_entry_in_order_with_its_arguments_and_writes_its_result)
{
    LONGS_EQUAL(0, run(list.size()));
    LONGS_EQUAL(list.size(), calls.size());
    for (size_t i = 0; i < list.size(); ++i) {
        LONGS_EQUAL(list[i].op, calls[i].number);
        LONGS_EQUAL(i * 10, calls[i].arguments[0]);
        LONGS_EQUAL(i * 10 + 5, calls[i].arguments[5]);
        LONGS_EQUAL(i + 1, list[i].result);
    }
    LONGS_EQUAL(20, world->vcpu(0).hypercalls.calls[__HYPERVISOR_mmu_update]);
}

TEST(Multicall, an_empty_list_is_done_at_once_wherever_it_is)
{
    HypercallArguments arguments{{0xffff800000000000, 0}};
    LONGS_EQUAL(0, run(arguments));
}

TEST(Multicall, only_the_low_half_of_the_count_counts)
{
    LONGS_EQUAL(0, run((uint64_t{1} << 32) | 3));
    LONGS_EQUAL(3, calls.size());
}

TEST(Multicall, an_error_of_an_entry_is_its_result_and_stops_nothing)
{
    handler = [](HypercallArguments&) { return negative(XEN_EINVAL); };
    LONGS_EQUAL(0, run(3));
    for (size_t i = 0; i < 3; ++i)
        LONGS_EQUAL(negative(XEN_EINVAL), static_cast<long>(list[i].result));
}

TEST(Multicall, unknown_numbers_are_refused_as_outside)
{
    list[0].op = 1000;
    list[1].op = 11;
    LONGS_EQUAL(0, run(2));
    LONGS_EQUAL(negative(XEN_ENOSYS), static_cast<long>(list[0].result));
    LONGS_EQUAL(negative(XEN_ENOSYS), static_cast<long>(list[1].result));
}

TEST(Multicall, a_multicall_within_is_invalid)
{
    list[1].op = __HYPERVISOR_multicall;
    LONGS_EQUAL(0, run(3));
    LONGS_EQUAL(negative(XEN_EINVAL), static_cast<long>(list[1].result));
    LONGS_EQUAL(2, calls.size());
}

TEST(Multicall, a_list_in_the_cores_part_of_memory_is_refused)
{
    HypercallArguments arguments{{0xffff800000000000, 1}};
    LONGS_EQUAL(negative(XEN_EFAULT), run(arguments));
    LONGS_EQUAL(0, calls.size());
}

TEST(Multicall, what_lies_before_an_unreadable_entry_is_executed)
{
    map(5);
    LONGS_EQUAL(negative(XEN_EFAULT), run(6));
    LONGS_EQUAL(5, calls.size());
    LONGS_EQUAL(5, list[4].result);
    LONGS_EQUAL(0xdead, list[5].result);
}

TEST(Multicall, a_result_that_cannot_be_written_ends_it)
{
    map(list.size(), false);
    LONGS_EQUAL(negative(XEN_EFAULT), run(3));
    LONGS_EQUAL(1, calls.size());
}

TEST(Multicall, an_entry_is_executed_as_it_was_when_its_batch_was_read)
{
    handler = [&](HypercallArguments&) -> long {
        if (calls.size() == 1) {
            list[15].args[0] = 0xbad;
            list[16].args[0] = 0x900d;
        }
        return 0;
    };
    LONGS_EQUAL(0, run(17));
    LONGS_EQUAL(150, calls[15].arguments[0]);
    LONGS_EQUAL(0x900d, calls[16].arguments[0]);
}

TEST(Multicall, an_entry_that_is_not_finished_keeps_its_changed_arguments_and_goes_on_from_there)
{
    handler = [](HypercallArguments& arguments) -> long {
        if (calls.size() == 18) {
            arguments.value[0] = 0x1234;
            arguments.value[1] = 0x5678;
            return hypercall_continue;
        }
        return 0;
    };
    HypercallArguments arguments{{list_at, 20}};
    CHECK(run(arguments) == hypercall_continue);
    LONGS_EQUAL(list_at + 17 * sizeof(list[0]), arguments.value[0]);
    LONGS_EQUAL(3, arguments.value[1]);
    LONGS_EQUAL(0x1234, list[17].args[0]);
    LONGS_EQUAL(0x5678, list[17].args[1]);
    LONGS_EQUAL(175, list[17].args[5]);
    LONGS_EQUAL(__HYPERVISOR_mmu_update, list[17].op);
    LONGS_EQUAL(0xdead, list[17].result);

    LONGS_EQUAL(0, run(arguments));
    LONGS_EQUAL(21, calls.size());
    LONGS_EQUAL(0x1234, calls[18].arguments[0]);
    LONGS_EQUAL(0, list[17].result);
}

TEST(Multicall, arguments_that_cannot_be_kept_end_it)
{
    handler = [&](HypercallArguments&) -> long {
        map(list.size(), false);
        return hypercall_continue;
    };
    LONGS_EQUAL(negative(XEN_EFAULT), run(2));
}

TEST(Multicall, gives_others_a_turn_after_its_share_of_time)
{
    fake::tsc_step = 7000;            // at each look: at the start, then after each entry
    HypercallArguments arguments{{list_at, 10}};
    CHECK(run(arguments) == hypercall_continue);
    LONGS_EQUAL(3, calls.size());
    LONGS_EQUAL(7, arguments.value[1]);
    while (run(arguments) == hypercall_continue) {
    }
    LONGS_EQUAL(10, calls.size());
    for (size_t i = 0; i < 10; ++i)
        LONGS_EQUAL(i + 1, list[i].result);
}

TEST(Multicall, gives_others_a_turn_when_they_ask_for_it)
{
    handler = [](HypercallArguments&) -> long {
        if (calls.size() == 2)
            this_cpu().work = work_reschedule;
        return 0;
    };
    HypercallArguments arguments{{list_at, 10}};
    CHECK(run(arguments) == hypercall_continue);
    LONGS_EQUAL(2, calls.size());
    LONGS_EQUAL(8, arguments.value[1]);
}

TEST(Multicall, is_done_though_others_ask_when_nothing_is_left)
{
    this_cpu().work = work_reschedule;
    LONGS_EQUAL(0, run(1));
    HypercallArguments arguments{{list_at + 15 * sizeof(list[0]), 2}};    // over the end of a batch
    CHECK(run(arguments) == hypercall_continue);
    LONGS_EQUAL(0, run(arguments));
}

TEST(Multicall, each_entry_is_read_once)
{
    // Another vCPU changes the list while the first entry is executed: what was read is executed.
    handler = [&](HypercallArguments&) -> long {
        list[1].args[0] = 0xbad;
        return 0;
    };
    LONGS_EQUAL(0, run(2));
    LONGS_EQUAL(10, calls[1].arguments[0]);
}

TEST(Multicall, a_trace_names_every_entry)
{
    trace_enabled = true;
    LONGS_EQUAL(0, run(20));
    LONGS_EQUAL(21, trace_records.size());
}
