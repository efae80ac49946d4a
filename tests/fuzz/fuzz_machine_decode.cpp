// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: the machine service decodes any bytes, in any mode, of any length. It says nothing of bytes
// that it was not given: with as many as its answer's length it answers the same, with fewer it knows
// nothing; what the core then accepts is no longer than the bytes, and a register and sizes that exist.
//
// Input: mode, length, ticket, bytes.
#include "hvm/machine/decode.hpp"

#include "hvm/cpu/decoded.hpp"
#include "hvm/cpu/xapic.hpp"
#include "hvm/machine/decode.cpp"

#include <fuzzer/FuzzedDataProvider.h>

#include <cstdio>
#include <cstring>

namespace bulkhead {

// Of carrying out, which fuzz_hardware_exits.cpp does.
uint32_t read_apic_page(Vcpu&, uint32_t) { return 0; }
void write_apic_page(Vcpu&, uint32_t, uint32_t) {}

}  // namespace bulkhead

#include "hvm/cpu/decoded.cpp"

namespace {

using namespace bulkhead;

void require(bool condition, const char* what)
{
    if (condition)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    __builtin_trap();
}

unsigned does(uint64_t answer) { return answer >> BULKHEAD_ANSWER_DOES_SHIFT & 15; }

void check_accepted(uint64_t answer, unsigned length, bool wrote)
{
    const auto instruction = check_answer(answer, length, wrote);
    if (!instruction)
        return;
    require(instruction->length >= 1 && instruction->length <= length, "length");
    require(instruction->general_register < 16, "register");
    require(instruction->bytes == 1 || instruction->bytes == 2 || instruction->bytes == 4, "size");
    require(instruction->bytes == 4 || !wrote, "a narrow store");
    require(instruction->does != BULKHEAD_DOES_nothing_known, "nothing is done");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    FuzzedDataProvider input(data, size);
    bulkhead_instruction question{};
    question.mode = input.ConsumeIntegral<uint8_t>();
    question.length = static_cast<uint8_t>(input.ConsumeIntegralInRange(0, BULKHEAD_INSTRUCTION_BYTES));
    question.ticket = input.ConsumeIntegral<uint16_t>();
    const auto bytes = input.ConsumeBytes<uint8_t>(BULKHEAD_INSTRUCTION_BYTES);
    if (!bytes.empty())
        std::memcpy(question.bytes, bytes.data(), bytes.size());
    const uint64_t answer = machine_service::decode(question);
    require(answer >> BULKHEAD_ANSWER_TICKET_SHIFT == question.ticket, "ticket");
    check_accepted(answer, question.length, true);
    check_accepted(answer, question.length, false);
    // What anybody could say.
    check_accepted(input.ConsumeIntegral<uint64_t>(), question.length, input.ConsumeBool());
    if (does(answer) == BULKHEAD_DOES_nothing_known)
        return 0;
    const auto length = static_cast<uint8_t>(answer >> BULKHEAD_ANSWER_LENGTH_SHIFT & 15);
    require(length >= 1 && length <= question.length, "longer than its bytes");
    question.length = length;
    for (unsigned i = length; i < BULKHEAD_INSTRUCTION_BYTES; ++i)
        question.bytes[i] = static_cast<uint8_t>(~question.bytes[i]);
    require(machine_service::decode(question) == answer, "bytes behind it matter");
    --question.length;
    require(does(machine_service::decode(question)) == BULKHEAD_DOES_nothing_known, "the last byte does not matter");
    return 0;
}
