// SPDX-License-Identifier: BSD-2-Clause
// HYPERVISOR_vcpu_op and the first state of a vCPU: core/vcpu_op.cpp, core/pv/guest_context.cpp.
#include <CppUTest/TestHarness.h>

#include "tests/unit/schedule/box.hpp"

#include "core/pv/guest_context.cpp"
#include "core/pv/traps.cpp"
#include "core/schedule.cpp"
#include "core/schedule_requests.cpp"
#include "core/schedule_start.cpp"
#include "core/vcpu_op.cpp"
#include "core/vcpu_time.cpp"
#include "core/vcpu_timers.cpp"

namespace bulkhead {

namespace {
std::vector<uint32_t> shutdowns;
Errno writable_error;                    // what get_writable_frame() answers; 0: the frame
std::vector<uint64_t> writable_frames;
std::map<uint64_t, int> table_references;
std::map<uint64_t, std::vector<Errno>> table_errors;    // in order, before success
Errno gdt_error;
std::vector<uint64_t> gdt_frames;
uint32_t gdt_entries;

Result<> result_of(Errno error)
{
    if (error != Errno{})
        return fail(error);
    return {};
}
}  // namespace

void check_watchdogs(Nanoseconds) {}
void wake_home(Partition&) {}
void shut_down(Partition&, uint32_t reason) { shutdowns.push_back(reason); }
Result<> get_writable_frame(Mfn frame, DomainId)
{
    if (writable_error == Errno{})
        writable_frames.push_back(frame.raw());
    return result_of(writable_error);
}
void move_vcpu_info(Vcpu& vcpu, vcpu_info_t* to) { vcpu.info = to; }
Result<> reference_top_level(Vcpu&, Mfn table)
{
    std::vector<Errno>& errors = table_errors[table.raw()];
    if (!errors.empty()) {
        const Errno error = errors.front();
        errors.erase(errors.begin());
        return fail(error);
    }
    ++table_references[table.raw()];
    return {};
}
Result<> drop_top_level(Vcpu&, Mfn table)
{
    --table_references[table.raw()];
    return {};
}
Result<> set_gdt(Vcpu&, std::span<const uint64_t> frames, uint32_t entries)
{
    gdt_frames.assign(frames.begin(), frames.end());
    gdt_entries = entries;
    return result_of(gdt_error);
}

}  // namespace bulkhead

using namespace bulkhead;
using fake::ms;

namespace {

constexpr uint64_t argument_address = 0x1000;
constexpr uint64_t area_address = 0xffff'8880'0000'1000;
constexpr uint64_t not_canonical = uint64_t{1} << 60;
constexpr uint64_t in_the_core = 0xffff'8300'0000'0000;

}  // namespace

TEST_GROUP(VcpuOp) {
    fake::Box box;
    Vcpu* vcpu = nullptr;
    Vcpu* second = nullptr;
    void setup() override
    {
        shutdowns.clear();
        writable_error = {};
        writable_frames.clear();
        box.make({{10, {0, 1, 0}}});
        vcpu = &box.vcpu(0);
        second = &box.vcpu(0, 1);
        box.wake(*vcpu);
        box.decide();
        for (size_t i = 1; i < 3; ++i) {
            box.vcpu(0, i).hold = hold_down;
            box.vcpu(0, i).initialised = true;
        }
    }
    long call(uint64_t command, uint64_t number, uint64_t argument = argument_address)
    {
        HypercallArguments arguments{};
        arguments.value = {command, number, argument};
        return do_vcpu_op(*vcpu, arguments);
    }
    template <class Request>
    long call_with(uint64_t command, uint64_t number, Request request)
    {
        fake::map_guest(argument_address, request);
        const long result = call(command, number);
        fake::unmap_guest(GuestVirtual(argument_address));
        return result;
    }
};

TEST(VcpuOp, a_vCPU_that_the_plan_does_not_give_is_ENOENT)
{
    CHECK_EQUAL(-XEN_ENOENT, call(VCPUOP_is_up, 3));
    CHECK_EQUAL(-XEN_ENOENT, call(VCPUOP_is_up, 0xffffffff));
    CHECK_EQUAL(-XEN_ENOENT, call(99, 3));
}

TEST(VcpuOp, other_commands_are_ENOSYS)
{
    CHECK_EQUAL(-XEN_ENOSYS, call(14, 0));
    CHECK_EQUAL(-XEN_ENOSYS, call(0xffffffff, 0));
}

TEST(VcpuOp, up_wakes_and_down_holds)
{
    CHECK_EQUAL(0, call(VCPUOP_is_up, 1));
    CHECK_EQUAL(0, call(VCPUOP_up, 1));
    CHECK_EQUAL(1, call(VCPUOP_is_up, 1));
    CHECK_EQUAL(0, second->hold.load());
    CHECK_EQUAL(0, call(VCPUOP_down, 1));
    CHECK_EQUAL(hold_down, second->hold.load());
    CHECK(shutdowns.empty());
}

TEST(VcpuOp, up_before_initialise_is_EINVAL)
{
    second->initialised = false;
    CHECK_EQUAL(-XEN_EINVAL, call(VCPUOP_up, 1));
    CHECK_EQUAL(hold_down, second->hold.load());
}

TEST(VcpuOp, up_twice_is_no_error)
{
    CHECK_EQUAL(0, call(VCPUOP_up, 1));
    CHECK_EQUAL(0, call(VCPUOP_up, 1));
}

TEST(VcpuOp, the_last_one_that_goes_down_powers_off)
{
    CHECK_EQUAL(0, call(VCPUOP_down, 0));
    CHECK_EQUAL(1, shutdowns.size());
    CHECK_EQUAL(SHUTDOWN_poweroff, shutdowns[0]);
}

TEST(VcpuOp, a_blocked_vCPU_is_up)
{
    second->hold = hold_blocked;
    CHECK_EQUAL(1, call(VCPUOP_is_up, 1));
    CHECK_EQUAL(0, call(VCPUOP_down, 0));
    CHECK(shutdowns.empty());
}

TEST(VcpuOp, runstate_of_any_vCPU_can_be_read)
{
    vcpu_runstate_info_t info{};
    fake::map_guest(argument_address, info);
    fake::tsc += 1 * ms;
    CHECK_EQUAL(0, call(VCPUOP_get_runstate_info, 1));
    CHECK_EQUAL(RUNSTATE_offline, info.state);
    CHECK_EQUAL(1 * ms, info.time[RUNSTATE_offline]);
    CHECK_EQUAL(0, call(VCPUOP_get_runstate_info, 0));
    CHECK_EQUAL(RUNSTATE_running, info.state);
    fake::unmap_guest(GuestVirtual(argument_address));
    CHECK_EQUAL(-XEN_EFAULT, call(VCPUOP_get_runstate_info, 0));
}

TEST(VcpuOp, a_runstate_area_is_filled_at_once)
{
    vcpu_runstate_info_t area{};
    fake::map_guest(area_address, area);
    vcpu_register_runstate_memory_area request{};
    request.addr.p = area_address;
    CHECK_EQUAL(0, call_with(VCPUOP_register_runstate_memory_area, 0, request));
    CHECK_EQUAL(RUNSTATE_running, area.state);
    CHECK_EQUAL(area_address, vcpu->time.runstate_area.load());
    CHECK_EQUAL(0, call_with(VCPUOP_register_runstate_memory_area, 1, request));
    CHECK_EQUAL(RUNSTATE_offline, area.state);
    request.addr.p = 0;
    CHECK_EQUAL(0, call_with(VCPUOP_register_runstate_memory_area, 0, request));
    CHECK_EQUAL(0, vcpu->time.runstate_area.load());
}

TEST(VcpuOp, areas_in_the_core_are_EFAULT)
{
    vcpu_register_runstate_memory_area runstate{};
    runstate.addr.p = in_the_core;
    CHECK_EQUAL(-XEN_EFAULT, call_with(VCPUOP_register_runstate_memory_area, 0, runstate));
    runstate.addr.p = ~uint64_t{0} - 8;
    CHECK_EQUAL(-XEN_EFAULT, call_with(VCPUOP_register_runstate_memory_area, 0, runstate));
    vcpu_register_time_memory_area time{};
    time.addr.p = in_the_core;
    CHECK_EQUAL(-XEN_EFAULT, call_with(VCPUOP_register_vcpu_time_memory_area, 0, time));
    CHECK_EQUAL(0, vcpu->time.runstate_area.load());
    CHECK_EQUAL(0, vcpu->time.time_area.load());
}

TEST(VcpuOp, the_callers_time_area_is_filled_at_once_and_anothers_when_it_runs)
{
    vcpu_time_info_t area{};
    fake::map_guest(area_address, area);
    vcpu_register_time_memory_area request{};
    request.addr.p = area_address;
    CHECK_EQUAL(0, call_with(VCPUOP_register_vcpu_time_memory_area, 0, request));
    CHECK_EQUAL(vcpu->info->time.version, area.version);
    area = {};
    second->time.stale = false;
    CHECK_EQUAL(0, call_with(VCPUOP_register_vcpu_time_memory_area, 1, request));
    CHECK_EQUAL(0, area.version);
    box.wake(*second);
    fake::current_cpu = 1;
    box.decide();
    CHECK_EQUAL(second->info->time.version, area.version);
    CHECK(area.version != 0);
}

TEST(VcpuOp, periods_below_a_millisecond_and_beyond_reason_are_EINVAL)
{
    CHECK_EQUAL(-XEN_EINVAL, call_with(VCPUOP_set_periodic_timer, 0, vcpu_set_periodic_timer{0}));
    CHECK_EQUAL(-XEN_EINVAL, call_with(VCPUOP_set_periodic_timer, 0, vcpu_set_periodic_timer{ms - 1}));
    CHECK_EQUAL(-XEN_EINVAL, call_with(VCPUOP_set_periodic_timer, 0, vcpu_set_periodic_timer{uint64_t{1} << 62}));
    CHECK_EQUAL(0, call_with(VCPUOP_set_periodic_timer, 0, vcpu_set_periodic_timer{(uint64_t{1} << 62) - 1}));
    CHECK_EQUAL(0, call_with(VCPUOP_set_periodic_timer, 0, vcpu_set_periodic_timer{ms}));
    CHECK_EQUAL(ms, vcpu->time.periodic_ns);
    CHECK_EQUAL(0, call(VCPUOP_stop_periodic_timer, 0, 0));
    CHECK_EQUAL(0, vcpu->time.periodic_ns);
    CHECK_EQUAL(-XEN_EFAULT, call(VCPUOP_set_periodic_timer, 0));
}

TEST(VcpuOp, single_shots_are_the_callers_own_only)
{
    CHECK_EQUAL(-XEN_EINVAL, call_with(VCPUOP_set_singleshot_timer, 1, vcpu_set_singleshot_timer{fake::tsc, 0}));
    CHECK_EQUAL(-XEN_EINVAL, call(VCPUOP_stop_singleshot_timer, 1, 0));
    CHECK_EQUAL(-XEN_EFAULT, call(VCPUOP_set_singleshot_timer, 0));
}

TEST(VcpuOp, a_single_shot_in_the_past_fires_or_is_ETIME_as_asked)
{
    const uint64_t past = fake::tsc - 1;
    CHECK_EQUAL(-XEN_ETIME,
                call_with(VCPUOP_set_singleshot_timer, 0, vcpu_set_singleshot_timer{past, VCPU_SSHOTTMR_future}));
    CHECK(vcpu->time.singleshot == never);
    CHECK_EQUAL(0, call_with(VCPUOP_set_singleshot_timer, 0,
                             vcpu_set_singleshot_timer{fake::tsc, VCPU_SSHOTTMR_future}));
    CHECK_EQUAL(0, call(VCPUOP_stop_singleshot_timer, 0, 0));
    CHECK(vcpu->time.singleshot == never);
    CHECK_EQUAL(0, call_with(VCPUOP_set_singleshot_timer, 0, vcpu_set_singleshot_timer{past, 0}));
    box.decide();
    CHECK_EQUAL(1, fake::virqs.size());
}

TEST(VcpuOp, vcpu_info_moves_once_and_pins_its_frame)
{
    const Mfn frame = fake::new_frame();
    const vcpu_register_vcpu_info request{frame.raw(), 64, 0};
    CHECK_EQUAL(0, call_with(VCPUOP_register_vcpu_info, 0, request));
    POINTERS_EQUAL(fake::frame_bytes(frame) + 64, vcpu->info);
    CHECK_EQUAL(1, writable_frames.size());
    CHECK_EQUAL(-XEN_EINVAL, call_with(VCPUOP_register_vcpu_info, 0, request));
    CHECK_EQUAL(1, writable_frames.size());
}

TEST(VcpuOp, vcpu_info_must_fit_its_page_and_be_aligned)
{
    const uint64_t frame = fake::new_frame().raw();
    CHECK_EQUAL(-XEN_ENXIO, call_with(VCPUOP_register_vcpu_info, 0, vcpu_register_vcpu_info{frame, 4096 - 56, 0}));
    CHECK_EQUAL(-XEN_ENXIO, call_with(VCPUOP_register_vcpu_info, 0, vcpu_register_vcpu_info{frame, ~0u, 0}));
    CHECK_EQUAL(-XEN_ENXIO, call_with(VCPUOP_register_vcpu_info, 0, vcpu_register_vcpu_info{frame, 4, 0}));
    CHECK_EQUAL(0, call_with(VCPUOP_register_vcpu_info, 0, vcpu_register_vcpu_info{frame, 4096 - 64, 0}));
}

TEST(VcpuOp, vcpu_info_of_another_moves_only_while_it_is_down)
{
    const vcpu_register_vcpu_info request{fake::new_frame().raw(), 0, 0};
    second->hold = 0;
    CHECK_EQUAL(-XEN_EINVAL, call_with(VCPUOP_register_vcpu_info, 1, request));
    second->hold = hold_down;
    CHECK_EQUAL(0, call_with(VCPUOP_register_vcpu_info, 1, request));
}

TEST(VcpuOp, vcpu_info_needs_a_writable_frame)
{
    for (const Errno error : {XEN_EINVAL, XEN_EBUSY, XEN_ERANGE}) {
        writable_error = error;
        CHECK_EQUAL(-XEN_EINVAL,
                    call_with(VCPUOP_register_vcpu_info, 0, vcpu_register_vcpu_info{~uint64_t{0}, 0, 0}));
    }
    POINTERS_EQUAL(&vcpu->partition->shared->vcpu_info[0], vcpu->info);
    CHECK_EQUAL(-XEN_EFAULT, call(VCPUOP_register_vcpu_info, 0));
}

TEST(VcpuOp, vcpu_info_waits_its_turn_without_waiting_here)
{
    const LockGuard another(vcpu->partition->lifecycle.vcpu_lock);
    CHECK_EQUAL(hypercall_continue,
                call_with(VCPUOP_register_vcpu_info, 0, vcpu_register_vcpu_info{fake::new_frame().raw(), 0, 0}));
    CHECK(writable_frames.empty());
}

TEST(VcpuOp, an_NMI_wakes_a_blocked_vCPU)
{
    hold(*vcpu, hold_blocked);
    CHECK_EQUAL(0, call(VCPUOP_send_nmi, 0, 0));
    CHECK(vcpu->pv.nmi_pending);
    CHECK_EQUAL(0, vcpu->hold.load());
}

TEST(VcpuOp, an_NMI_interrupts_another_CPU_once_and_only_if_the_vCPU_is_on_it)
{
    fake::pokes.clear();
    CHECK_EQUAL(0, call(VCPUOP_send_nmi, 1, 0));
    CHECK(fake::pokes.empty());
    second->pv.nmi_pending = false;
    box.wake(*second);
    fake::current_cpu = 1;
    box.decide();
    fake::current_cpu = 0;
    fake::pokes.clear();
    CHECK_EQUAL(0, call(VCPUOP_send_nmi, 1, 0));
    CHECK_EQUAL(0, call(VCPUOP_send_nmi, 1, 0));
    CHECK_EQUAL(1, fake::pokes.size());
    CHECK_EQUAL(work_fault, fake::cpus[1].work.load());
}

TEST(VcpuOp, an_NMI_takes_no_argument)
{
    CHECK_EQUAL(-XEN_EINVAL, call(VCPUOP_send_nmi, 0, 8));
}

TEST(VcpuOp, physical_ids_are_not_told)
{
    CHECK_EQUAL(-XEN_EINVAL, call(VCPUOP_get_physid, 0));
}

TEST_GROUP(Initialise) {
    fake::Box box;
    Vcpu* vcpu = nullptr;
    Vcpu* target = nullptr;
    std::unique_ptr<vcpu_guest_context> context = std::make_unique<vcpu_guest_context>();
    alignas(64) unsigned char fpu[832];
    void setup() override
    {
        table_references.clear();
        table_errors.clear();
        gdt_error = {};
        box.make({{10, {0, 1}}});
        vcpu = &box.vcpu(0);
        target = &box.vcpu(0, 1);
        target->hold = hold_down;
        target->fpu_area = fpu;
        vcpu->pv.cr0 = 0x80050033;
        std::memset(context.get(), 0, sizeof(*context));
        context->flags = VGCF_in_kernel;
        context->user_regs.rip = 0xffff'ffff'8100'0000;
        context->user_regs.rsp = 0xffff'c900'0000'4000;
        context->user_regs.cs = 0xe030;
        context->user_regs.ss = 0xe02b;
        context->user_regs.rflags = 0x1000 | 0x200;      // IOPL 1
        context->kernel_ss = 0x18;
        context->kernel_sp = 0xffff'c900'0000'5000;
        context->ctrlreg[3] = xen_pfn_to_cr3(0x1234);
        context->gdt_frames[0] = 0x55;
        context->gdt_ents = 16;
        context->event_callback_eip = 0xffff'ffff'8100'1000;
        context->failsafe_callback_eip = 0xffff'ffff'8100'2000;
        context->syscall_callback_eip = 0xffff'ffff'8100'3000;
        context->gs_base_kernel = 0xffff'8880'1000'0000;
        context->gs_base_user = 0x7000;
        context->fs_base = 0x6000;
        fake::map_guest(GuestVirtual(argument_address), context.get(), sizeof(*context));
    }
    long initialise()
    {
        HypercallArguments arguments{};
        arguments.value = {VCPUOP_initialise, 1, argument_address};
        return do_vcpu_op(*vcpu, arguments);
    }
    void check_refused(long error)
    {
        CHECK_EQUAL(error, initialise());
        CHECK_FALSE(target->initialised);
        CHECK_EQUAL(hold_down, target->hold.load());
        CHECK_EQUAL(0, table_references[0x1234]);
    }
};

TEST(Initialise, a_kernels_context_is_taken_as_it_stands)
{
    context->trap_ctxt[14].address = 0xffff'ffff'8100'4000;
    context->trap_ctxt[14].cs = 0xe030;
    context->trap_ctxt[14].flags = 3 | 4;
    context->trap_ctxt[14].vector = 99;                  // its place counts
    CHECK_EQUAL(0, initialise());
    CHECK(target->initialised);
    CHECK_EQUAL(hold_down, target->hold.load());
    CHECK_EQUAL(context->user_regs.rip, target->registers.rip);
    CHECK_EQUAL(context->user_regs.rsp, target->registers.rsp);
    CHECK_EQUAL(0xe033, target->registers.cs);
    CHECK_EQUAL(0xe02b, target->registers.ss);
    CHECK_EQUAL(0x202, target->registers.rflags);
    CHECK_EQUAL(1, target->pv.iopl);
    CHECK(target->pv.kernel_mode);
    CHECK(target->pv.kernel_table == Mfn(0x1234));
    CHECK(target->pv.user_table == Mfn(0));
    CHECK_EQUAL(1, table_references[0x1234]);
    CHECK_EQUAL(16, gdt_entries);
    CHECK_EQUAL(1, gdt_frames.size());
    CHECK_EQUAL(0x55, gdt_frames[0]);
    CHECK_EQUAL(0x1b, target->pv.kernel_ss);
    CHECK_EQUAL(context->kernel_sp, target->pv.kernel_sp);
    CHECK_EQUAL(context->gs_base_kernel, target->pv.gs_base);
    CHECK_EQUAL(context->gs_base_user, target->pv.gs_base_other);
    CHECK_EQUAL(context->fs_base, target->pv.fs_base);
    CHECK_EQUAL(context->event_callback_eip, target->pv.event.address);
    CHECK(target->pv.event.masks_events);
    CHECK_FALSE(target->pv.failsafe.masks_events);
    CHECK_FALSE(target->pv.syscall.masks_events);
    CHECK_EQUAL(0xffff'ffff'8100'4000, target->pv.traps[14].address);
    CHECK_EQUAL(0xe033, target->pv.traps[14].selector);
    CHECK_EQUAL(3, target->pv.traps[14].dpl);
    CHECK(target->pv.traps[14].masks_events);
    CHECK_EQUAL(vcpu->pv.cr0, target->pv.cr0);
    CHECK_EQUAL(0x400, target->pv.debug[7]);
}

TEST(Initialise, all_general_registers_arrive)
{
    cpu_user_regs_t& r = context->user_regs;
    r.r15 = 15;
    r.r14 = 14;
    r.r13 = 13;
    r.r12 = 12;
    r.rbp = 5;
    r.rbx = 3;
    r.r11 = 11;
    r.r10 = 10;
    r.r9 = 9;
    r.r8 = 8;
    r.rax = 1;
    r.rcx = 2;
    r.rdx = 4;
    r.rsi = 6;
    r.rdi = 7;
    CHECK_EQUAL(0, initialise());
    const GuestFrame& f = target->registers;
    const uint64_t got[] = {f.rax, f.rcx, f.rbx, f.rdx, f.rbp, f.rsi, f.rdi, f.r8,
                            f.r9,  f.r10, f.r11, f.r12, f.r13, f.r14, f.r15};
    for (uint64_t i = 0; i < 15; ++i)
        CHECK_EQUAL(i + 1, got[i]);
}

TEST(Initialise, flags_choose_masks_mode_and_online)
{
    context->flags = VGCF_failsafe_disables_events | VGCF_syscall_disables_events | VGCF_online;
    context->ctrlreg[1] = xen_pfn_to_cr3(0x77);
    context->ctrlreg[0] = 8;
    CHECK_EQUAL(0, initialise());
    CHECK_FALSE(target->pv.kernel_mode);
    CHECK(target->pv.user_table == Mfn(0x77));
    CHECK_EQUAL(context->gs_base_user, target->pv.gs_base);
    CHECK_EQUAL(context->gs_base_kernel, target->pv.gs_base_other);
    CHECK(target->pv.failsafe.masks_events);
    CHECK(target->pv.syscall.masks_events);
    CHECK(target->pv.task_switched);
    CHECK_EQUAL(0, target->hold.load());
}

TEST(Initialise, it_waits_its_turn_without_waiting_here)
{
    const LockGuard another(vcpu->partition->lifecycle.vcpu_lock);
    check_refused(hypercall_continue);
}

TEST(Initialise, user_mode_needs_user_tables)
{
    context->flags = 0;
    check_refused(-XEN_EINVAL);
}

TEST(Initialise, a_vCPU_is_initialised_once)
{
    CHECK_EQUAL(0, initialise());
    CHECK_EQUAL(-XEN_EEXIST, initialise());
    CHECK_EQUAL(1, table_references[0x1234]);
}

TEST(Initialise, any_part_that_cannot_be_read_is_EFAULT)
{
    for (const size_t length : {size_t{0}, size_t{512}, offsetof(vcpu_guest_context, trap_ctxt) + 4000,
                                sizeof(vcpu_guest_context) - 1}) {
        fake::guest_regions.clear();
        fake::map_guest(GuestVirtual(argument_address), context.get(), length);
        check_refused(-XEN_EFAULT);
    }
}

TEST(Initialise, addresses_that_are_not_canonical_are_EINVAL)
{
    uint64_t* const addresses[] = {&context->user_regs.rip, &context->user_regs.rsp, &context->kernel_sp,
                                   &context->event_callback_eip, &context->failsafe_callback_eip,
                                   &context->syscall_callback_eip, &context->fs_base, &context->gs_base_kernel,
                                   &context->gs_base_user, &context->trap_ctxt[0].address,
                                   &context->trap_ctxt[255].address};
    for (uint64_t* address : addresses) {
        const uint64_t good = std::exchange(*address, not_canonical);
        check_refused(-XEN_EINVAL);
        *address = good;
    }
    CHECK_EQUAL(0, initialise());
}

TEST(Initialise, an_LDT_must_be_aligned_and_outside_the_core)
{
    context->ldt_ents = 8192;
    context->ldt_base = 0xffff'8880'0000'0008;
    check_refused(-XEN_EINVAL);
    context->ldt_base = in_the_core;
    check_refused(-XEN_EINVAL);
    context->ldt_base = 0xffff'8880'0000'0000;
    context->ldt_ents = 8193;
    check_refused(-XEN_EINVAL);
    context->ldt_ents = 8192;
    CHECK_EQUAL(0, initialise());
    CHECK_EQUAL(8192, target->pv.ldt_entries);
}

TEST(Initialise, a_GDT_larger_than_the_guests_part_is_EINVAL)
{
    context->gdt_ents = 14 * 512 + 1;
    check_refused(-XEN_EINVAL);
    context->gdt_ents = (uint64_t{1} << 32) + 1;
    check_refused(-XEN_EINVAL);
    context->gdt_ents = 14 * 512;
    CHECK_EQUAL(0, initialise());
    CHECK_EQUAL(14, gdt_frames.size());
}

TEST(Initialise, breakpoints_come_later)
{
    context->debugreg[7] = 1;
    check_refused(-XEN_EINVAL);
}

TEST(Initialise, a_table_that_is_none_is_EINVAL_and_leaves_no_reference)
{
    table_errors[0x1234] = {XEN_EINVAL};
    check_refused(-XEN_EINVAL);
    context->ctrlreg[1] = xen_pfn_to_cr3(0x77);
    table_errors[0x77] = {XEN_EBUSY};
    check_refused(-XEN_EBUSY);
    context->ctrlreg[3] = 0;
    check_refused(-XEN_EINVAL);
    CHECK(target->pv.kernel_table == Mfn(0));
}

TEST(Initialise, a_long_validation_goes_on_where_it_was)
{
    context->ctrlreg[1] = xen_pfn_to_cr3(0x77);
    table_errors[0x1234] = {XEN_ERESTART};
    table_errors[0x77] = {XEN_ERESTART, XEN_ERESTART};
    CHECK_EQUAL(hypercall_continue, initialise());
    CHECK_EQUAL(hypercall_continue, initialise());
    CHECK_EQUAL(1, table_references[0x1234]);
    CHECK_EQUAL(hypercall_continue, initialise());
    CHECK_EQUAL(0, initialise());
    CHECK_EQUAL(1, table_references[0x1234]);
    CHECK_EQUAL(1, table_references[0x77]);
}

TEST(Initialise, tables_that_change_between_two_calls_are_dropped)
{
    context->ctrlreg[1] = xen_pfn_to_cr3(0x77);
    table_errors[0x77] = {XEN_ERESTART};
    CHECK_EQUAL(hypercall_continue, initialise());
    context->ctrlreg[3] = xen_pfn_to_cr3(0x99);
    CHECK_EQUAL(0, initialise());
    CHECK_EQUAL(0, table_references[0x1234]);
    CHECK_EQUAL(1, table_references[0x99]);
}

TEST(Initialise, a_bad_GDT_can_be_tried_again)
{
    gdt_error = XEN_EINVAL;
    CHECK_EQUAL(-XEN_EINVAL, initialise());
    CHECK_FALSE(target->initialised);
    gdt_error = {};
    CHECK_EQUAL(0, initialise());
    CHECK_EQUAL(1, table_references[0x1234]);
}

TEST(Initialise, FPU_state_is_taken_with_legal_MXCSR_bits)
{
    context->flags |= VGCF_i387_valid;
    std::memset(&context->fpu_ctxt, 0xff, sizeof(context->fpu_ctxt));
    CHECK_EQUAL(0, initialise());
    uint32_t mxcsr;
    std::memcpy(&mxcsr, fpu + 24, sizeof(mxcsr));
    CHECK_EQUAL(0xffbf, mxcsr);
    CHECK_EQUAL(0xff, fpu[0]);
    CHECK_EQUAL(3, fpu[512]);
    CHECK_EQUAL(0, fpu[513]);
}

TEST(Initialise, without_FPU_state_it_is_that_after_reset)
{
    std::memset(fpu, 0xee, sizeof(fpu));
    std::memset(&context->fpu_ctxt, 0xff, sizeof(context->fpu_ctxt));
    CHECK_EQUAL(0, initialise());
    CHECK_EQUAL(0, fpu[100]);
    CHECK_EQUAL(0, fpu[512]);
}
