// SPDX-License-Identifier: BSD-2-Clause
// Claim: a second vCPU starts where VCPUOP_initialise said, with its own call-backs and stack, takes
// events, goes down and comes up again. Needs two vCPUs.
#include "framework/events.hpp"
#include "framework/memory.hpp"

extern "C" {
#include <xen/vcpu.h>
[[noreturn]] void second_main(uint64_t argument);
}

namespace {

constexpr long ENOENT = 2, EEXIST = 17, EINVAL = 22;

vcpu_guest_context_t context;
alignas(16) char stack[16384];
volatile uint64_t argument_seen;
volatile unsigned rounds;
volatile unsigned second_events;
volatile bool go_down;
uint32_t second_port;

long vcpu_op(unsigned command, unsigned vcpu, void* argument)
{
    return hypercall<__HYPERVISOR_vcpu_op>(command, vcpu, as_argument(argument));
}

template <class Condition>
void wait_until(Condition condition, const char* what)
{
    // An emulator that counts instructions gives each CPU up to two seconds at a time.
    const uint64_t end = system_time() + 60000000000;
    while (!condition()) {
        if (system_time() > end)
            fail("waited a minute for %s", what);
        hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0);
    }
}

void describe_second_vcpu()
{
    context.flags = VGCF_in_kernel;
    context.user_regs.rip = reinterpret_cast<uint64_t>(second_main);
    context.user_regs.rsp = as_argument(stack + sizeof(stack) - 8);
    context.user_regs.rdi = 0x1234;
    context.user_regs.rflags = 0x202;
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = FLAT_KERNEL_SS;
    context.kernel_ss = FLAT_KERNEL_SS;
    context.kernel_sp = as_argument(stack + sizeof(stack));
    context.ctrlreg[3] = xen_pfn_to_cr3(mfn_of(reinterpret_cast<void*>(start_info->pt_base)));
    context.event_callback_eip = as_argument(event_entry);
    context.failsafe_callback_eip = as_argument(failsafe_entry);
    context.syscall_callback_eip = as_argument(syscall_entry);
}

void initialisation()
{
    CHECK_EQUAL(-ENOENT, vcpu_op(VCPUOP_is_up, 100, nullptr));
    CHECK_EQUAL(0, vcpu_op(VCPUOP_is_up, 1, nullptr));
    CHECK_EQUAL(-EINVAL, vcpu_op(VCPUOP_up, 1, nullptr));            // not initialised
    context.ctrlreg[3] = 0;
    CHECK(vcpu_op(VCPUOP_initialise, 1, &context) < 0);
    describe_second_vcpu();
    CHECK_EQUAL(0, vcpu_op(VCPUOP_initialise, 1, &context));
    CHECK_EQUAL(-EEXIST, vcpu_op(VCPUOP_initialise, 1, &context));
    CHECK_EQUAL(0, vcpu_op(VCPUOP_is_up, 1, nullptr));
}

void it_runs()
{
    CHECK_EQUAL(0, vcpu_op(VCPUOP_up, 1, nullptr));
    CHECK_EQUAL(1, vcpu_op(VCPUOP_is_up, 1, nullptr));
    wait_until([] { return rounds > 3; }, "the second vCPU to run");
    CHECK_EQUAL(0x1234, argument_seen);
}

void it_takes_events()
{
    second_port = bind_ipi(1);
    CHECK_EQUAL(0, send(second_port));
    wait_until([] { return second_events == 1; }, "the second vCPU's event");
    for (unsigned i = 2; i < 10; ++i) {
        CHECK_EQUAL(0, send(second_port));
        wait_until([i] { return second_events == i; }, "another event");
    }
}

void tables_change_under_it()
{
    void* at = new_page();
    const uint64_t entry = mfn_of(at) << 12;
    for (unsigned i = 0; i < 10; ++i) {
        CHECK_EQUAL(0, hypercall<__HYPERVISOR_update_va_mapping>(as_argument(at), entry | pte_readonly, UVMF_INVLPG | UVMF_ALL));
        CHECK_EQUAL(0, hypercall<__HYPERVISOR_update_va_mapping>(as_argument(at), entry | pte_page, UVMF_INVLPG | UVMF_ALL));
    }
}

void it_goes_down_and_up()
{
    go_down = true;
    wait_until([] { return vcpu_op(VCPUOP_is_up, 1, nullptr) == 0; }, "the second vCPU to go down");
    const unsigned before = rounds;
    const uint64_t end = system_time() + 3000000;
    while (system_time() < end) {
    }
    CHECK_EQUAL(before, rounds);
    go_down = false;
    CHECK_EQUAL(0, vcpu_op(VCPUOP_up, 1, nullptr));
    wait_until([before] { return rounds > before + 3; }, "the second vCPU to come back");
}

}  // namespace

void second_main(uint64_t argument)
{
    argument_seen = argument;
    for (;;) {
        rounds = rounds + 1;
        // Events by polling: pending bits are the vCPU's own, the upcall stays masked.
        own_info(1).evtchn_upcall_pending = 0;
        (void)__atomic_exchange_n(&own_info(1).evtchn_pending_sel, 0, __ATOMIC_ACQ_REL);
        if (second_port != 0 && take_pending(second_port))
            second_events = second_events + 1;
        if (go_down)
            (void)vcpu_op(VCPUOP_down, 1, nullptr);
        hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0);
    }
}

GUEST_TEST(smp)
{
    install_traps();
    listen_to_events();
    if (vcpu_op(VCPUOP_is_up, 1, nullptr) == -ENOENT)
        skip("there is one vCPU");
    initialisation();
    it_runs();
    it_takes_events();
    tables_change_under_it();
    it_goes_down_and_up();
}
