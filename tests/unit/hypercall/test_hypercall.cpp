// SPDX-License-Identifier: BSD-2-Clause
#include "core/hypercall.hpp"

#include "fake_core.hpp"
#include "fake_world.hpp"
#include "other_handlers.hpp"

namespace bulkhead {

static long answer;
static std::array<uint64_t, 6> seen;

long do_vm_assist(Vcpu&, HypercallArguments& arguments)
{
    seen = arguments.value;
    return answer;
}
long do_mmu_update(Vcpu&, HypercallArguments&) { return 0; }
long do_multicall(Vcpu&, HypercallArguments&) { return 0; }
long do_event_channel_op(Vcpu&, HypercallArguments&) { return 0; }
long do_grant_table_op(Vcpu&, HypercallArguments&) { return 0; }

}  // namespace bulkhead

#include "core/hypercall.cpp"
#include "core/hypercall_names.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

TEST_GROUP(Hypercall)
{
    std::unique_ptr<fake::World> world;
    Vcpu* vcpu;

    void setup() override
    {
        fake::reset_core();
        world = std::make_unique<fake::World>(2);
        vcpu = &world->vcpu(0);
        answer = 0;
        trace_enabled = false;
        trace_records.clear();
    }
    void teardown() override { world.reset(); }

    long call(uint64_t number, std::array<uint64_t, 6> values = {})
    {
        GuestFrame& frame = machine::current_frame();
        frame.rax = number;
        frame.arguments().value = values;
        world->run(*vcpu);
        return dispatch_hypercall(*vcpu, number, frame.arguments());
    }
};

TEST(Hypercall, a_number_reaches_its_handler_with_its_arguments_and_is_counted)
{
    answer = 77;
    LONGS_EQUAL(77, call(__HYPERVISOR_vm_assist, {1, 2, 3, 4, 5, 6}));
    for (size_t i = 0; i < 6; ++i)
        LONGS_EQUAL(i + 1, seen[i]);
    LONGS_EQUAL(1, vcpu->hypercalls.calls[__HYPERVISOR_vm_assist]);
    LONGS_EQUAL(0, vcpu->hypercalls.refused[__HYPERVISOR_vm_assist]);
    LONGS_EQUAL(0, world->vcpu(1).hypercalls.calls[__HYPERVISOR_vm_assist]);
}

TEST(Hypercall, an_ordinary_error_is_not_a_refusal)
{
    answer = negative(XEN_EINVAL);
    LONGS_EQUAL(negative(XEN_EINVAL), call(__HYPERVISOR_vm_assist));
    LONGS_EQUAL(0, vcpu->hypercalls.refused[__HYPERVISOR_vm_assist]);
    LONGS_EQUAL(0, fake::log_lines.size());
}

TEST(Hypercall, a_continuation_passes_unchanged)
{
    answer = hypercall_continue;
    CHECK(call(__HYPERVISOR_vm_assist) == hypercall_continue);
    LONGS_EQUAL(0, vcpu->hypercalls.refused[__HYPERVISOR_vm_assist]);
}

TEST(Hypercall, a_sub_operation_that_is_not_built_is_counted_and_told_once)
{
    answer = negative(XEN_ENOSYS);
    call(__HYPERVISOR_vm_assist, {9});
    call(__HYPERVISOR_vm_assist, {8});
    LONGS_EQUAL(2, vcpu->hypercalls.refused[__HYPERVISOR_vm_assist]);
    LONGS_EQUAL(1, fake::log_lines.size());
    STRCMP_EQUAL("part1: its kernel asked for vm_assist 0x9 (hypercall 21), which is not offered; told once",
                 fake::log_lines[0].c_str());
    answer = negative(XEN_EOPNOTSUPP);
    call(__HYPERVISOR_vm_assist);
    LONGS_EQUAL(3, vcpu->hypercalls.refused[__HYPERVISOR_vm_assist]);
}

TEST(Hypercall, another_vcpu_of_the_partition_does_not_repeat_the_line)
{
    answer = negative(XEN_ENOSYS);
    call(__HYPERVISOR_vm_assist);
    vcpu = &world->vcpu(0, 1);
    call(__HYPERVISOR_vm_assist);
    LONGS_EQUAL(1, vcpu->hypercalls.refused[__HYPERVISOR_vm_assist]);
    LONGS_EQUAL(1, fake::log_lines.size());
    vcpu = &world->vcpu(1);
    call(__HYPERVISOR_vm_assist);
    LONGS_EQUAL(2, fake::log_lines.size());
}

TEST(Hypercall, every_number_of_the_abi_without_a_handler_is_refused)
{
    for (const uint64_t number : {uint64_t{11}, uint64_t{__HYPERVISOR_event_channel_op_compat},
                                  uint64_t{__HYPERVISOR_xenpmu_op}, uint64_t{__HYPERVISOR_hypfs_op}, uint64_t{45},
                                  uint64_t{__HYPERVISOR_arch_0}, uint64_t{__HYPERVISOR_arch_7}, uint64_t{62}}) {
        LONGS_EQUAL(negative(XEN_ENOSYS), call(number));
        LONGS_EQUAL(1, vcpu->hypercalls.calls[number]);
        LONGS_EQUAL(1, vcpu->hypercalls.refused[number]);
    }
}

TEST(Hypercall, a_handler_that_is_not_written_yet_is_refused)
{
    LONGS_EQUAL(negative(XEN_ENOSYS), call(__HYPERVISOR_physdev_op));
    LONGS_EQUAL(1, vcpu->hypercalls.refused[__HYPERVISOR_physdev_op]);
}

TEST(Hypercall, numbers_beyond_the_table_share_a_counter)
{
    for (const uint64_t number : {uint64_t{63}, uint64_t{64}, uint64_t{1} << 32, ~uint64_t{0}})
        LONGS_EQUAL(negative(XEN_ENOSYS), call(number));
    LONGS_EQUAL(4, vcpu->hypercalls.calls[hypercall_out_of_range]);
    LONGS_EQUAL(4, vcpu->hypercalls.refused[hypercall_out_of_range]);
    LONGS_EQUAL(1, fake::log_lines.size());
}

TEST(Hypercall, the_control_domains_calls_are_not_permitted_and_counted)
{
    for (const uint64_t number : {uint64_t{__HYPERVISOR_platform_op}, uint64_t{__HYPERVISOR_sysctl},
                                  uint64_t{__HYPERVISOR_domctl}, uint64_t{__HYPERVISOR_kexec_op}}) {
        LONGS_EQUAL(negative(XEN_EPERM), call(number));
        LONGS_EQUAL(1, vcpu->hypercalls.refused[number]);
    }
}

TEST(Hypercall, a_trace_gets_number_and_first_argument)
{
    call(__HYPERVISOR_vm_assist, {5});
    LONGS_EQUAL(0, trace_records.size());
    trace_enabled = true;
    call(__HYPERVISOR_vm_assist, {5});
    LONGS_EQUAL(1, trace_records.size());
    LONGS_EQUAL(__HYPERVISOR_vm_assist, trace_records[0].a);
    LONGS_EQUAL(5, trace_records[0].b);
}

TEST(Hypercall, names_cover_the_abi_and_nothing_else)
{
    STRCMP_EQUAL("set_trap_table", hypercall_name(0));
    STRCMP_EQUAL("event_channel_op", hypercall_name(32));
    STRCMP_EQUAL("arch", hypercall_name(55));
    STRCMP_EQUAL("unknown", hypercall_name(11));
    STRCMP_EQUAL("unknown", hypercall_name(56));
    STRCMP_EQUAL("unknown", hypercall_name(~uint64_t{0}));
}
