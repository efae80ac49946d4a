// SPDX-License-Identifier: BSD-2-Clause
// The matcher against hand-written forms and against Zydis on random bytes.
#include "core/pv/instruction.hpp"

#include "core/pv/instruction.cpp"
#include "core/pv/instruction_store.cpp"

#include <Zydis/Zydis.h>

#include <initializer_list>
#include <random>
#include <vector>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

InstructionBytes bytes_of(const uint8_t* data, size_t count)
{
    InstructionBytes bytes = {};
    bytes.available = static_cast<uint8_t>(count);
    memcpy(bytes.bytes.data(), data, count);
    return bytes;
}

InstructionBytes bytes_of(std::initializer_list<uint8_t> list)
{
    return bytes_of(list.begin(), list.size());
}

Instruction decode_store(const InstructionBytes& bytes)
{
    Instruction instruction;
    return bulkhead::decode_store(bytes, instruction) ? instruction : Instruction{};
}

class Reference {
public:
    Reference() { ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }
    bool decode(const uint8_t* data, size_t count)
    {
        return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, data, count, &instruction, operands));
    }
    [[nodiscard]] unsigned prefixes(ZydisPrefixType type, uint8_t value = 0) const
    {
        unsigned count = 0;
        for (unsigned i = 0; i < instruction.raw.prefix_count; ++i)
            if ((type == ZYDIS_PREFIX_TYPE_IGNORED || instruction.raw.prefixes[i].type == type)
                && (value == 0 || instruction.raw.prefixes[i].value == value))
                ++count;
        return count;
    }
    [[nodiscard]] bool has_prefix_byte(std::initializer_list<uint8_t> values) const
    {
        for (uint8_t value : values)
            if (prefixes(ZYDIS_PREFIX_TYPE_IGNORED, value) != 0)
                return true;
        return false;
    }

    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

private:
    ZydisDecoder decoder_;
};

Operation store_operation(ZydisMnemonic mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_MOV: return Operation::store;
    case ZYDIS_MNEMONIC_XCHG: return Operation::exchange;
    case ZYDIS_MNEMONIC_CMPXCHG: return Operation::compare_exchange;
    case ZYDIS_MNEMONIC_AND: return Operation::bit_and;
    case ZYDIS_MNEMONIC_OR: return Operation::bit_or;
    case ZYDIS_MNEMONIC_XOR: return Operation::bit_xor;
    case ZYDIS_MNEMONIC_BTS: return Operation::bit_set;
    case ZYDIS_MNEMONIC_BTR: return Operation::bit_reset;
    case ZYDIS_MNEMONIC_BTC: return Operation::bit_complement;
    default: return Operation::refused;
    }
}

Operation privileged_operation(ZydisMnemonic mnemonic)
{
    switch (mnemonic) {
    case ZYDIS_MNEMONIC_RDMSR: return Operation::rdmsr;
    case ZYDIS_MNEMONIC_WRMSR: return Operation::wrmsr;
    case ZYDIS_MNEMONIC_CPUID: return Operation::cpuid;
    case ZYDIS_MNEMONIC_RDTSC: return Operation::rdtsc;
    case ZYDIS_MNEMONIC_RDTSCP: return Operation::rdtscp;
    case ZYDIS_MNEMONIC_RDPMC: return Operation::rdpmc;
    case ZYDIS_MNEMONIC_XSETBV: return Operation::xsetbv;
    case ZYDIS_MNEMONIC_IN: return Operation::in;
    case ZYDIS_MNEMONIC_OUT: return Operation::out;
    case ZYDIS_MNEMONIC_INSB:
    case ZYDIS_MNEMONIC_INSW:
    case ZYDIS_MNEMONIC_INSD: return Operation::ins;
    case ZYDIS_MNEMONIC_OUTSB:
    case ZYDIS_MNEMONIC_OUTSW:
    case ZYDIS_MNEMONIC_OUTSD: return Operation::outs;
    case ZYDIS_MNEMONIC_CLI: return Operation::cli;
    case ZYDIS_MNEMONIC_STI: return Operation::sti;
    case ZYDIS_MNEMONIC_CLTS: return Operation::clts;
    case ZYDIS_MNEMONIC_WBINVD: return Operation::wbinvd;
    case ZYDIS_MNEMONIC_INT: return Operation::software_interrupt;
    case ZYDIS_MNEMONIC_HLT:
    case ZYDIS_MNEMONIC_INVD:
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
    case ZYDIS_MNEMONIC_SYSRET:
    case ZYDIS_MNEMONIC_SYSEXIT:
    case ZYDIS_MNEMONIC_LGDT:
    case ZYDIS_MNEMONIC_LIDT:
    case ZYDIS_MNEMONIC_SGDT:
    case ZYDIS_MNEMONIC_SIDT:
    case ZYDIS_MNEMONIC_LMSW:
    case ZYDIS_MNEMONIC_SMSW:
    case ZYDIS_MNEMONIC_INVLPG:
    case ZYDIS_MNEMONIC_SWAPGS:
    case ZYDIS_MNEMONIC_MONITOR:
    case ZYDIS_MNEMONIC_MWAIT: return Operation::forbidden;
    default: return Operation::refused;
    }
}

// Number of a general register, whatever its width; ah..bh as 0..3.
unsigned register_number(ZydisRegister reg)
{
    if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH)
        return static_cast<unsigned>(reg - ZYDIS_REGISTER_AH);
    return static_cast<unsigned>(ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg)));
}

// Prefixes that the matcher leaves alone on purpose.
bool has_refused_prefixes(const Reference& reference, const uint8_t* data)
{
    if (reference.has_prefix_byte({0x67, 0xF2, 0xF3}))
        return true;
    unsigned segments = 0;
    bool fs_gs = false;
    for (unsigned i = 0; i < reference.instruction.raw.prefix_count; ++i) {
        const uint8_t value = reference.instruction.raw.prefixes[i].value;
        if (value == 0x64 || value == 0x65)
            fs_gs = true;
        if (value == 0x26 || value == 0x2E || value == 0x36 || value == 0x3E || value == 0x64 || value == 0x65)
            ++segments;
    }
    if (fs_gs && segments > 1)
        return true;
    // A REX prefix that is not the last one.
    for (unsigned i = 0; i + 1 < reference.instruction.raw.prefix_count; ++i)
        if ((data[i] & 0xF0) == 0x40)
            return true;
    return false;
}

void compare_store(const Reference& reference, const Instruction& mine)
{
    LONGS_EQUAL(reference.instruction.length, mine.length);
    const ZydisDecodedOperand& target = reference.operands[0];
    const ZydisDecodedOperand& source = reference.operands[1];
    LONGS_EQUAL(static_cast<int>(store_operation(reference.instruction.mnemonic)), static_cast<int>(mine.operation));
    LONGS_EQUAL(ZYDIS_OPERAND_TYPE_MEMORY, target.type);
    LONGS_EQUAL(target.size / 8, mine.size);
    if (source.type == ZYDIS_OPERAND_TYPE_REGISTER) {
        CHECK_FALSE(mine.has_immediate);
        LONGS_EQUAL(register_number(source.reg.value), mine.reg);
        LONGS_EQUAL(source.reg.value >= ZYDIS_REGISTER_AH && source.reg.value <= ZYDIS_REGISTER_BH, mine.high_byte);
    } else {
        CHECK_TRUE(mine.has_immediate);
        CHECK_EQUAL(source.imm.value.u & size_mask(mine.size), mine.immediate);
    }
}

void compare_address(const Reference& reference, const Instruction& mine, GuestFrame& frame)
{
    const ZydisDecodedOperand& target = reference.operands[0];
    ZydisRegisterContext context = {};
    for (unsigned i = 0; i < 16; ++i)
        context.values[ZYDIS_REGISTER_RAX + i] = register_of(frame, i);
    context.values[ZYDIS_REGISTER_RIP] = frame.rip;
    ZyanU64 expected = 0;
    CHECK_TRUE(ZYAN_SUCCESS(ZydisCalcAbsoluteAddressEx(&reference.instruction, &target, frame.rip, &context, &expected)));
    const SegmentBases bases = {.fs = 0x1234'5678'9000, .gs = 0xFFFF'8880'0000'1230};
    if (target.mem.segment == ZYDIS_REGISTER_FS)
        expected += bases.fs;
    if (target.mem.segment == ZYDIS_REGISTER_GS)
        expected += bases.gs;
    Instruction without_bits = mine;
    without_bits.has_immediate = true;
    CHECK_EQUAL(expected, effective_address(frame, without_bits, bases));
    if (mine.memory.simple)
        CHECK_EQUAL(expected, register_of(frame, mine.memory.base) + static_cast<uint64_t>(mine.memory.displacement));
}

}  // namespace

TEST_GROUP(instruction)
{
    Reference reference;
    std::mt19937_64 random{20240101};
    GuestFrame frame = {};

    void setup() override
    {
        for (unsigned i = 0; i < 16; ++i)
            register_of(frame, i) = random();
        frame.rip = 0xFFFF'FFFF'8100'0000;
    }
    // Random bytes, three of four with an opening that the matcher knows.
    void random_bytes(uint8_t* data)
    {
        static constexpr uint8_t prefixes[] = {0x66, 0xF0, 0xF2, 0xF3, 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x67,
                                               0x48, 0x41, 0x44, 0x4F, 0x40, 0x4C, 0x49};
        static constexpr uint8_t opcodes[] = {0x88, 0x89, 0x86, 0x87, 0x08, 0x09, 0x20, 0x21, 0x30, 0x31, 0x80,
                                              0x81, 0x83, 0xC6, 0xC7, 0xA2, 0xA3, 0x6C, 0x6D, 0x6E, 0x6F, 0xE4,
                                              0xE5, 0xE6, 0xE7, 0xEC, 0xED, 0xEE, 0xEF, 0xFA, 0xFB, 0xF4, 0xCF, 0xCD};
        static constexpr uint8_t opcodes_0f[] = {0xB0, 0xB1, 0xAB, 0xB3, 0xBB, 0xBA, 0x01, 0x06, 0x09, 0x07, 0x08,
                                                 0x35, 0x20, 0x21, 0x22, 0x23, 0x30, 0x31, 0x32, 0x33, 0xA2};
        for (unsigned i = 0; i < max_instruction_bytes; ++i)
            data[i] = static_cast<uint8_t>(random());
        if ((random() & 3) == 0)
            return;
        unsigned at = 0;
        while ((random() & 1) != 0 && at < 6)
            data[at++] = prefixes[random() % sizeof(prefixes)];
        if ((random() & 1) != 0) {
            data[at++] = 0x0F;
            data[at++] = opcodes_0f[random() % sizeof(opcodes_0f)];
        } else {
            data[at++] = opcodes[random() % sizeof(opcodes)];
        }
    }
};

TEST(instruction, a_store_that_it_matches_is_what_zydis_decodes)
{
    unsigned matched = 0;
    for (unsigned round = 0; round < 400'000; ++round) {
        uint8_t data[max_instruction_bytes];
        random_bytes(data);
        const size_t available = round % 4 == 0 ? 1 + random() % max_instruction_bytes : max_instruction_bytes;
        const Instruction mine = decode_store(bytes_of(data, available));
        if (mine.operation == Operation::refused)
            continue;
        ++matched;
        CHECK_TRUE(reference.decode(data, available));
        compare_store(reference, mine);
        compare_address(reference, mine, frame);
    }
    CHECK(matched > 50'000);
}

TEST(instruction, a_privileged_instruction_that_it_matches_is_what_zydis_decodes)
{
    unsigned matched = 0;
    for (unsigned round = 0; round < 400'000; ++round) {
        uint8_t data[max_instruction_bytes];
        random_bytes(data);
        const size_t available = round % 4 == 0 ? 1 + random() % max_instruction_bytes : max_instruction_bytes;
        const Instruction mine = decode_privileged(bytes_of(data, available));
        if (mine.operation == Operation::refused)
            continue;
        // Zydis knows no cr1, cr5 and so on; the emulation refuses those.
        const bool is_move = mine.operation >= Operation::read_control && mine.operation <= Operation::write_debug;
        if (!reference.decode(data, available)) {
            CHECK_TRUE(is_move);
            continue;
        }
        ++matched;
        LONGS_EQUAL(reference.instruction.length, mine.length);
        if (is_move) {
            const bool reads = mine.operation == Operation::read_control || mine.operation == Operation::read_debug;
            LONGS_EQUAL(ZYDIS_MNEMONIC_MOV, reference.instruction.mnemonic);
            LONGS_EQUAL(register_number(reference.operands[reads ? 0 : 1].reg.value), mine.reg);
            LONGS_EQUAL(ZydisRegisterGetId(reference.operands[reads ? 1 : 0].reg.value), mine.control);
            continue;
        }
        LONGS_EQUAL(static_cast<int>(privileged_operation(reference.instruction.mnemonic)), static_cast<int>(mine.operation));
        if (mine.operation == Operation::in)
            LONGS_EQUAL(reference.operands[0].size / 8, mine.size);
        if (mine.operation == Operation::out)
            LONGS_EQUAL(reference.operands[1].size / 8, mine.size);
        if (mine.operation == Operation::in || mine.operation == Operation::out) {
            const auto& port = reference.operands[mine.operation == Operation::in ? 1 : 0];
            LONGS_EQUAL(port.type == ZYDIS_OPERAND_TYPE_IMMEDIATE, mine.has_immediate);
            if (mine.has_immediate)
                CHECK_EQUAL(port.imm.value.u, mine.immediate);
        }
        if (mine.operation == Operation::ins || mine.operation == Operation::outs) {
            LONGS_EQUAL(reference.operands[mine.operation == Operation::ins ? 0 : 1].size / 8, mine.size);
            LONGS_EQUAL(reference.has_prefix_byte({0xF2, 0xF3}), mine.repeat);
        }
        if (mine.operation == Operation::software_interrupt)
            CHECK_EQUAL(reference.operands[0].imm.value.u, mine.immediate);
    }
    CHECK(matched > 50'000);
}

TEST(instruction, no_listed_form_is_refused_for_its_operands)
{
    unsigned matched = 0;
    for (unsigned round = 0; round < 400'000; ++round) {
        uint8_t data[max_instruction_bytes];
        random_bytes(data);
        if (!reference.decode(data, sizeof(data)) || has_refused_prefixes(reference, data))
            continue;
        const auto& target = reference.operands[0];
        const auto& source = reference.operands[1];
        const bool is_store = store_operation(reference.instruction.mnemonic) != Operation::refused
                              && target.type == ZYDIS_OPERAND_TYPE_MEMORY
                              && (source.type == ZYDIS_OPERAND_TYPE_IMMEDIATE
                                  || (source.type == ZYDIS_OPERAND_TYPE_REGISTER
                                      && ZydisRegisterGetClass(source.reg.value) != ZYDIS_REGCLASS_SEGMENT));
        if (is_store) {
            ++matched;
            CHECK(decode_store(bytes_of(data, sizeof(data))).operation != Operation::refused);
        }
        if (privileged_operation(reference.instruction.mnemonic) != Operation::refused
            && !reference.has_prefix_byte({0xF0}))
            CHECK(decode_privileged(bytes_of(data, sizeof(data))).operation != Operation::refused);
    }
    CHECK(matched > 20'000);
}

TEST(instruction, every_form_is_refused_when_cut_off)
{
    const std::vector<std::vector<uint8_t>> stores = {
        {0x89, 0x07}, {0x48, 0x89, 0x37}, {0x48, 0x89, 0x44, 0x24, 0x08}, {0x48, 0xC7, 0x05, 1, 2, 3, 4, 5, 6, 7, 8},
        {0x66, 0xC7, 0x84, 0x88, 1, 2, 3, 4, 5, 6}, {0xF0, 0x48, 0x0F, 0xB1, 0x14, 0x25, 1, 2, 3, 4},
        {0x48, 0xA3, 1, 2, 3, 4, 5, 6, 7, 8}, {0xF0, 0x80, 0x67, 0x01, 0xFD}, {0xF0, 0x48, 0x0F, 0xBA, 0x33, 0x05},
        {0x64, 0x48, 0x87, 0x04, 0x25, 0, 0, 0, 0}, {0xC6, 0x00, 0x01}, {0x83, 0x20, 0xFE},
        {0xF0, 0x4C, 0x0F, 0xB3, 0x84, 0xCB, 0, 0, 0, 0x10}};
    for (const auto& form : stores) {
        const Instruction whole = decode_store(bytes_of(form.data(), form.size()));
        LONGS_EQUAL(form.size(), whole.length);
        for (size_t count = 0; count < form.size(); ++count)
            CHECK(decode_store(bytes_of(form.data(), count)).operation == Operation::refused);
    }
    const std::vector<std::vector<uint8_t>> privileged = {
        {0x0F, 0x32}, {0x0F, 0x30}, {0x0F, 0x20, 0xC0}, {0x41, 0x0F, 0x22, 0xDF}, {0x0F, 0x23, 0xF8}, {0x0F, 0xA2},
        {0x0F, 0x01, 0xD1}, {0x0F, 0x01, 0xF9}, {0x66, 0xED}, {0xE4, 0x60}, {0xF3, 0x6E}, {0xF3, 0x66, 0x6D},
        {0xCD, 0x80}, {0x0F, 0x01, 0x3C, 0x25, 1, 2, 3, 4}};
    for (const auto& form : privileged) {
        const Instruction whole = decode_privileged(bytes_of(form.data(), form.size()));
        LONGS_EQUAL(form.size(), whole.length);
        for (size_t count = 0; count < form.size(); ++count)
            CHECK(decode_privileged(bytes_of(form.data(), count)).operation == Operation::refused);
    }
}

TEST(instruction, fifteen_prefixes_are_no_instruction)
{
    uint8_t data[max_instruction_bytes];
    memset(data, 0x3E, sizeof(data));
    CHECK(decode_store(bytes_of(data, sizeof(data))).operation == Operation::refused);
    CHECK(decode_privileged(bytes_of(data, sizeof(data))).operation == Operation::refused);
    data[14] = 0xFA;
    CHECK(decode_privileged(bytes_of(data, sizeof(data))).operation == Operation::cli);
}

TEST(instruction, a_ds_prefix_in_place_of_lock_changes_nothing)
{
    const Instruction plain = decode_store(bytes_of({0xF0, 0x48, 0x0F, 0xBA, 0x33, 0x05}));
    const Instruction patched = decode_store(bytes_of({0x3E, 0x48, 0x0F, 0xBA, 0x33, 0x05}));
    CHECK(plain.operation == Operation::bit_reset);
    CHECK(patched.operation == Operation::bit_reset);
    LONGS_EQUAL(6, patched.length);
}

TEST(instruction, address_size_repeat_and_misplaced_rex_are_refused)
{
    CHECK(decode_store(bytes_of({0x67, 0x89, 0x07})).operation == Operation::refused);
    CHECK(decode_store(bytes_of({0xF3, 0x89, 0x07})).operation == Operation::refused);
    CHECK(decode_store(bytes_of({0x48, 0x66, 0x89, 0x07})).operation == Operation::refused);
    CHECK(decode_store(bytes_of({0xF0, 0x89, 0x07})).operation == Operation::refused);
    CHECK(decode_privileged(bytes_of({0xF0, 0x0F, 0x20, 0xC0})).operation == Operation::refused);
    CHECK(decode_privileged(bytes_of({0x67, 0xF3, 0x6C})).operation == Operation::refused);
}

TEST(instruction, a_bit_number_in_a_register_reaches_beyond_the_operand)
{
    const Instruction lock_bts = decode_store(bytes_of({0xF0, 0x48, 0x0F, 0xAB, 0x07}));   // bts %rax,(%rdi)
    frame.rdi = 0x10000;
    frame.rax = 64 * 3 + 5;
    CHECK_EQUAL(0x10018u, effective_address(frame, lock_bts, {}));
    frame.rax = ~uint64_t{0};
    CHECK_EQUAL(0xFFF8u, effective_address(frame, lock_bts, {}));
    const Instruction bts_32 = decode_store(bytes_of({0x0F, 0xAB, 0x07}));
    frame.rax = 0x1'8000'0000;
    CHECK_EQUAL(0x10000 - (uint64_t{1} << 28), effective_address(frame, bts_32, {}));
    const Instruction bts_16 = decode_store(bytes_of({0x66, 0x0F, 0xAB, 0x07}));
    frame.rax = 0xFFFF'7FFF;
    CHECK_EQUAL(0x10000u + 0x7FF * 2, effective_address(frame, bts_16, {}));
}

TEST(instruction, registers_are_read_and_written_in_every_width)
{
    frame.rcx = 0x1122'3344'5566'7788;
    Instruction source = decode_store(bytes_of({0x88, 0x2F}));    // mov %ch,(%rdi)
    CHECK_EQUAL(0x77u, read_register(frame, source));
    write_register(frame, 1, 1, true, 0xAB);
    CHECK_EQUAL(0x1122'3344'5566'AB88u, frame.rcx);
    write_register(frame, 1, 1, false, 0xCD);
    CHECK_EQUAL(0x1122'3344'5566'ABCDu, frame.rcx);
    write_register(frame, 1, 2, false, 0x1'0102);
    CHECK_EQUAL(0x1122'3344'5566'0102u, frame.rcx);
    write_register(frame, 1, 4, false, 0xFFFF'FFFF'9999'8888);
    CHECK_EQUAL(0x9999'8888u, frame.rcx);
    write_register(frame, 1, 8, false, ~uint64_t{0});
    CHECK_EQUAL(~uint64_t{0}, frame.rcx);
    source = decode_store(bytes_of({0x40, 0x88, 0x2F}));          // mov %bpl,(%rdi)
    frame.rbp = 0x1234;
    CHECK_EQUAL(0x34u, read_register(frame, source));
}
