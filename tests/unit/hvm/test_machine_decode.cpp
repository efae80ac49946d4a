// SPDX-License-Identifier: BSD-2-Clause
// What the machine service says of instructions.
#include "hvm/machine/decode.hpp"

#include "hvm/machine/decode.cpp"

#include <CppUTest/TestHarness.h>

#include <algorithm>
#include <initializer_list>

using namespace bulkhead;

namespace {

struct Said {
    unsigned does, length, general_register, bytes;
    bool immediate, to_memory;
    uint32_t value;
    uint16_t ticket;
};

Said said_of(std::initializer_list<uint8_t> code, uint8_t mode = BULKHEAD_CODE_64, unsigned length = 15)
{
    bulkhead_instruction question{};
    std::ranges::fill(question.bytes, 0x90);
    std::ranges::copy(code, question.bytes);
    question.length = static_cast<uint8_t>(length);
    question.mode = mode;
    question.ticket = 0x1234;
    const uint64_t answer = machine_service::decode(question);
    const auto field = [answer](unsigned shift, unsigned mask) { return static_cast<unsigned>(answer >> shift) & mask; };
    return {field(BULKHEAD_ANSWER_DOES_SHIFT, 15), field(BULKHEAD_ANSWER_LENGTH_SHIFT, 15),
            field(BULKHEAD_ANSWER_REGISTER_SHIFT, 15), 1u << field(BULKHEAD_ANSWER_SIZE_SHIFT, 3),
            (answer & BULKHEAD_ANSWER_IMMEDIATE) != 0, (answer & BULKHEAD_ANSWER_TO_MEMORY) != 0,
            static_cast<uint32_t>(answer), static_cast<uint16_t>(answer >> BULKHEAD_ANSWER_TICKET_SHIFT)};
}

void is(const Said& said, bulkhead_does does, unsigned length, unsigned general_register, bool to_memory)
{
    LONGS_EQUAL(does, said.does);
    LONGS_EQUAL(length, said.length);
    LONGS_EQUAL(general_register, said.general_register);
    CHECK_EQUAL(to_memory, said.to_memory);
    CHECK_FALSE(said.immediate);
    LONGS_EQUAL(4, said.bytes);
    LONGS_EQUAL(0x1234, said.ticket);
}

void is_immediate(const Said& said, bulkhead_does does, unsigned length, uint32_t value)
{
    LONGS_EQUAL(does, said.does);
    LONGS_EQUAL(length, said.length);
    CHECK_TRUE(said.to_memory);
    CHECK_TRUE(said.immediate);
    UNSIGNED_LONGS_EQUAL(value, said.value);
    LONGS_EQUAL(4, said.bytes);
}

void is_unknown(const Said& said)
{
    LONGS_EQUAL(BULKHEAD_DOES_nothing_known, said.does);
    LONGS_EQUAL(0x1234, said.ticket);
}

}  // namespace

TEST_GROUP(MachineDecode){};

TEST(MachineDecode, loads_and_stores_of_registers)
{
    is(said_of({0x8B, 0x04, 0x25, 0x20, 0xC0, 0x5F, 0xFF}), BULKHEAD_DOES_move, 7, 0, false);   // mov 0xffffffffff5fc020,%eax
    is(said_of({0x44, 0x8B, 0x3F}), BULKHEAD_DOES_move, 3, 15, false);                          // mov (%rdi),%r15d
    is(said_of({0x89, 0xB7, 0x00, 0xC0, 0x5F, 0xFF}), BULKHEAD_DOES_move, 6, 6, true);          // mov %esi,-0xa04000(%rdi)
    is(said_of({0x41, 0x89, 0x0C, 0x24}), BULKHEAD_DOES_move, 4, 1, true);                      // mov %ecx,(%r12)
}

TEST(MachineDecode, the_accumulator_at_an_address_of_its_own)
{
    is(said_of({0xA1, 0, 0, 0xE0, 0xFE, 0, 0, 0, 0}), BULKHEAD_DOES_move, 9, 0, false);
    is(said_of({0xA3, 0, 0, 0xE0, 0xFE}, BULKHEAD_CODE_32), BULKHEAD_DOES_move, 5, 0, true);
}

TEST(MachineDecode, stores_of_immediates)
{
    // movl $0x0,0xffffffffff5fc0b0: the end of an interrupt
    is_immediate(said_of({0xC7, 0x04, 0x25, 0xB0, 0xC0, 0x5F, 0xFF, 0, 0, 0, 0}), BULKHEAD_DOES_move, 11, 0);
    is_immediate(said_of({0xC7, 0x07, 0x01, 0x02, 0x04, 0x80}), BULKHEAD_DOES_move, 6, 0x8004'0201);
}

TEST(MachineDecode, exchanges)
{
    is(said_of({0x87, 0x86, 0x00, 0xC3, 0x5F, 0xFF}), BULKHEAD_DOES_exchange, 6, 0, true);
}

TEST(MachineDecode, loads_of_a_part_are_filled_up)
{
    const Said byte = said_of({0x0F, 0xB6, 0x0B});
    LONGS_EQUAL(BULKHEAD_DOES_move, byte.does);
    LONGS_EQUAL(1, byte.bytes);
    LONGS_EQUAL(1, byte.general_register);
    const Said word = said_of({0x48, 0x0F, 0xB7, 0x03});
    LONGS_EQUAL(BULKHEAD_DOES_move, word.does);
    LONGS_EQUAL(2, word.bytes);
}

TEST(MachineDecode, arithmetic_both_ways_and_with_immediates)
{
    is(said_of({0x09, 0x08}), BULKHEAD_DOES_or, 2, 1, true);
    is(said_of({0x23, 0x10}), BULKHEAD_DOES_and, 2, 2, false);
    is(said_of({0x01, 0x18}), BULKHEAD_DOES_add, 2, 3, true);
    is(said_of({0x2B, 0x18}), BULKHEAD_DOES_subtract, 2, 3, false);
    is(said_of({0x31, 0x18}), BULKHEAD_DOES_xor, 2, 3, true);
    is(said_of({0x3B, 0x18}), BULKHEAD_DOES_compare, 2, 3, false);
    is(said_of({0x85, 0x18}), BULKHEAD_DOES_test, 2, 3, true);
    is_immediate(said_of({0x81, 0x08, 0, 1, 0, 0}), BULKHEAD_DOES_or, 6, 0x100);
    is_immediate(said_of({0x83, 0x20, 0xFE}), BULKHEAD_DOES_and, 3, 0xFFFF'FFFE);
    is_immediate(said_of({0x83, 0x38, 0x10}), BULKHEAD_DOES_compare, 3, 0x10);
    is_immediate(said_of({0xF7, 0x00, 0, 0x10, 0, 0}), BULKHEAD_DOES_test, 6, 0x1000);
}

TEST(MachineDecode, prefixes_count)
{
    is(said_of({0x3E, 0x8B, 0x00}), BULKHEAD_DOES_move, 3, 0, false);
    is(said_of({0x66, 0x8B, 0x07}, BULKHEAD_CODE_16), BULKHEAD_DOES_move, 3, 0, false);
    is(said_of({0xF0, 0x09, 0x08}), BULKHEAD_DOES_or, 3, 1, true);
}

TEST(MachineDecode, the_mode_decides)
{
    is(said_of({0x8B, 0x07}, BULKHEAD_CODE_32), BULKHEAD_DOES_move, 2, 0, false);
    is_unknown(said_of({0x8B, 0x07}, BULKHEAD_CODE_16));        // 16 bits wide
    is_unknown(said_of({0x66, 0x8B, 0x07}));                    // as well
    is_unknown(said_of({0x48, 0x8B, 0x07}));                    // 64 bits
    is(said_of({0x8B, 0x07}, 99 /* none */, 2), BULKHEAD_DOES_nothing_known, 2, 0, false);
}

TEST(MachineDecode, what_does_not_touch_memory_or_does_more_is_not_known)
{
    is_unknown(said_of({0x89, 0xC8}));                          // mov %ecx,%eax
    is_unknown(said_of({0x90}));
    is_unknown(said_of({0xA5}));                                // movsl
    is_unknown(said_of({0xFF, 0x30}));                          // push (%rax)
    is_unknown(said_of({0x11, 0x08}));                          // adc
    is_unknown(said_of({0x88, 0x08}));                          // a byte
    is_unknown(said_of({0xC7, 0xF8, 0, 0, 0, 0}));              // xbegin
    is_unknown(said_of({0x0F, 0xBE, 0x00}));                    // movsx
    is_unknown(said_of({0x0F, 0x29, 0x00}));                    // movaps
    is_unknown(said_of({0xC5, 0xF8, 0x29, 0x00}));              // vmovaps
    is_unknown(said_of({0xF7, 0x18}));                          // neg
}

TEST(MachineDecode, bytes_that_are_missing_make_no_instruction)
{
    is_unknown(said_of({0x8B, 0x04, 0x25, 0x20, 0xC0, 0x5F, 0xFF}, BULKHEAD_CODE_64, 6));
    is_unknown(said_of({0x8B, 0x00}, BULKHEAD_CODE_64, 0));
    is_unknown(said_of({0x06}));
    // A length that the core never gives.
    is(said_of({0x8B, 0x00}, BULKHEAD_CODE_64, 255), BULKHEAD_DOES_move, 2, 0, false);
}
