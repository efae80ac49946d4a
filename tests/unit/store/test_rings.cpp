// SPDX-License-Identifier: BSD-2-Clause
// Rings of clients that are slow, greedy, broken or hostile.
#include "pvdrivers/store/server.hpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::store;

#define SAYS(expected, ...) STRCMP_EQUAL(expected, (__VA_ARGS__).c_str())

TEST_GROUP(Rings)
{
    StoreBox box{3, StoreBox::default_bytes, "/open\0b0\0\0"s};
    void setup() override { box.start(); }
    void teardown() override { SAYS("", box.problem()); }
    FakeClient& guest(uint32_t client) { return *box.guests[client]; }
    void put(uint32_t client, std::string_view bytes)
    {
        guest(client).sent_to_ring = bytes;
        guest(client).push();
    }
    void others_still_work()
    {
        SAYS("", box.write(1, "data/still", "works"));
        SAYS("works", box.read(1, "data/still"));
    }
    uint32_t state(uint32_t client) { return box.region->client(client).state; }
};

TEST(Rings, offer_the_features_that_the_store_has)
{
    LONGS_EQUAL(XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR, guest(0).ring.server_features);
    LONGS_EQUAL(XENSTORE_CONNECTED, guest(0).ring.connection);
    LONGS_EQUAL(XENSTORE_ERROR_NONE, guest(0).ring.error);
}

TEST(Rings, take_requests_byte_by_byte)
{
    const std::string request = FakeClient::message(XS_WRITE, 1, 0, "data/a\0slow"s);
    for (const char c : request) {
        put(0, {&c, 1});
        box.server->turn();
    }
    guest(0).pull();
    LONGS_EQUAL(1, guest(0).answers.size());
    SAYS("slow", box.read(0, "data/a"));
}

TEST(Rings, take_the_beginning_of_a_request_so_that_linux_tells_of_the_rest)
{
    // Linux: drivers/xen/xenbus/xenbus_comms.c, xb_write(), notifies only if all before was taken.
    const std::string request = FakeClient::message(XS_READ, 1, 0, "name\0"s);
    for (const size_t first : {size_t{1}, size_t{15}, sizeof(xsd_sockmsg), request.size() - 1}) {
        put(0, request.substr(0, first));
        box.server->turn();
        LONGS_EQUAL(guest(0).ring.req_prod, guest(0).ring.req_cons);
        put(0, request.substr(first));
        box.server->turn();
        guest(0).pull();
        SAYS("guest1", guest(0).answers.back().text);
    }
    LONGS_EQUAL(4, guest(0).answers.size());
}

TEST(Rings, tell_of_room_only_who_found_none)
{
    guest(0).notifications = 0;
    const std::string request = FakeClient::message(XS_WRITE, 1, 0, "data/x\0"s + std::string(2000, 'x'));
    put(0, request.substr(0, 500));
    box.server->turn();
    LONGS_EQUAL(0, guest(0).notifications);
    put(0, request.substr(500, 1024));
    LONGS_EQUAL(XENSTORE_RING_SIZE, guest(0).ring.req_prod - guest(0).ring.req_cons);
    box.server->turn();
    CHECK(guest(0).notifications != 0);
}

TEST(Rings, take_and_give_messages_longer_than_themselves)
{
    const std::string value(2000, 'v');
    SAYS("", box.write(0, "data/long", value));
    CHECK(box.ask(0, XS_READ, "data/long\0"s).text == value);
    const Answer longest = box.ask(0, XS_READ, std::string(XENSTORE_PAYLOAD_MAX, 'a'));
    SAYS("EINVAL", longest.error());
    SAYS("ENOSPC", box.write(0, "data/long", std::string(XENSTORE_PAYLOAD_MAX - 10, 'v')));
}

TEST(Rings, work_at_every_position)
{
    // 37 is no divisor of the ring's size, so every wrap comes.
    for (int i = 0; i < 300; ++i) {
        const std::string value(static_cast<size_t>(i % 37), static_cast<char>('a' + i % 26));
        SAYS("", box.write(0, "data/w", value));
        CHECK(box.ask(0, XS_READ, "data/w\0"s).text == value);
    }
}

TEST(Rings, work_when_the_positions_overflow)
{
    StoreBox other(1);
    other.guests[0]->ring.req_prod = other.guests[0]->ring.req_cons = 0xfffffff0;
    other.guests[0]->ring.rsp_prod = other.guests[0]->ring.rsp_cons = 0xffffff00;
    other.start();
    for (int i = 0; i < 50; ++i)
        SAYS("guest1", other.read(0, "name"));
    CHECK(other.guests[0]->ring.req_prod < 0x10000);
}

TEST(Rings, with_an_impossible_position_of_requests_are_closed)
{
    guest(0).ring.req_prod = guest(0).ring.req_cons + XENSTORE_RING_SIZE + 1;
    box.server->turn();
    LONGS_EQUAL(STORE_CLIENT_CLOSED, state(0));
    LONGS_EQUAL(XENSTORE_ERROR_RINGIDX, guest(0).ring.error);
    SAYS("the ring of guest1 is closed: its position of requests is outside the ring", box.reports.back());
    const size_t reports = box.reports.size();
    box.server->turn();
    LONGS_EQUAL(reports, box.reports.size());
    others_still_work();
}

TEST(Rings, with_an_impossible_position_of_answers_are_closed)
{
    guest(0).ring.rsp_cons = guest(0).ring.rsp_prod + 1;
    put(0, FakeClient::message(XS_READ, 1, 0, "name\0"s));
    box.server->turn();
    LONGS_EQUAL(STORE_CLIENT_CLOSED, state(0));
    LONGS_EQUAL(XENSTORE_ERROR_RINGIDX, guest(0).ring.error);
    guest(0).ring.rsp_cons = guest(0).ring.rsp_prod;
    others_still_work();
}

TEST(Rings, with_a_request_that_is_too_long_are_closed)
{
    const xsd_sockmsg head = {XS_READ, 1, 0, XENSTORE_PAYLOAD_MAX + 1};
    put(0, {reinterpret_cast<const char*>(&head), sizeof(head)});
    box.server->turn();
    LONGS_EQUAL(STORE_CLIENT_CLOSED, state(0));
    LONGS_EQUAL(XENSTORE_ERROR_PROTO, guest(0).ring.error);
    SAYS("the ring of guest1 is closed: a request is longer than the protocol allows", box.reports.back());
    others_still_work();
}

TEST(Rings, that_are_closed_give_back_what_the_client_held)
{
    SAYS("", box.watch(0, "data", "t"));
    const uint32_t id = box.begin(0);
    SAYS("", box.write(0, "data/x", "1", id));
    guest(0).ring.req_prod += 5000;
    box.server->turn();
    LONGS_EQUAL(0, box.region->client(0).watch_count);
    LONGS_EQUAL(0, box.region->client(0).transaction_count);
}

TEST(Rings, ignore_what_the_client_writes_into_the_stores_positions)
{
    SAYS("", box.write(0, "data/x", "1"));
    guest(0).ring.req_cons = 17;
    guest(0).ring.rsp_prod = 99;
    const uint32_t prod = box.region->client(0).rsp_prod;
    guest(0).ring.rsp_cons = prod;
    const std::string request = FakeClient::message(XS_READ, 1, 0, "data/x\0"s);
    uint32_t at = box.region->client(0).req_cons;
    for (const char c : request)
        guest(0).ring.req[MASK_XENSTORE_IDX(at++)] = c;
    guest(0).ring.req_prod = at;
    box.server->turn();
    LONGS_EQUAL(at, guest(0).ring.req_cons);
    LONGS_EQUAL(prod + sizeof(xsd_sockmsg) + 1, guest(0).ring.rsp_prod);
}

TEST(Rings, are_reconnected_from_nothing_when_the_client_asks)
{
    SAYS("", box.watch(0, "data", "t"));
    SAYS("", box.write(0, "data/x", "kept"));
    put(0, FakeClient::message(XS_WRITE, 1, 0, "data/x\0half"s).substr(0, 20));
    box.server->turn();
    guest(0).ring.connection = XENSTORE_RECONNECT;
    guest(0).notifications = 0;
    box.server->turn();
    LONGS_EQUAL(XENSTORE_CONNECTED, guest(0).ring.connection);
    LONGS_EQUAL(0, guest(0).ring.req_prod);
    LONGS_EQUAL(0, guest(0).ring.req_cons);
    LONGS_EQUAL(0, guest(0).ring.rsp_prod);
    LONGS_EQUAL(0, guest(0).ring.rsp_cons);
    LONGS_EQUAL(1, guest(0).notifications);
    LONGS_EQUAL(0, box.region->client(0).watch_count);
    box.guests[0] = std::make_unique<FakeClient>();
    box.start();
    SAYS("kept", box.read(0, "data/x"));
}

TEST(Rings, that_were_closed_open_again_with_a_reconnection)
{
    guest(0).ring.req_prod += 5000;
    box.server->turn();
    LONGS_EQUAL(STORE_CLIENT_CLOSED, state(0));
    guest(0).ring.connection = XENSTORE_RECONNECT;
    box.server->turn();
    LONGS_EQUAL(XENSTORE_ERROR_NONE, guest(0).ring.error);
    SAYS("guest1", box.read(0, "name"));
}

TEST(Rings, of_a_client_that_does_not_read_take_no_more_requests)
{
    guest(0).reads = false;
    for (int i = 0; i < 200; ++i)
        guest(0).send(XS_READ, "name\0"s);
    for (int i = 0; i < 100; ++i) {
        guest(0).push();
        box.server->turn();
    }
    CHECK(!guest(0).sent_to_ring.empty());
    others_still_work();
    guest(0).reads = true;
    box.settle();
    LONGS_EQUAL(200, guest(0).answers.size());
}

TEST(Rings, are_served_in_turn_with_a_budget)
{
    for (int i = 0; i < 30; ++i)
        guest(0).send(XS_READ, "name\0"s);
    guest(1).send(XS_READ, "name\0"s);
    guest(0).push();
    guest(1).push();
    CHECK(box.server->turn());
    guest(0).pull();
    guest(1).pull();
    LONGS_EQUAL(8, guest(0).answers.size());
    LONGS_EQUAL(1, guest(1).answers.size());
}

TEST(Rings, get_one_notification_a_turn)
{
    for (int i = 0; i < 5; ++i)
        guest(0).send(XS_READ, "name\0"s);
    guest(0).push();
    guest(0).notifications = 0;
    box.server->turn();
    LONGS_EQUAL(1, guest(0).notifications);
    box.server->turn();
    LONGS_EQUAL(1, guest(0).notifications);
}

TEST(Rings, keep_events_and_long_answers_apart)
{
    SAYS("", box.watch(0, "/open", "t"));
    SAYS("", box.write(0, "data/long", std::string(2000, 'v')));
    guest(0).take_events();
    guest(0).reads = false;
    for (int i = 0; i < 60; ++i)
        SAYS("", box.write(1, "/open/an-event-with-a-long-name-" + std::to_string(i), ""));
    guest(0).send(XS_READ, "data/long\0"s);
    guest(0).send(XS_READ, "name\0"s);
    guest(0).answers.clear();
    guest(0).push();
    box.server->turn();
    guest(0).reads = true;
    box.settle();
    LONGS_EQUAL(2, guest(0).answers.size());
    LONGS_EQUAL(2000, guest(0).answers[0].text.size());
    SAYS("guest1", guest(0).answers[1].text);
    LONGS_EQUAL(60, guest(0).events.size());
}

TEST_GROUP(Lives)
{
    StoreBox box{3, StoreBox::default_bytes, "/open\0b0\0\0"s};
    void setup() override { box.start(); }
    void teardown() override { SAYS("", box.problem()); }
};

TEST(Lives, begin_with_the_plans_nodes)
{
    SAYS("guest1", box.read(0, "name"));
    SAYS("data name ", box.list(0, "/local/domain/1"));
    SAYS("n0 r1 ", box.permissions(0, "/local/domain/1"));
    SAYS("n1 ", box.permissions(0, "data"));
}

TEST(Lives, end_with_everything_that_was_theirs)
{
    SAYS("", box.write(0, "data/x", "1"));
    SAYS("", box.write(0, "/open/left", "behind"));
    SAYS("", box.watch(0, "data", "t"));
    const uint32_t id = box.begin(0);
    SAYS("", box.write(0, "data/y", "1", id));
    box.guests[0]->sent_to_ring = FakeClient::message(XS_WRITE, 9, 0, std::string(2000, 'x')).substr(0, 1500);
    box.settle();
    box.server->end_life(0);
    SAYS("", box.problem());
    LONGS_EQUAL(STORE_CLIENT_ABSENT, box.region->client(0).state);
    LONGS_EQUAL(1, box.region->client(0).nodes);  // the one elsewhere
    SAYS("EACCES", box.read(1, "/local/domain/1/name"));

    box.guests[0] = std::make_unique<FakeClient>();
    box.server->begin_life(0, 2, &box.guests[0]->ring);
    SAYS("guest1", box.read(0, "name"));
    SAYS("ENOENT", box.read(0, "data/x"));
    SAYS("ENOENT", box.read(0, "data/x", id));
}

TEST(Lives, that_ended_while_the_store_was_dead_are_noticed)
{
    SAYS("", box.write(0, "data/x", "1"));
    SAYS("", box.watch(0, "data", "t"));
    box.guests[0] = std::make_unique<FakeClient>();
    box.lives[0] = 2;
    box.start();
    SAYS("", box.problem());
    SAYS("ENOENT", box.read(0, "data/x"));
    LONGS_EQUAL(0, box.region->client(0).watch_count);
}

TEST(Lives, remake_planned_nodes_elsewhere)
{
    const std::string nodes = "\0n0,r1\0\0data\0n1\0\0/backend/vif/1\0n0,b1\0fresh\0"s;
    box.plans[0].nodes = nodes;
    box.server->end_life(0);
    box.server->begin_life(0, 2, &box.guests[0]->ring);
    SAYS("fresh", box.read(0, "/backend/vif/1"));
    SAYS("", box.write(0, "/backend/vif/1", "used"));
    SAYS("", box.write(0, "/backend/vif/1/state", "4"));
    box.server->end_life(0);
    box.guests[0] = std::make_unique<FakeClient>();
    box.server->begin_life(0, 3, &box.guests[0]->ring);
    SAYS("fresh", box.read(0, "/backend/vif/1"));
    SAYS("ENOENT", box.read(0, "/backend/vif/1/state"));
}

TEST(Lives, of_a_service_leave_its_nodes_alone)
{
    box.plans[2].flags = STORE_CLIENT_KEEPS_NODES;
    const std::string nodes = "\0n0,r3\0\0backend\0n3\0\0backend/vif\0n3,r1\0\0backend/vif/state\0n3,r1\0001\0"s;
    box.plans[2].nodes = nodes;
    std::memset(box.memory(), 0, StoreBox::default_bytes);
    box.start();
    SAYS("1", box.read(2, "backend/vif/state"));
    SAYS("", box.write(2, "backend/vif/state", "4"));
    SAYS("", box.write(2, "backend/vif/feature-sg", "1"));
    SAYS("", box.watch(2, "/local/domain/1/data", "t"));
    SAYS("", box.watch(0, "/local/domain/3/backend/vif/state", "b"));
    const uint32_t id = box.begin(2);
    SAYS("", box.write(2, "backend/left", "behind", id));
    box.guests[0]->take_events();

    box.server->end_life(2);
    LONGS_EQUAL(STORE_CLIENT_ABSENT, box.region->client(2).state);
    LONGS_EQUAL(0, box.region->client(2).watch_count);
    LONGS_EQUAL(0, box.region->client(2).transaction_count);
    SAYS("4", box.read(0, "/local/domain/3/backend/vif/state"));
    box.guests[2] = std::make_unique<FakeClient>();
    box.server->begin_life(2, 2, &box.guests[2]->ring);
    SAYS("4", box.read(2, "backend/vif/state"));
    SAYS("1", box.read(0, "/local/domain/3/backend/vif/feature-sg"));
    SAYS("ENOENT", box.read(2, "backend/left"));
    box.settle();
    LONGS_EQUAL(0, box.guests[0]->take_events().size());
    // The next life of the store too.
    box.lives[2] = 3;
    box.guests[2] = std::make_unique<FakeClient>();
    box.start();
    SAYS("4", box.read(2, "backend/vif/state"));
}

TEST(Lives, get_the_nodes_of_their_devices_once_when_the_back_end_is_there)
{
    const std::string devices = "device/vif\0n0,r1\0\0device/vif/0\0n1,r3\0\0device/vif/0/state\0n1,r3\0001\0"s;
    box.plans[0].devices = devices;
    SAYS("ENOENT", box.read(0, "device/vif/0/state"));
    SAYS("", box.watch(0, "device", "d"));
    box.guests[0]->take_events();
    box.server->make_devices(0);
    box.settle();
    CHECK(!box.guests[0]->take_events().empty());
    SAYS("1", box.read(2, "/local/domain/1/device/vif/0/state"));
    SAYS("", box.write(0, "device/vif/0/state", "4"));
    box.server->make_devices(0);
    SAYS("4", box.read(0, "device/vif/0/state"));
    // Half of them, as a store that ended in between leaves them.
    SAYS("", box.ask(0, XS_RM, "device/vif/0/state\0"s).error());
    box.server->make_devices(0);
    SAYS("1", box.read(0, "device/vif/0/state"));
    box.server->make_devices(1);
    SAYS("ENOENT", box.read(1, "device"));
    // They end with the life.
    box.server->end_life(0);
    box.guests[0] = std::make_unique<FakeClient>();
    box.server->begin_life(0, 2, &box.guests[0]->ring);
    SAYS("ENOENT", box.read(0, "device/vif/0/state"));
}

TEST(Lives, with_a_malformed_plan_say_so_and_go_on)
{
    for (const std::string& nodes : {"unfinished"s, "data\0x1\0\0"s, "a//b\0n1\0\0"s, "data\0\0\0"s, "@strange\0n0\0\0"s}) {
        box.server->end_life(0);
        box.guests[0] = std::make_unique<FakeClient>();
        box.plans[0].nodes = nodes;
        const size_t reports = box.reports.size();
        box.server->begin_life(0, 2, &box.guests[0]->ring);
        LONGS_EQUAL(reports + 1, box.reports.size());
    }
    SAYS("guest2", box.read(1, "name"));
}
