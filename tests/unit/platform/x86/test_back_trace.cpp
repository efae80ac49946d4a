// SPDX-License-Identifier: BSD-2-Clause
// Back traces over stacks that may be anything.
#include "platform/x86/back_trace.hpp"

#include "platform/x86/back_trace.cpp"

#include <array>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

TEST_GROUP(BackTrace)
{
    std::array<uint64_t, 64> stack{};
    std::array<uint64_t, 8> found{};

    uint64_t at(size_t index) { return reinterpret_cast<uint64_t>(&stack[index]); }
    void frame(size_t index, uint64_t next, uint64_t return_address)
    {
        stack[index] = next;
        stack[index + 1] = return_address;
    }
    size_t trace(uint64_t frame_pointer)
    {
        const StackRange range{at(0), at(0) + sizeof(stack)};
        return trace_back(frame_pointer, {&range, 1}, found);
    }
};

TEST(BackTrace, follows_frames_until_the_end_of_the_chain)
{
    frame(2, at(10), 0x1111);
    frame(10, at(20), 0x2222);
    frame(20, 0, 0x3333);
    LONGS_EQUAL(3, trace(at(2)));
    LONGS_EQUAL(0x1111, found[0]);
    LONGS_EQUAL(0x2222, found[1]);
    LONGS_EQUAL(0x3333, found[2]);
}

TEST(BackTrace, ends_at_a_loop)
{
    frame(2, at(10), 0x1111);
    frame(10, at(2), 0x2222);
    LONGS_EQUAL(2, trace(at(2)));
    frame(10, at(10), 0x2222);
    LONGS_EQUAL(2, trace(at(2)));
}

TEST(BackTrace, ends_outside_of_the_stack)
{
    frame(2, 0x1234567890, 0x1111);
    LONGS_EQUAL(1, trace(at(2)));
    LONGS_EQUAL(0, trace(at(0) - 8));
    LONGS_EQUAL(0, trace(at(0) + sizeof(stack)));
    LONGS_EQUAL(0, trace(at(63)));      // only half of the record is inside
    LONGS_EQUAL(0, trace(0));
    LONGS_EQUAL(0, trace(~uint64_t{0} - 7));
}

TEST(BackTrace, ends_at_an_unaligned_frame_pointer)
{
    frame(2, at(10) + 4, 0x1111);
    LONGS_EQUAL(1, trace(at(2)));
}

TEST(BackTrace, ends_at_a_zero_return_address)
{
    frame(2, at(10), 0);
    LONGS_EQUAL(0, trace(at(2)));
}

TEST(BackTrace, is_no_longer_than_there_is_room)
{
    for (size_t i = 0; i < 20; ++i)
        frame(i * 2, at(i * 2 + 2), 0x1000 + i);
    LONGS_EQUAL(8, trace(at(0)));
}

TEST(BackTrace, goes_from_one_stack_to_another)
{
    std::array<uint64_t, 16> other{};
    const auto other_at = reinterpret_cast<uint64_t>(other.data());
    frame(2, other_at, 0x1111);
    other[1] = 0x2222;
    const StackRange ranges[] = {{at(0), at(0) + sizeof(stack)}, {other_at, other_at + sizeof(other)}};
    LONGS_EQUAL(2, trace_back(at(2), ranges, found));
}

TEST(BackTrace, finds_the_function_that_holds_an_address)
{
    const plan::Symbol symbols[] = {{0x1000, 0x100, 0}, {0x1100, 0x10, 1}, {0x2000, 0x80, 2}};
    POINTERS_EQUAL(nullptr, find_symbol(symbols, 0xfff));
    POINTERS_EQUAL(&symbols[0], find_symbol(symbols, 0x1000));
    POINTERS_EQUAL(&symbols[0], find_symbol(symbols, 0x10ff));
    POINTERS_EQUAL(&symbols[1], find_symbol(symbols, 0x1100));
    POINTERS_EQUAL(nullptr, find_symbol(symbols, 0x1110));
    POINTERS_EQUAL(&symbols[2], find_symbol(symbols, 0x207f));
    POINTERS_EQUAL(nullptr, find_symbol(symbols, 0x2080));
    POINTERS_EQUAL(nullptr, find_symbol({}, 0x1000));
}
