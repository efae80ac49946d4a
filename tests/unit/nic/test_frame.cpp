// SPDX-License-Identifier: BSD-2-Clause
// Headers, sums and segments of frames.
#include "pvdrivers/nic/frame.hpp"

#include "pvdrivers/nic/frame.cpp"
#include "tests/unit/nic/card_model.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::nic;

namespace {

std::span<const std::byte> bytes_of(const Bytes& frame, size_t bytes)
{
    return std::as_bytes(std::span{frame}).first(bytes);
}

}  // namespace

TEST_GROUP(Frame)
{
};

TEST(Frame, headers_are_found_where_they_are)
{
    for (const bool ipv6 : {false, true}) {
        for (const bool udp : {false, true}) {
            for (const bool vlan : {false, true}) {
                const FrameKind kind{ipv6, udp, vlan, udp ? 0U : 12U};
                const Bytes frame = make_frame(kind, 10);
                const auto found = find_headers(bytes_of(frame, frame.size()));
                CHECK(found.has_value());
                LONGS_EQUAL(kind.network(), found->network);
                LONGS_EQUAL(kind.transport(), found->transport);
                LONGS_EQUAL(kind.payload(), found->payload);
                LONGS_EQUAL(kind.checksum(), found->checksum);
                CHECK(found->ipv6 == ipv6 && found->tcp == !udp);
            }
        }
    }
}

TEST(Frame, headers_that_are_cut_off_are_none)
{
    for (const FrameKind kind : {FrameKind{.vlan = true, .options = 40}, FrameKind{.ipv6 = true, .udp = true}}) {
        const Bytes frame = make_frame(kind, 10);
        for (size_t bytes = 0; bytes < kind.payload(); ++bytes)
            CHECK_FALSE(find_headers(bytes_of(frame, bytes)).has_value());
        CHECK(find_headers(bytes_of(frame, kind.payload())).has_value());
    }
}

TEST(Frame, two_tags_are_passed_three_are_not)
{
    Bytes frame = make_frame({}, 10);
    for (unsigned tags = 1; tags <= 3; ++tags) {
        const Bytes tag{0x88, 0xa8, 0, 1};
        frame.insert(frame.begin() + 12, tag.begin(), tag.end());
        const auto found = find_headers(bytes_of(frame, frame.size()));
        CHECK(found.has_value() == (tags <= 2));
    }
}

TEST(Frame, other_protocols_and_nonsense_are_none)
{
    const auto without = [](size_t at, uint8_t value, FrameKind kind = {}) {
        Bytes frame = make_frame(kind, 10);
        frame[at] = value;
        return !find_headers(bytes_of(frame, frame.size())).has_value();
    };
    CHECK(without(13, 0x06));               // ARP
    CHECK(without(14, 0x44));               // header of 16 bytes
    CHECK(without(14, 0x55));               // version 5
    CHECK(without(14, 0x4f));               // TCP's offset now comes from its payload
    CHECK(without(20, 0x20));               // more fragments
    CHECK(without(21, 0x01));               // a fragment
    CHECK_FALSE(without(20, 0x40));         // "don't fragment" is fine
    CHECK(without(23, 1));                  // ICMP
    CHECK(without(46, 0x40));               // TCP header of 16 bytes
    CHECK(without(46, 0xf0));               // longer than the frame
    CHECK(without(14, 0x40, {.ipv6 = true}));
    CHECK(without(20, 44, {.ipv6 = true}));         // fragment header
    CHECK(without(20, 43, {.ipv6 = true}));         // routing header
}

TEST(Frame, ipv6_options_are_passed_up_to_a_bound)
{
    for (const uint8_t length : {uint8_t{0}, uint8_t{3}, uint8_t{40}}) {
        Bytes frame = make_frame({.ipv6 = true}, 400);
        const size_t option_bytes = 8 + length * 8U;
        Bytes option(option_bytes);
        option[0] = 6;
        option[1] = length;
        frame.insert(frame.begin() + 54, option.begin(), option.end());
        frame[20] = 60;
        const auto found = find_headers(bytes_of(frame, frame.size()));
        CHECK(found.has_value() == (length != 40));
        if (found)
            LONGS_EQUAL(54 + option_bytes, found->transport);
    }
    // Options all the way.
    Bytes endless(2000);
    endless[12] = 0x86;
    endless[13] = 0xdd;
    endless[14] = 0x60;
    CHECK_FALSE(find_headers(bytes_of(endless, endless.size())).has_value());
}

// Source: RFC 1071, "Numerical Examples".
TEST(Frame, the_sum_is_that_of_the_standards_example)
{
    const Bytes example{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    LONGS_EQUAL(0xddf2, __builtin_bswap16(fold(add_to_sum(bytes_of(example, 8), 0))));
}

TEST(Frame, sums_of_any_length_agree_with_naive_ones)
{
    Bytes data(300);
    for (size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<uint8_t>(i < 100 ? 0xff : i * 77);
    for (size_t bytes = 0; bytes <= data.size(); ++bytes)
        LONGS_EQUAL(naive_sum(data, 0, bytes), __builtin_bswap16(fold(add_to_sum(bytes_of(data, bytes), 0))));
}

TEST(Frame, a_udp_checksum_of_zero_is_sent_as_all_ones)
{
    // The payload's last word makes the sum come out.
    const FrameKind kind{.udp = true};
    Bytes frame = make_frame(kind, 4);
    frame[frame.size() - 2] = frame[frame.size() - 1] = 0;
    const unsigned rest = naive_sum(frame, kind.transport(), frame.size());
    put16(frame, frame.size() - 2, 0xffff ^ rest);
    const std::span<std::byte> piece = std::as_writable_bytes(std::span{frame});
    const auto headers = find_headers(piece);
    CHECK(headers.has_value());
    complete_checksum({&piece, 1}, *headers);
    LONGS_EQUAL(0xffff, get16(frame, kind.checksum()));
    CHECK(sums_are_right(frame, kind));
}

TEST(Frame, pieces_of_odd_lengths_sum_up)
{
    const FrameKind kind{.ipv6 = true};
    for (size_t first = kind.payload(); first < kind.payload() + 20; ++first) {
        Bytes frame = make_frame(kind, 101);
        const auto all = std::as_writable_bytes(std::span{frame});
        const std::span<std::byte> pieces[] = {all.first(first), all.subspan(first, 7), all.subspan(first + 7)};
        complete_checksum(pieces, *find_headers(all));
        CHECK(sums_are_right(frame, kind));
    }
}
