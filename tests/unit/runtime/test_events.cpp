// SPDX-License-Identifier: BSD-2-Clause
// Event channels of a program, against a hypervisor of a few lines that keeps the 2-level form.
#include "pvdrivers/runtime/events.cpp"

#include <CppUTest/TestHarness.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace bulkhead {

VcpuLocal* fake_this_vcpu;
VcpuLocal vcpu_locals[most_vcpus];
start_info_t* start_info;
shared_info_t* shared_info;
const HardwareGuest* hardware_guest;

namespace {

shared_info_t page;
std::set<uint32_t> open_ports;
std::vector<uint32_t> vcpu_of_port;
uint32_t next_port;
unsigned blocks;
std::function<void()> while_blocked;
unsigned timers_due;

void raise(uint32_t port)
{
    if (!open_ports.contains(port))
        return;
    const unsigned long bit = 1ul << (port % 64);
    page.evtchn_pending[port / 64] |= bit;
    if ((page.evtchn_mask[port / 64] & bit) != 0)
        return;
    vcpu_info_t& info = page.vcpu_info[vcpu_of_port.at(port)];
    info.evtchn_pending_sel |= 1ul << (port / 64);
    info.evtchn_upcall_pending = 1;
}

long event_channel(uint64_t command, void* argument)
{
    const auto open = [](uint32_t vcpu) {
        const uint32_t port = next_port++;
        open_ports.insert(port);
        vcpu_of_port.resize(std::max<size_t>(vcpu_of_port.size(), port + 1));
        vcpu_of_port[port] = vcpu;
        return port;
    };
    switch (command) {
    case EVTCHNOP_bind_virq: {
        auto* bind = static_cast<evtchn_bind_virq_t*>(argument);
        bind->port = open(bind->vcpu);
        return 0;
    }
    case EVTCHNOP_bind_ipi: {
        auto* bind = static_cast<evtchn_bind_ipi_t*>(argument);
        bind->port = open(bind->vcpu);
        return 0;
    }
    case EVTCHNOP_bind_interdomain: {
        auto* bind = static_cast<evtchn_bind_interdomain_t*>(argument);
        if (bind->remote_dom == 9)
            return -XEN_ESRCH;
        bind->local_port = open(0);
        return 0;
    }
    case EVTCHNOP_bind_vcpu: {
        auto* bind = static_cast<evtchn_bind_vcpu_t*>(argument);
        if (!open_ports.contains(bind->port))
            return -XEN_EINVAL;
        vcpu_of_port[bind->port] = bind->vcpu;
        return 0;
    }
    case EVTCHNOP_send:
        if (!open_ports.contains(static_cast<evtchn_send_t*>(argument)->port))
            return -XEN_EINVAL;
        raise(static_cast<evtchn_send_t*>(argument)->port);
        return 0;
    case EVTCHNOP_unmask: {
        const uint32_t port = static_cast<evtchn_unmask_t*>(argument)->port;
        const unsigned long bit = 1ul << (port % 64);
        page.evtchn_mask[port / 64] &= ~bit;
        if ((page.evtchn_pending[port / 64] & bit) != 0)
            raise(port);
        return 0;
    }
    case EVTCHNOP_close:
        return open_ports.erase(static_cast<evtchn_close_t*>(argument)->port) == 1 ? 0 : -XEN_EINVAL;
    default:
        return -XEN_ENOSYS;
    }
}

std::string called;

void note(void* context, Port port)
{
    called += static_cast<const char*>(context);
    called += std::to_string(static_cast<uint32_t>(port)) + " ";
}

EventHandler handler(const char* name) { return {note, const_cast<char*>(name)}; }

}  // namespace

VcpuNumber current_vcpu() { return this_vcpu().number; }
unsigned run_due_timers(VcpuLocal&) { return std::exchange(timers_due, 0); }
void Timer::start(Time deadline) { (void)this_vcpu().timers.insert(*this, deadline); }
void Timer::stop() { this_vcpu().timers.remove(*this); }

namespace {

TEST_GROUP(runtime_events)
{
    void setup() override
    {
        page = {};
        shared_info = &page;
        open_ports.clear();
        vcpu_of_port.clear();
        next_port = 1;
        blocks = 0;
        timers_due = 0;
        called.clear();
        for (uint32_t i = 0; i < 2; ++i) {
            vcpu_locals[i].number = VcpuNumber{i};
            vcpu_locals[i].info = &page.vcpu_info[i];
            vcpu_locals[i].timer_port = Port{0};
        }
        fake_this_vcpu = &vcpu_locals[0];
        fake::hypervisor = [](unsigned number, uint64_t a1, uint64_t a2, uint64_t, uint64_t) -> long {
            if (number == __HYPERVISOR_event_channel_op)
                return event_channel(a1, reinterpret_cast<void*>(a2));
            ++blocks;
            if (blocks > 10)
                FAIL("blocks again and again");
            page.vcpu_info[0].evtchn_upcall_mask = 0;
            while_blocked();
            return 0;
        };
        while_blocked = [] {};
        init_events();
    }
    Port bind(const char* name) { return *bind_ipi(VcpuNumber{0}, handler(name)); }
};

TEST(runtime_events, a_notification_runs_its_handler_once)
{
    const Port port = bind("a");
    CHECK(notify(port).has_value());
    CHECK(notify(port).has_value());
    STRCMP_EQUAL("", called.c_str());
    CHECK_EQUAL(1u, dispatch_events());
    CHECK_EQUAL(0u, dispatch_events());
    STRCMP_EQUAL("a1 ", called.c_str());
}

TEST(runtime_events, a_masked_port_keeps_its_notification)
{
    const Port port = bind("a");
    mask(port);
    (void)notify(port);
    CHECK_EQUAL(0u, dispatch_events());
    CHECK(is_pending(port));
    unmask(port);
    CHECK_EQUAL(1u, dispatch_events());
    CHECK_FALSE(is_pending(port));
}

TEST(runtime_events, a_port_of_another_vcpu_is_left_alone)
{
    const Port here = bind("a");
    const Port there = *bind_ipi(VcpuNumber{1}, handler("b"));
    (void)notify(here);
    (void)notify(there);
    CHECK_EQUAL(1u, dispatch_events());
    STRCMP_EQUAL("a1 ", called.c_str());
    fake_this_vcpu = &vcpu_locals[1];
    CHECK_EQUAL(1u, dispatch_events());
    STRCMP_EQUAL("a1 b2 ", called.c_str());
}

TEST(runtime_events, a_port_that_moves_brings_its_notification_along)
{
    const Port port = bind("a");
    mask(port);
    (void)notify(port);
    CHECK(move_port(port, VcpuNumber{1}).has_value());
    CHECK_EQUAL(0u, dispatch_events());
    fake_this_vcpu = &vcpu_locals[1];
    CHECK_EQUAL(1u, dispatch_events());
}

TEST(runtime_events, a_closed_port_runs_nothing)
{
    const Port port = bind("a");
    (void)notify(port);
    CHECK(unbind(port).has_value());
    CHECK_EQUAL(0u, dispatch_events());
    CHECK_FALSE(notify(port).has_value());
    CHECK(unbind(port).error() == XEN_EINVAL);
}

TEST(runtime_events, a_handler_may_close_a_port_that_is_pending_too)
{
    static Port second;
    const Port first = *bind_ipi(VcpuNumber{0}, {[](void*, Port) { (void)unbind(second); }, nullptr});
    second = bind("b");
    (void)notify(second);
    (void)notify(first);
    CHECK_EQUAL(1u, dispatch_events());
    STRCMP_EQUAL("", called.c_str());
}

TEST(runtime_events, what_the_hypervisor_refuses_is_an_error)
{
    const auto port = bind_interdomain(Domain{9}, 3, handler("a"));
    CHECK_FALSE(port.has_value());
    CHECK(port.error() == XEN_ESRCH);
}

TEST(runtime_events, a_port_beyond_the_last_one_is_closed_again)
{
    next_port = most_ports;
    const auto port = bind_ipi(VcpuNumber{0}, handler("a"));
    CHECK_FALSE(port.has_value());
    CHECK(port.error() == XEN_ENOSPC);
    CHECK(open_ports.empty());
    next_port = most_ports - 1;
    CHECK(bind_ipi(VcpuNumber{0}, handler("a")).has_value());
}

TEST(runtime_events, adopting_needs_a_port_that_can_be)
{
    CHECK_FALSE(adopt_port(Port{0}, {}).has_value());
    CHECK_FALSE(adopt_port(Port{most_ports}, {}).has_value());
}

TEST(runtime_events, waiting_blocks_until_a_handler_has_run_and_leaves_upcalls_masked)
{
    const Port port = bind("a");
    while_blocked = [port] {
        if (blocks == 2)
            raise(static_cast<uint32_t>(port));
    };
    CHECK_EQUAL(1u, wait());
    CHECK_EQUAL(2u, blocks);
    CHECK_EQUAL(1, static_cast<int>(page.vcpu_info[0].evtchn_upcall_mask));
}

TEST(runtime_events, a_hardware_guest_waits_in_its_own_way)
{
    static Port port;
    static unsigned waits;
    port = bind("a");
    waits = 0;
    const HardwareGuest operations = {nullptr, nullptr, nullptr,
                                      [] {
                                          if (++waits == 2)
                                              raise(static_cast<uint32_t>(port));
                                      },
                                      nullptr, 0};
    hardware_guest = &operations;
    CHECK_EQUAL(1u, wait());
    hardware_guest = nullptr;
    CHECK_EQUAL(2u, waits);
    CHECK_EQUAL(0u, blocks);
}

TEST(runtime_events, what_is_pending_already_does_not_block)
{
    (void)notify(bind("a"));
    CHECK_EQUAL(1u, wait());
    CHECK_EQUAL(0u, blocks);
}

TEST(runtime_events, the_timers_port_is_no_handlers_business)
{
    vcpu_locals[0].timer_port = *bind_virq(VIRQ_TIMER, {});
    (void)notify(vcpu_locals[0].timer_port);
    timers_due = 3;
    CHECK_EQUAL(3u, dispatch_events());
    CHECK(vcpu_locals[0].timer_came);
}

TEST(runtime_events, a_thousand_ports_are_all_served)
{
    for (uint32_t i = 1; i < most_ports; ++i)
        (void)notify(bind(""));
    CHECK_EQUAL(most_ports - 1, dispatch_events());
    CHECK_EQUAL(0u, dispatch_events());
}

}  // namespace

}  // namespace bulkhead
