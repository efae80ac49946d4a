// SPDX-License-Identifier: BSD-2-Clause
// The store stops at every single change of its region in turn, and comes back: no client may notice.
// Every run must end with the same answers, events and nodes as the one without a stop.
#include "pvdrivers/store/server.hpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

#include <functional>

#include <CppUTest/TestHarness.h>

using namespace bulkhead::store;

namespace {

using Script = std::function<void(StoreBox&)>;

// Like StoreBox, but comes back after a stop.
class StoppingBox : public StoreBox {
public:
    StoppingBox() : StoreBox(2, 256 << 10, "/open\0b0\0\0"s "@releaseDomain\0r0\0\0"s) { stop_at = UINT64_MAX; }
    ~StoppingBox() { stop_at = UINT64_MAX; }

    template <typename Action>
    void survive(Action action)
    {
        for (;;) {
            try {
                action();
                return;
            } catch (const Stopped&) {
                stop_at = again_at;
                again_at = UINT64_MAX;
                stop_points_passed = 0;
                ++stops;
                for (;;) {
                    try {
                        start();
                        break;
                    } catch (const Stopped&) {
                        stop_at = UINT64_MAX;
                        ++stops;
                    }
                }
                sound = sound && check(*region) == nullptr;
            }
        }
    }
    // One whole exchange, whatever stops there are.
    void exchange()
    {
        survive([&] { settle(); });
    }
    void request(uint32_t client, uint32_t type, std::string_view payload, uint32_t transaction = 0)
    {
        guests[client]->send(type, payload, transaction);
        exchange();
    }

    uint64_t again_at = UINT64_MAX;  // a stop during the return itself
    uint32_t stops = 0;
    bool sound = true;
};

std::string transcript(StoppingBox& box)
{
    std::string text;
    for (const auto& guest : box.guests) {
        for (const Answer& answer : guest->answers)
            text += std::to_string(answer.type) + ":" + answer.text + ";";
        for (const Event& event : guest->events)
            text += event.path + "|" + event.token + ";";
        text += "\n";
    }
    return text;
}

void writes_and_reads(StoppingBox& box)
{
    box.request(0, XS_WATCH, "data\0t\0"s);
    box.request(0, XS_WRITE, "data/a/b\0one"s);
    box.request(0, XS_READ, "data/a/b\0"s);
    box.request(0, XS_WRITE, "data/a/b\0another value that needs more than a single cell of text to be kept"s);
    box.request(0, XS_SET_PERMS, "data/a/b\0n1\0r2\0"s);
    box.request(0, XS_DIRECTORY, "data/a\0"s);
    box.request(0, XS_GET_PERMS, "data/a/b\0"s);
    box.request(1, XS_READ, "/local/domain/1/data/a/b\0"s);
    box.request(0, XS_RM, "data/a\0"s);
    box.request(0, XS_READ, "data/a/b\0"s);
    box.request(0, XS_WRITE, "not/allowed\0x"s);
    box.request(0, XS_UNWATCH, "data\0t\0"s);
}

void transactions(StoppingBox& box)
{
    box.request(0, XS_WATCH, "data\0t\0"s);
    box.request(0, XS_WRITE, "data/old/x\0one"s);
    box.request(0, XS_TRANSACTION_START, "\0"s);
    box.request(0, XS_READ, "data/none\0"s, 1);
    box.request(0, XS_WRITE, "data/new/y\0two"s, 1);
    box.request(0, XS_RM, "data/old\0"s, 1);
    box.request(0, XS_DIRECTORY, "data\0"s, 1);
    box.request(0, XS_TRANSACTION_END, "T\0"s, 1);
    box.request(0, XS_TRANSACTION_START, "\0"s);
    box.request(0, XS_READ, "data/new/y\0"s, 2);
    box.request(0, XS_WRITE, "data/new/y\0three"s);
    box.request(0, XS_WRITE, "data/z\0z"s, 2);
    box.request(0, XS_TRANSACTION_END, "T\0"s, 2);
    box.request(0, XS_DIRECTORY, "data\0"s);
}

void long_messages(StoppingBox& box)
{
    box.request(0, XS_WRITE, "data/long\0"s + std::string(1800, 'v'));
    box.request(0, XS_READ, "data/long\0"s);
    box.request(0, XS_READ, std::string(3000, 'x'));
}

void slow_readers(StoppingBox& box)
{
    box.request(0, XS_WATCH, "/open\0t\0"s);
    box.guests[0]->reads = false;
    for (int i = 0; i < 6; ++i)
        box.request(1, XS_WRITE, "/open/" + std::string(200, 'n') + std::to_string(i) + "\0"s);
    box.guests[0]->send(XS_READ, "name\0"s);
    box.exchange();
    box.guests[0]->reads = true;
    box.exchange();
    box.request(0, XS_RESET_WATCHES, "\0"s);
}

void lives(StoppingBox& box)
{
    box.request(0, XS_WATCH, "@releaseDomain\0t\0"s);
    box.request(0, XS_WATCH, "/local/domain/2\0t\0"s);
    box.request(1, XS_WRITE, "data/x\0y"s);
    box.request(1, XS_WATCH, "data\0t\0"s);
    box.request(1, XS_TRANSACTION_START, "\0"s);
    box.guests[1] = std::make_unique<FakeClient>();
    box.lives[1] = 2;
    box.survive([&] {
        if (box.region->client(1).life != 2)
            box.server->end_life(1);
        box.server->begin_life(1, 2, &box.guests[1]->ring);
    });
    box.exchange();
    box.request(1, XS_READ, "name\0"s);
    box.request(1, XS_READ, "data/x\0"s);
}

void reconnection(StoppingBox& box)
{
    box.request(0, XS_WRITE, "data/x\0y"s);
    box.request(0, XS_WATCH, "data\0t\0"s);
    box.guests[0]->ring.connection = XENSTORE_RECONNECT;
    box.exchange();
    box.request(0, XS_READ, "data/x\0"s);
}

void broken_ring(StoppingBox& box)
{
    box.request(0, XS_WATCH, "data\0t\0"s);
    box.guests[0]->ring.req_prod += 3000;
    box.survive([&] { box.server->turn(); });
    box.guests[0]->ring.req_prod -= 3000;
    box.guests[0]->ring.connection = XENSTORE_RECONNECT;
    box.exchange();
    box.request(0, XS_READ, "name\0"s);
}

// Runs a script with a stop at every point; `second` of a return also stops, then at its n-th point.
void stop_everywhere(void (*script)(StoppingBox&), uint64_t step, bool twice)
{
    std::string expected;
    uint64_t points = 0;
    {
        StoppingBox box;
        box.start();
        stop_points_passed = 0;
        script(box);
        points = stop_points_passed;
        expected = transcript(box);
        CHECK(points > 20);
    }
    for (uint64_t at = 0; at < points; at += step) {
        StoppingBox box;
        box.start();
        stop_points_passed = 0;
        stop_at = at;
        box.again_at = twice ? at % 97 : UINT64_MAX;
        script(box);
        CHECK(box.stops >= 1);
        CHECK(box.sound);
        STRCMP_EQUAL("", box.problem().c_str());
        const std::string got = transcript(box);
        if (got != expected)
            std::printf("stopped at %lu of %lu\n", static_cast<unsigned long>(at), static_cast<unsigned long>(points));
        CHECK(got == expected);
        CHECK(box.reports.size() <= 1);  // the broken ring's, never one about the region
    }
}

}  // namespace

TEST_GROUP(Restart)
{
    void teardown() override { stop_at = UINT64_MAX; }
};

TEST(Restart, in_reads_and_writes) { stop_everywhere(writes_and_reads, 1, false); }
TEST(Restart, in_transactions) { stop_everywhere(transactions, 1, false); }
TEST(Restart, in_messages_longer_than_the_ring) { stop_everywhere(long_messages, 1, false); }
TEST(Restart, while_events_wait) { stop_everywhere(slow_readers, 1, false); }
TEST(Restart, in_a_change_of_lives) { stop_everywhere(lives, 1, false); }
TEST(Restart, in_a_reconnection) { stop_everywhere(reconnection, 1, false); }
TEST(Restart, in_closing_a_ring) { stop_everywhere(broken_ring, 1, false); }

TEST(Restart, and_once_more_while_coming_back)
{
    for (auto* script : {writes_and_reads, transactions, long_messages, slow_readers, lives, reconnection})
        stop_everywhere(script, 7, true);
}

TEST(Restart, while_the_region_is_made)
{
    uint64_t points = 0;
    {
        StoppingBox box;
        stop_points_passed = 0;
        box.start();
        points = stop_points_passed;
    }
    for (uint64_t at = 0; at < points; ++at) {
        StoppingBox box;
        stop_points_passed = 0;
        stop_at = at;
        box.survive([&] { box.start(); });
        CHECK(box.entered);
        STRCMP_EQUAL("", box.problem().c_str());
        STRCMP_EQUAL("guest2", box.read(1, "name").c_str());
        STRCMP_EQUAL("", box.read(0, "/open").c_str());
    }
}

TEST(Restart, keeps_half_received_requests_and_half_sent_answers)
{
    StoreBox box(2);
    box.start();
    const std::string request = FakeClient::message(XS_WRITE, 1, 0, "data/x\0"s + std::string(1900, 'v'));
    box.guests[0]->sent_to_ring = request.substr(0, 1200);
    box.settle();
    CHECK(box.region->client(0).request_bytes > 1024);
    box.start();
    box.guests[0]->sent_to_ring += request.substr(1200);
    box.settle();
    LONGS_EQUAL(1, box.guests[0]->answers.size());
    box.guests[0]->reads = false;
    box.guests[0]->send(XS_READ, "data/x\0"s);
    box.settle();
    CHECK(box.region->client(0).reply_sent > 500);
    box.start();
    box.guests[0]->reads = true;
    box.settle();
    CHECK(box.guests[0]->answers.back().text == std::string(1900, 'v'));
}
