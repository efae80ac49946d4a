// SPDX-License-Identifier: BSD-2-Clause
// The switch stops at every single change of a ring or of its region in turn, and comes back: front
// ends find each response in its place, every frame arrives whole, none is lost, some come twice.
#include "pvdrivers/switch/data_path.hpp"

#include "tests/unit/switch/switch_box.hpp"
#include "tests/unit/switch/units.hpp"

#include <CppUTest/TestHarness.h>

namespace bulkhead::net {

namespace {

// Rounds of traffic both ways, small frames and large ones, extra infos among them.
struct Traffic {
    SwitchBox box{some_cards(2)};
    uint64_t again_at = UINT64_MAX;     // a stop while the next life begins
    unsigned stops = 0;
    std::vector<Bytes> sent[2];

    ~Traffic() { stop_at = UINT64_MAX; }

    void survive()
    {
        for (bool done = false; !done;) {
            try {
                box.run();
                done = true;
            } catch (const Stopped&) {
                ++stops;
                stop_at = std::exchange(again_at, UINT64_MAX);
                stop_points_passed = 0;
                begin_anew();
            }
        }
    }
    void begin_anew()
    {
        try {
            box.start();
        } catch (const Stopped&) {
            ++stops;
            stop_at = UINT64_MAX;
            box.start();
        }
    }
    void send(unsigned from, const Bytes& bytes, const FakeGuest::Shape& shape)
    {
        CHECK(box.guests[from]->send(bytes, shape));
        sent[from].push_back(bytes);
    }
    bool round(unsigned number)
    {
        for (auto& guest : box.guests)
            guest->post();
        FakeGuest& a = *box.guests[0];
        FakeGuest& b = *box.guests[1];
        const auto seed = static_cast<uint8_t>(number);
        for (uint8_t i = 0; i < 3; ++i) {
            send(0, frame_bytes(b.mac, a.mac, 98, 0x800, static_cast<uint8_t>(seed * 16 + i)), {{}, 0, 0, 0, 0});
            send(1, frame_bytes(a.mac, b.mac, 60, 0x800, static_cast<uint8_t>(seed * 16 + i + 8)), {{}, 0, 0, 0, 0});
        }
        send(0, frame_bytes(b.mac, a.mac, 5066, 0x800, seed), {{66, 3000, 2000}, 10, NETTXF_csum_blank, 1, 1448});
        survive();
        return box.pull();
    }
    // Every frame has come, in order, and nothing else; the same one may come again.
    bool arrived(unsigned from)
    {
        const auto& received = box.guests[1 - from]->received;
        size_t next = 0;
        for (const Received& frame : received) {
            if (next < sent[from].size() && frame.bytes == sent[from][next]) {
                ++next;
                continue;
            }
            // A frame from before: the batch is sent again from there.
            size_t before = next;
            while (before > 0 && sent[from][before - 1] != frame.bytes)
                --before;
            if (before == 0)
                return false;
            next = before;
        }
        return next == sent[from].size();
    }
    bool all_answered()
    {
        for (auto& guest : box.guests) {
            if (guest->tx_rsp_cons != guest->tx_req_prod || guest->tx_failed != 0 || guest->rx_failed != 0)
                return false;
        }
        return true;
    }
};

constexpr unsigned rounds = 3;

uint64_t points_of_a_run()
{
    Traffic traffic;
    stop_points_passed = 0;
    for (unsigned i = 0; i < rounds; ++i)
        CHECK(traffic.round(i));
    return stop_points_passed;
}

void run_with_stops(uint64_t first, uint64_t second)
{
    Traffic traffic;
    stop_points_passed = 0;
    stop_at = first;
    traffic.again_at = second;
    for (unsigned i = 0; i < rounds; ++i)
        CHECK_TEXT(traffic.round(i), "a response is not where its ring expects it");
    CHECK(traffic.stops >= 1);
    CHECK(traffic.all_answered());
    CHECK(traffic.arrived(0));
    CHECK(traffic.arrived(1));
}

}  // namespace

// clang-format off
TEST_GROUP(SwitchRestart) {};
// clang-format on

TEST(SwitchRestart, a_stop_at_any_change_is_not_noticed)
{
    const uint64_t points = points_of_a_run();
    CHECK(points > 100);
    for (uint64_t at = 0; at < points; ++at)
        run_with_stops(at, UINT64_MAX);
}

TEST(SwitchRestart, nor_is_a_second_stop_soon_after)
{
    const uint64_t points = points_of_a_run();
    for (uint64_t at = 0; at < points; at += 3) {
        for (uint64_t again = 0; again < 24; ++again)
            run_with_stops(at, again);
    }
}

TEST(SwitchRestart, a_region_of_nonsense_is_made_afresh)
{
    std::vector<std::byte> memory(sizeof(JournalRegion) + 8, std::byte{0xa5});
    auto* region = reinterpret_cast<JournalRegion*>(memory.data());
    for (const uint64_t magic : {JournalRegion::right_magic, uint64_t{1}}) {
        region->magic = magic;
        region->count = 1000;
        Journal journal;
        CHECK(journal.open(memory).has_value());
        CHECK_EQUAL(0u, region->count);
    }
    Journal journal;
    CHECK(!journal.open({memory.data(), 100}).has_value());
}

TEST(SwitchRestart, what_was_written_for_another_connection_is_forgotten)
{
    SwitchBox box(some_cards(2));
    for (auto& guest : box.guests)
        guest->post();
    CHECK(box.guests[0]->send(frame_bytes(box.guests[1]->mac, box.guests[0]->mac, 60)));
    stop_points_passed = 0;
    stop_at = 3;        // the responses are kept, the ring is as it was
    try {
        box.run();
        FAIL("the run was to stop");
    } catch (const Stopped&) {
    }
    stop_at = UINT64_MAX;
    box.guests[0]->life = box.guests[1]->life = 2;
    box.start();
    CHECK_EQUAL(0u, box.guests[1]->rx->rsp_prod);
}

}  // namespace bulkhead::net
