// SPDX-License-Identifier: BSD-2-Clause
// The driver of Intel's cards against a model of each.
#include "pvdrivers/nic/intel.hpp"

#include "pvdrivers/nic/driver.cpp"
#include "pvdrivers/nic/frame.cpp"
#include "pvdrivers/nic/intel.cpp"
#include "pvdrivers/nic/intel_start.cpp"
#include "pvdrivers/nic/sending.cpp"
#include "tests/unit/nic/intel_model.hpp"
#include "tests/unit/nic/owner.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;
using namespace bulkhead::nic;
using R = intel::Register;

namespace {

struct Setup {
    explicit Setup(bool express, size_t pages = 256)
        : memory(pages), card(memory, express), driver(card, *intel::find_variant(card.id())), owner(driver)
    {
    }
    bool start()
    {
        if (!driver.start(memory.arena(), owner.handler()))
            return false;
        owner.serve();
        return true;
    }
    ModelMemory memory;
    IntelModel card;
    IntelDriver driver;
    Owner owner;
};

}  // namespace

TEST_GROUP(Intel)
{
    Setup e1000{false};
    Setup e1000e{true};
    void setup() override
    {
        CHECK(e1000.start());
        CHECK(e1000e.start());
    }
    void teardown() override
    {
        LONGS_EQUAL(0, e1000.memory.faults);
        LONGS_EQUAL(0, e1000e.memory.faults);
    }
    template <class Function>
    void both(Function function)
    {
        function(e1000);
        function(e1000e);
    }
};

TEST(Intel, cards_are_known_by_their_ids)
{
    STRCMP_EQUAL("82540EM", e1000.driver.name());
    STRCMP_EQUAL("82574L", e1000e.driver.name());
    POINTERS_EQUAL(nullptr, intel::find_variant({0x8086, 0x1533}));
    POINTERS_EQUAL(nullptr, intel::find_variant({0x1af4, 0x100e}));
}

TEST(Intel, the_mac_address_and_the_link_are_the_cards)
{
    both([](Setup& it) {
        const MacAddress expected{{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}};
        CHECK(it.driver.mac() == expected);
        CHECK(it.driver.link() == (LinkState{true, 1000, true}));
    });
}

TEST(Intel, the_eeprom_has_the_mac_address_if_the_register_has_none)
{
    for (const bool express : {false, true}) {
        Setup it{express};
        it.card.ignores_reset = true;
        it.card.reg(R::RAH0) = 0;
        CHECK(it.start());
        LONGS_EQUAL(0x52, it.driver.mac().bytes[0]);
        LONGS_EQUAL(0x56, it.driver.mac().bytes[5]);
        LONGS_EQUAL(0x80005634, it.card.reg(R::RAH0));
    }
}

TEST(Intel, a_card_without_a_usable_mac_address_is_refused)
{
    Setup multicast{true};
    multicast.card.ignores_reset = true;
    multicast.card.reg(R::RAL0) = 0x12005453;
    CHECK_FALSE(multicast.start());
    Setup silent{true};
    silent.card.ignores_reset = true;
    silent.card.reg(R::RAH0) = 0;
    silent.card.no_eeprom = true;
    CHECK_FALSE(silent.start());
    CHECK_FALSE(silent.memory.on);
}

TEST(Intel, a_card_that_is_not_there_or_stays_in_reset_is_refused)
{
    Setup gone{true};
    gone.card.gone = true;
    CHECK_FALSE(gone.start());
    Setup stuck{false};
    stuck.card.stuck_in_reset = true;
    CHECK_FALSE(stuck.start());
    Setup small{true};
    small.card.bar_bytes = 4096;
    CHECK_FALSE(small.start());
    Setup cut_off{true};
    cut_off.card.refuse_dma = true;
    CHECK_FALSE(cut_off.start());
}

TEST(Intel, an_arena_below_the_least_is_refused)
{
    Setup it{true, DmaArena::least_pages - 1};
    const auto started = it.driver.start(it.memory.arena(), it.owner.handler());
    CHECK(!started && started.error() == XEN_ENOMEM);
    Setup least{true, DmaArena::least_pages};
    CHECK(least.start());
    CHECK(least.owner.send(make_frame({}, 60000), gso({}, 1448)));
}

TEST(Intel, frames_are_sent_as_they_are)
{
    both([](Setup& it) {
        const Bytes small = plain_frame(14);
        const Bytes large = plain_frame(1518);
        CHECK(it.owner.send(small));
        CHECK(it.owner.send(large, {}, 500));
        LONGS_EQUAL(2, it.card.sent.size());
        CHECK(it.card.sent[0] == small);
        CHECK(it.card.sent[1] == large);
        LONGS_EQUAL(2, it.driver.counters().tx_frames);
        LONGS_EQUAL(1532, it.driver.counters().tx_bytes);
    });
}

TEST(Intel, nothing_is_sent_before_the_kick)
{
    CHECK(e1000e.owner.send(plain_frame(60), {}, 4096, false));
    CHECK(e1000e.owner.send(plain_frame(60), {}, 4096, false));
    LONGS_EQUAL(0, e1000e.card.sent.size());
    const unsigned before = e1000e.card.tail_writes;
    e1000e.driver.kick();
    e1000e.driver.kick();
    LONGS_EQUAL(2, e1000e.card.sent.size());
    LONGS_EQUAL(before + 1, e1000e.card.tail_writes);
}

TEST(Intel, many_frames_go_round_the_rings)
{
    both([](Setup& it) {
        for (unsigned i = 0; i < 1000; ++i) {
            const Bytes frame = plain_frame(60 + i, static_cast<uint8_t>(i));
            CHECK(it.owner.send(frame, {}, 600));
            CHECK(it.card.sent.back() == frame);
            CHECK(it.card.receive(frame));
            if (i % 50 == 49)
                it.owner.serve();
        }
        LONGS_EQUAL(1000, it.owner.received.size());
        CHECK(it.owner.received[999] == plain_frame(1059, static_cast<uint8_t>(999)));
        LONGS_EQUAL(0, it.driver.counters().tx_no_buffer);
    });
}

TEST(Intel, the_card_computes_checksums)
{
    both([](Setup& it) {
        for (const FrameKind kind : {FrameKind{}, FrameKind{.udp = true}, FrameKind{.ipv6 = true},
                                     FrameKind{.ipv6 = true, .udp = true, .vlan = true}, FrameKind{.options = 12}}) {
            CHECK(it.owner.send(make_frame(kind, 333), blank()));
            CHECK(sums_are_right(it.card.sent.back(), kind));
        }
        LONGS_EQUAL(0, it.driver.counters().software_checksums);
    });
}

TEST(Intel, the_card_is_told_where_checksums_are_only_when_it_changes)
{
    CHECK(e1000e.owner.send(make_frame({}, 10), blank()));
    const uint32_t after_first = e1000e.card.reg(R::TDT);
    CHECK(e1000e.owner.send(make_frame({}, 20), blank()));
    CHECK(e1000e.owner.send(plain_frame(60)));
    LONGS_EQUAL(after_first + 2, e1000e.card.reg(R::TDT));
    CHECK(e1000e.owner.send(make_frame({.udp = true}, 20), blank()));
    LONGS_EQUAL(after_first + 4, e1000e.card.reg(R::TDT));
}

TEST(Intel, the_card_cuts_long_frames)
{
    both([](Setup& it) {
        for (const FrameKind kind : {FrameKind{.options = 12}, FrameKind{.ipv6 = true, .vlan = true}}) {
            it.card.sent.clear();
            const Bytes whole = make_frame(kind, 60000);
            CHECK(it.owner.send(whole, gso(kind, 1400)));
            STRCMP_EQUAL(nullptr, wrong_with_segments(it.card.sent, whole, kind, 1400));
        }
        LONGS_EQUAL(0, it.driver.counters().software_segments);
    });
}

TEST(Intel, a_long_frame_of_one_segment_is_an_ordinary_one)
{
    const Bytes frame = make_frame({}, 1400);
    CHECK(e1000e.owner.send(frame, gso({}, 1400)));
    LONGS_EQUAL(1, e1000e.card.sent.size());
    CHECK(sums_are_right(e1000e.card.sent[0], {}));
}

TEST(Intel, frames_that_do_not_fit_their_offload_are_refused)
{
    Owner& owner = e1000e.owner;
    CHECK_FALSE(owner.send(plain_frame(60), blank()));
    CHECK_FALSE(owner.send(make_frame({.udp = true}, 3000), gso({}, 1400)));
    CHECK_FALSE(owner.send(make_frame({.ipv6 = true}, 3000), gso({}, 1400)));
    CHECK_FALSE(owner.send(make_frame({}, 3000), gso({}, 0)));
    CHECK_FALSE(owner.send(make_frame({}, 3000), gso({}, 1500)));
    CHECK_FALSE(owner.send(make_frame({}, 3000), gso({}, 5)));
    CHECK_FALSE(owner.send(make_frame({}, 1500), blank()));
    CHECK_FALSE(owner.send(Bytes(13)));
    Bytes fragment = make_frame({}, 100);
    fragment[20] = 0x20;
    CHECK_FALSE(owner.send(fragment, blank()));
    LONGS_EQUAL(9, e1000e.driver.counters().tx_bad);
    LONGS_EQUAL(0, e1000e.card.sent.size());
    // And nothing has got lost.
    CHECK(owner.send(make_frame({}, 60000), gso({}, 1400)));
}

TEST(Intel, buffers_that_are_not_the_owners_are_refused)
{
    std::byte mine[100]{};
    const std::span<std::byte> foreign[] = {std::span{mine}};
    CHECK_FALSE(e1000e.driver.send(foreign, {}));
    const auto buffer = e1000e.driver.tx_buffer();
    const std::span<std::byte> twice[] = {buffer.first(50), buffer.subspan(50, 50)};
    CHECK_FALSE(e1000e.driver.send(twice, {}));
    const auto released = e1000e.driver.tx_buffer();
    e1000e.driver.tx_release(released);
    const std::span<std::byte> late[] = {released.first(60)};
    CHECK_FALSE(e1000e.driver.send(late, {}));
    LONGS_EQUAL(3, e1000e.driver.counters().tx_bad);
}

TEST(Intel, all_buffers_come_back)
{
    size_t count = 0;
    while (!e1000e.driver.tx_buffer().empty())
        ++count;
    CHECK(count > 100);
    LONGS_EQUAL(1, e1000e.driver.counters().tx_no_buffer);

    Setup it{true};
    CHECK(it.start());
    for (unsigned i = 0; i < 300; ++i)
        CHECK(it.owner.send(plain_frame(1500), {}, 300));
    size_t again = 0;
    while (!it.driver.tx_buffer().empty())
        ++again;
    LONGS_EQUAL(count, again);
}

TEST(Intel, an_owner_without_buffers_is_woken)
{
    e1000e.card.hold_transmit = true;
    while (e1000e.owner.send(plain_frame(60))) {
    }
    const unsigned before = e1000e.owner.events;
    e1000e.card.hold_transmit = false;
    e1000e.card.transmit();
    LONGS_EQUAL(before + 1, e1000e.owner.events);
    e1000e.owner.serve();
    CHECK(e1000e.owner.send(plain_frame(60)));
}

TEST(Intel, received_frames_raise_one_event_until_the_owner_listens)
{
    CHECK(e1000e.card.receive(plain_frame(60)));
    CHECK(e1000e.card.receive(plain_frame(70)));
    LONGS_EQUAL(1, e1000e.owner.events);
    e1000e.owner.serve();
    LONGS_EQUAL(2, e1000e.owner.received.size());
    CHECK(e1000e.owner.received[1] == plain_frame(70));
    CHECK(e1000e.card.receive(plain_frame(80)));
    LONGS_EQUAL(2, e1000e.owner.events);
}

TEST(Intel, a_frame_that_comes_while_the_owner_stops_is_not_forgotten)
{
    e1000e.driver.on_interrupt();
    CHECK(e1000e.card.receive(plain_frame(60)));
    CHECK_FALSE(e1000e.driver.listen());
    LONGS_EQUAL(0, e1000e.card.reg(R::IMS) & intel::INTERRUPT_RXQ0);
}

TEST(Intel, only_checksums_that_the_card_has_checked_are_valid)
{
    both([](Setup& it) {
        CHECK(it.card.receive(plain_frame(60)));
        CHECK(it.card.receive(plain_frame(60), intel::RXD_STATUS_TCPCS));
        CHECK(it.card.receive(plain_frame(60), intel::RXD_STATUS_TCPCS, 0x20));
        CHECK(it.card.receive(plain_frame(60), intel::RXD_STATUS_TCPCS | intel::RXD_STATUS_IXSM));
        it.owner.serve();
        LONGS_EQUAL(4, it.owner.offloads.size());
        CHECK_FALSE(it.owner.offloads[0].checksum_valid);
        CHECK(it.owner.offloads[1].checksum_valid);
        CHECK_FALSE(it.owner.offloads[2].checksum_valid);
        CHECK_FALSE(it.owner.offloads[3].checksum_valid);
    });
}

TEST(Intel, bad_frames_are_dropped_and_counted)
{
    CHECK(e1000e.card.receive(plain_frame(60), 0, 1));
    CHECK(e1000e.card.receive(plain_frame(13 + 1)));
    e1000e.card.override_length = 13;
    CHECK(e1000e.card.receive(plain_frame(60)));
    e1000e.card.override_length.reset();
    e1000e.owner.serve();
    LONGS_EQUAL(1, e1000e.owner.received.size());
    LONGS_EQUAL(2, e1000e.driver.counters().rx_errors);
    LONGS_EQUAL(0, e1000e.driver.counters().broken);
}

TEST(Intel, a_frame_over_several_buffers_is_dropped_to_its_end)
{
    e1000e.card.without_end = true;
    CHECK(e1000e.card.receive(plain_frame(2000)));
    CHECK(e1000e.card.receive(plain_frame(2000)));
    e1000e.card.without_end = false;
    CHECK(e1000e.card.receive(plain_frame(100)));
    CHECK(e1000e.card.receive(plain_frame(200)));
    e1000e.owner.serve();
    LONGS_EQUAL(1, e1000e.owner.received.size());
    LONGS_EQUAL(200, e1000e.owner.received[0].size());
    LONGS_EQUAL(1, e1000e.driver.counters().rx_errors);
}

TEST(Intel, a_length_beyond_the_buffer_resets_the_card)
{
    both([](Setup& it) {
        it.card.override_length = 2049;
        CHECK(it.card.receive(plain_frame(60)));
        it.card.override_length.reset();
        it.owner.serve();
        LONGS_EQUAL(0, it.owner.received.size());
        LONGS_EQUAL(1, it.driver.counters().broken);
        LONGS_EQUAL(1, it.driver.counters().resets);
        CHECK(it.card.receive(plain_frame(60)));
        it.owner.serve();
        LONGS_EQUAL(1, it.owner.received.size());
    });
}

TEST(Intel, a_card_that_keeps_breaking_its_rules_is_reset_once_a_second)
{
    for (unsigned i = 0; i < 5; ++i) {
        e1000e.card.override_length = 5000;
        (void)e1000e.card.receive(plain_frame(60));
        e1000e.owner.serve();
    }
    LONGS_EQUAL(1, e1000e.driver.counters().resets);
    CHECK_FALSE(e1000e.owner.send(plain_frame(60)));
    e1000e.driver.maintain();
    LONGS_EQUAL(2, e1000e.driver.counters().resets);
    CHECK(e1000e.owner.send(plain_frame(60)));
}

TEST(Intel, frames_missed_are_the_cards_count)
{
    size_t taken = 0;
    while (e1000e.card.receive(plain_frame(60)))
        ++taken;
    CHECK(taken > 100);
    e1000e.card.reg(R::CRCERRS) = 7;
    e1000e.driver.maintain();
    LONGS_EQUAL(1, e1000e.driver.counters().rx_missed);
    LONGS_EQUAL(7, e1000e.driver.counters().rx_errors);
    e1000e.owner.serve();
    LONGS_EQUAL(taken, e1000e.owner.received.size());
    CHECK(e1000e.card.receive(plain_frame(60)));
}

TEST(Intel, the_link_changes_are_seen)
{
    const unsigned before = e1000e.owner.events;
    e1000e.card.set_link(false);
    LONGS_EQUAL(before + 1, e1000e.owner.events);
    e1000e.owner.serve();
    CHECK_FALSE(e1000e.driver.link().up);
    e1000e.card.set_link(true);
    e1000e.owner.serve();
    CHECK(e1000e.driver.link().up);
    LONGS_EQUAL(2, e1000e.driver.counters().link_changes);

    e1000.card.set_link(false);
    e1000.driver.maintain();
    CHECK_FALSE(e1000.driver.link().up);
}

TEST(Intel, a_card_without_interrupts_is_polled)
{
    CHECK(e1000.driver.poll_every() == std::chrono::milliseconds{1});
    CHECK(e1000e.driver.poll_every() == Duration{0});
    CHECK(e1000.card.receive(plain_frame(60)));
    LONGS_EQUAL(0, e1000.owner.events);
    e1000.owner.serve();
    LONGS_EQUAL(1, e1000.owner.received.size());

    Setup refused{true};
    refused.card.refuse_interrupts = true;
    CHECK(refused.start());
    CHECK(refused.driver.poll_every() != Duration{0});
}

TEST(Intel, a_line_is_given_back_by_reading_its_cause)
{
    Setup it{false};
    it.card.vector_count = 1;
    CHECK(it.start());
    CHECK(it.driver.poll_every() == Duration{0});
    CHECK(it.card.receive(plain_frame(60)));
    LONGS_EQUAL(1, it.owner.events);
    // Before the owner looks.
    LONGS_EQUAL(0, it.card.reg(R::ICR));
    LONGS_EQUAL(0, it.card.reg(R::IMS));
    it.card.set_link(false);
    it.owner.serve();
    CHECK_FALSE(it.driver.link().up);
}

TEST(Intel, a_card_that_a_former_life_left_running_is_taken_over)
{
    for (const bool ignores : {false, true}) {
        ModelMemory memory{256};
        IntelModel card{memory, !ignores};
        card.ignores_reset = ignores;
        {
            IntelDriver former{card, *intel::find_variant(card.id())};
            Owner owner{former};
            CHECK(former.start(memory.arena(), owner.handler()).has_value());
            owner.serve();
            for (unsigned i = 0; i < 77; ++i) {
                CHECK(card.receive(plain_frame(60)));
                CHECK(owner.send(plain_frame(60)));
            }
        }
        card.sent.clear();
        IntelDriver next{card, *intel::find_variant(card.id())};
        Owner owner{next};
        CHECK(next.start(memory.arena(), owner.handler()).has_value());
        owner.serve();
        LONGS_EQUAL(0, owner.received.size());
        CHECK(card.receive(plain_frame(90)));
        CHECK(owner.send(plain_frame(91)));
        owner.serve();
        LONGS_EQUAL(1, owner.received.size());
        CHECK(owner.received[0] == plain_frame(90));
        LONGS_EQUAL(1, card.sent.size());
        CHECK(card.sent[0] == plain_frame(91));
        LONGS_EQUAL(0, memory.faults);
    }
}

TEST(Intel, a_card_that_ignores_its_reset_goes_on_receiving)
{
    e1000.card.ignores_reset = true;
    e1000.driver.reset();
    LONGS_EQUAL(1, e1000.card.receive_control_writes);
    CHECK(e1000.card.receive(plain_frame(60)));
    e1000.owner.serve();
    LONGS_EQUAL(1, e1000.owner.received.size());
    e1000.card.ignores_reset = false;
    e1000.driver.reset();
    LONGS_EQUAL(2, e1000.card.receive_control_writes);
}

TEST(Intel, a_reset_leaves_the_owner_its_buffers)
{
    const auto tx = e1000e.driver.tx_buffer();
    CHECK(e1000e.card.receive(plain_frame(60)));
    std::array<RxFrame, 4> frames;
    LONGS_EQUAL(1, e1000e.driver.receive(frames));
    e1000e.card.hold_transmit = true;
    CHECK(e1000e.owner.send(plain_frame(60)));
    e1000e.driver.reset();
    e1000e.card.hold_transmit = false;
    LONGS_EQUAL(1, e1000e.driver.counters().tx_lost);
    LONGS_EQUAL(1, e1000e.driver.counters().resets);
    e1000e.driver.recycle({frames.data(), 1});
    const std::span<std::byte> pieces[] = {tx.first(60)};
    CHECK(e1000e.driver.send(pieces, {}));
    e1000e.driver.kick();
    LONGS_EQUAL(1, e1000e.card.sent.size());
    // A second recycling does nothing.
    e1000e.driver.recycle({frames.data(), 1});
}

TEST(Intel, a_card_that_sends_nothing_any_more_is_reset)
{
    e1000e.card.hold_transmit = true;
    CHECK(e1000e.owner.send(plain_frame(60)));
    for (unsigned second = 0; second < 4; ++second)
        e1000e.driver.maintain();
    LONGS_EQUAL(1, e1000e.driver.counters().resets);
    LONGS_EQUAL(1, e1000e.driver.counters().tx_lost);
    e1000e.card.hold_transmit = false;
    CHECK(e1000e.owner.send(plain_frame(61)));
    CHECK(e1000e.card.sent.back() == plain_frame(61));
}

TEST(Intel, a_card_without_a_link_may_take_its_time)
{
    e1000e.card.set_link(false);
    e1000e.owner.serve();
    e1000e.card.hold_transmit = true;
    CHECK(e1000e.owner.send(plain_frame(60)));
    for (unsigned second = 0; second < 10; ++second)
        e1000e.driver.maintain();
    LONGS_EQUAL(0, e1000e.driver.counters().resets);
}

TEST(Intel, a_card_that_vanishes_and_comes_back_works_again)
{
    e1000e.card.gone = true;
    e1000e.driver.maintain();
    e1000e.driver.maintain();
    CHECK_FALSE(e1000e.owner.send(plain_frame(60)));
    LONGS_EQUAL(0, e1000e.card.sent.size());
    e1000e.card.gone = false;
    e1000e.driver.maintain();
    CHECK(e1000e.owner.send(plain_frame(60)));
    LONGS_EQUAL(1, e1000e.card.sent.size());
}

TEST(Intel, a_phy_that_sleeps_is_woken_and_one_that_works_is_left_alone)
{
    LONGS_EQUAL(intel::PHY_CONTROL_AUTONEG, e1000e.card.phy_control);
    Setup it{true};
    it.card.phy_control = intel::PHY_CONTROL_POWER_DOWN;
    CHECK(it.start());
    LONGS_EQUAL(intel::PHY_CONTROL_AUTONEG | intel::PHY_CONTROL_RESTART_AUTONEG, it.card.phy_control);
}
