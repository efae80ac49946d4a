// SPDX-License-Identifier: BSD-2-Clause
// Four CPUs do anything to the ports of three partitions at once: no deadlock, and afterwards every
// connection has two ends.
#include "event_fixture.hpp"

#include <random>
#include <thread>

using namespace bulkhead;

TEST_GROUP_BASE(EventRaces, EventFixture)
{
    static constexpr size_t threads = 4;
    std::array<std::array<uint8_t, 64>, threads> records;

    void setup() override
    {
        EventFixture::setup();
        for (size_t i = 0; i < threads; ++i)
            fake::map_guest(0x50000 + i * 0x1000, records[i]);
        fake::one_thread = false;
    }
    void teardown() override
    {
        fake::one_thread = true;
        EventFixture::teardown();
    }

    template <class Record>
    long call_as(size_t thread, Vcpu & vcpu, uint64_t operation, Record request)
    {
        std::memcpy(records[thread].data(), &request, sizeof(request));
        HypercallArguments arguments{{operation, 0x50000 + thread * 0x1000}};
        return do_event_channel_op(vcpu, arguments);
    }

    void one_operation(size_t thread, std::mt19937 & random)
    {
        const auto pick = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
        // Threads 0 and 1 are vCPUs of the first partition.
        Vcpu& vcpu = world->vcpu(thread == 0 ? 0 : thread - 1, thread == 1 ? 1 : 0);
        const auto other = static_cast<domid_t>(1 + pick(3));
        const uint32_t port = 1 + pick(12);
        switch (pick(8)) {
        case 0:
            call_as(thread, vcpu, EVTCHNOP_alloc_unbound, evtchn_alloc_unbound{DOMID_SELF, other, 0});
            break;
        case 1:
        case 2:
            call_as(thread, vcpu, EVTCHNOP_bind_interdomain, evtchn_bind_interdomain{other, port, 0});
            break;
        case 3:
            call_as(thread, vcpu, EVTCHNOP_close, evtchn_close{port});
            break;
        case 4:
            call_as(thread, vcpu, EVTCHNOP_bind_virq, evtchn_bind_virq{VIRQ_TIMER, vcpu.number.raw(), 0});
            break;
        case 5:
            send_virq(vcpu, VIRQ_TIMER);
            call_as(thread, vcpu, EVTCHNOP_bind_vcpu, evtchn_bind_vcpu{port, pick(3)});
            break;
        case 6:
            if (pick(50) == 0)
                call_as(thread, vcpu, EVTCHNOP_reset, evtchn_reset{DOMID_SELF});
            break;
        default:
            call_as(thread, vcpu, EVTCHNOP_send, evtchn_send{port});
            call_as(thread, vcpu, EVTCHNOP_unmask, evtchn_unmask{port});
        }
    }

    void run(size_t thread)
    {
        fake::current_cpu = thread;
        std::mt19937 random(static_cast<uint32_t>(thread) + 1);
        for (int i = 0; i < 20'000; ++i)
            one_operation(thread, random);
    }
};

TEST(EventRaces, leave_every_connection_with_two_ends)
{
    std::vector<std::thread> running;
    for (size_t i = 0; i < threads; ++i)
        running.emplace_back([this, i] { run(i); });
    for (std::thread& thread : running)
        thread.join();
    check_invariants();
    for (size_t i = 0; i < 3; ++i) {
        while (!reset_events(partition(i))) {
        }
        LONGS_EQUAL(0, open_ports_of(i));
    }
    check_invariants();
}
