// SPDX-License-Identifier: BSD-2-Clause
// What services are told of lives, and what a life of theirs means for their clients.
#include "tests/unit/lifecycle/living_box.hpp"

using namespace bulkhead;

// p2 is the store of p0; p1 has none.
TEST_GROUP(Services) {
    static constexpr uint16_t store_id = plan::first_service_domain;
    LivingBox box;
    void setup() override
    {
        calls.clear();
        slices = 1;
        done_slices.clear();
        holders.clear();
        build_fails = false;
        fake::cpus_in_use = 3;
        box.make_stopped({{12, {0}}, {10, {1}}, {20, {2}}});
        plan::Partition& client = box.plan(0);
        client.store_domain = store_id;
        client.store_port = 2;
        client.store_remote_port = 8;
        client.services = 1;
        client.pv.store_pfn = 9;
        plan::Partition& plan = box.plan(2);
        plan.type = plan::PartitionType::service;
        plan.domain = store_id;
        plan.on_crash = plan::Action::restart;
        box.partition(2).id = DomainId(store_id);
        box.partition(2).memory.region_kept = true;
        init_services();
        fake::virqs_wake = false;
    }
    Partition& store() { return box.partition(2); }
    bulkhead_client client(size_t index)
    {
        return std::bit_cast<bulkhead_client>(store().service.clients[index].load());
    }
    void crash_store()
    {
        shut_down(store(), SHUTDOWN_crash);
        box.settle();
        CHECK(box.state(2) == PartitionState::running);
    }
    bool called(const char* what) { return std::find(calls.begin(), calls.end(), what) != calls.end(); }
};

TEST(Services, the_client_page_tells_of_every_partition_in_the_plans_order)
{
    LONGS_EQUAL(1, client(0).domain);
    LONGS_EQUAL(2, client(1).domain);
    LONGS_EQUAL(store_id, client(2).domain);
    LONGS_EQUAL(BULKHEAD_CLIENT_stopped, client(0).state);
    LONGS_EQUAL(BULKHEAD_REASON_none, client(0).reason);
    box.start();
    LONGS_EQUAL(BULKHEAD_CLIENT_running, client(0).state);
    LONGS_EQUAL(1, client(0).generation);
    LONGS_EQUAL(BULKHEAD_REASON_none, client(0).reason);
    POINTERS_EQUAL(nullptr, box.partition(0).service.clients);
}

TEST(Services, each_change_is_told_to_services_alone)
{
    box.start();
    fake::virqs.clear();
    POINTERS_EQUAL(nullptr, request_pause(box.partition(1)));
    box.settle();
    LONGS_EQUAL(1, fake::virqs.size());
    POINTERS_EQUAL(&store().vcpus[0], fake::virqs[0].vcpu);
    LONGS_EQUAL(VIRQ_DOM_EXC, fake::virqs[0].virq);
    LONGS_EQUAL(BULKHEAD_CLIENT_paused, client(1).state);
}

TEST(Services, the_page_says_why_a_life_ended)
{
    box.start();
    box.plan(0).on_poweroff = plan::Action::destroy;
    shut_down(box.partition(0), SHUTDOWN_poweroff);
    box.settle();
    LONGS_EQUAL(BULKHEAD_CLIENT_stopped, client(0).state);
    LONGS_EQUAL(SHUTDOWN_poweroff, client(0).reason);
    POINTERS_EQUAL(nullptr, request_stop(box.partition(1)));
    box.settle();
    LONGS_EQUAL(BULKHEAD_REASON_operator, client(1).reason);
}

TEST(Services, a_clients_life_begins_with_its_store_granted_and_connected)
{
    box.start();
    calls.clear();
    POINTERS_EQUAL(nullptr, request_restart(box.partition(0)));
    box.settle();
    CHECK(given_grants.store == Mfn(0x1009));
    CHECK(given_grants.store_domain == DomainId(store_id));
    CHECK(called("port 1.2 to 28672.8"));
    calls.clear();
    POINTERS_EQUAL(nullptr, request_restart(box.partition(1)));
    box.settle();
    CHECK(given_grants.store == invalid_mfn);
    CHECK_FALSE(called("port 1.2 to 28672.8"));
}

TEST(Services, a_restarted_service_gets_its_ends_back_and_its_clients_go_on)
{
    box.start();
    calls.clear();
    crash_store();
    CHECK(called("port 28672.8 to 1.2"));
    LONGS_EQUAL(2, store().generation);
    LONGS_EQUAL(1, box.partition(0).generation);
    CHECK(store().memory.region_kept);
    LONGS_EQUAL(2, client(2).generation);
}

TEST(Services, crashes_restart_the_clients_of_the_service_at_fault_alone)
{
    // p1 has cards on the networks of a switch; nobody but p0 has the store.
    box.plan(1).services = 2;
    box.start();
    crash_store();
    crash_store();
    crash_store();
    LONGS_EQUAL(2, box.partition(0).generation);
    LONGS_EQUAL(1, box.partition(1).generation);
    box.plan(1).services = 3;
    crash_store();
    crash_store();
    crash_store();
    LONGS_EQUAL(3, box.partition(0).generation);
    LONGS_EQUAL(2, box.partition(1).generation);
}

TEST(Services, three_crashes_in_ten_seconds_give_up_the_region_and_restart_the_clients)
{
    box.start();
    crash_store();
    box.pass(4 * second, second);
    crash_store();
    box.pass(4 * second, second);
    CHECK(store().memory.region_kept);
    crash_store();
    CHECK_FALSE(store().memory.region_kept);      // the build, faked here, would keep the next one
    LONGS_EQUAL(2, box.partition(0).generation);
    LONGS_EQUAL(1, box.partition(1).generation);
    CHECK(box.state(0) == PartitionState::running);
    CHECK(box.logged("p0: restarted with its service (life 2)"));
    store().memory.region_kept = true;
    crash_store();                                 // the count begins anew
    CHECK(store().memory.region_kept);
    LONGS_EQUAL(2, box.partition(0).generation);
}

TEST(Services, crashes_further_apart_or_by_the_operator_cost_no_region)
{
    box.start();
    for (unsigned i = 0; i < 5; ++i) {
        crash_store();
        box.pass(6 * second, second);
    }
    for (unsigned i = 0; i < 5; ++i) {
        POINTERS_EQUAL(nullptr, request_restart(store()));
        box.settle();
    }
    CHECK(store().memory.region_kept);
    LONGS_EQUAL(1, box.partition(0).generation);
}

TEST(Services, a_client_that_is_down_stays_down_when_its_service_starts_afresh)
{
    box.start();
    POINTERS_EQUAL(nullptr, request_stop(box.partition(0)));
    box.settle();
    request_renewal(box.partition(0));
    box.settle();
    CHECK(box.state(0) == PartitionState::stopped);
}

TEST(Services, a_store_that_was_left_out_is_none)
{
    store().vcpus = {};
    store().service.clients = nullptr;
    POINTERS_EQUAL(nullptr, store_of(box.partition(0)));
    box.partition(2).state = PartitionState::left_out;
    POINTERS_EQUAL(nullptr, request_start(box.partition(0)));
    box.settle();
    CHECK(given_grants.store == invalid_mfn);
    CHECK_FALSE(called("port 1.2 to 28672.8"));
}

TEST(Services, a_kill_is_a_crash)
{
    box.start();
    POINTERS_EQUAL(nullptr, request_kill(store()));
    STRCMP_EQUAL("it is ending already", request_kill(store()));
    box.settle();
    CHECK(box.state(2) == PartitionState::running);
    LONGS_EQUAL(1, store().health.crashes);
    STRCMP_EQUAL("killed by the operator", store().health.last_reason.data());
    POINTERS_EQUAL(nullptr, request_stop(box.partition(1)));
    box.settle();
    STRCMP_EQUAL("it is not running", request_kill(box.partition(1)));
}
