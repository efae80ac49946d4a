// SPDX-License-Identifier: BSD-2-Clause
// Emulated stores to page tables against the same instruction executed by the CPU that runs the test.
#include "core/pv/emulate.hpp"

#include "fake_core.hpp"
#include "machine/control.hpp"
#include "machine/registers.hpp"

#include "core/pv/emulate_store.cpp"
#include "core/pv/instruction.cpp"
#include "core/pv/instruction_store.cpp"
#include "core/pv/segments.cpp"

#include <random>
#include <sys/mman.h>

#include <CppUTest/TestHarness.h>

namespace bulkhead {

namespace fake {

inline bool is_table = true;
inline PageTableWriteOutcome outcome = PageTableWriteOutcome::done;
inline PageTableWrite last_write;
inline unsigned writes;
inline unsigned exceptions;

}  // namespace fake

bool is_page_table_address(const Vcpu&, GuestVirtual) { return fake::is_table; }

// A table entry is plain memory here, at the address that the guest names.
PageTableWriteOutcome emulate_page_table_write(Vcpu&, const PageTableWrite& write, PageTableWriteResult& result)
{
    ++fake::writes;
    fake::last_write = write;
    if (fake::outcome != PageTableWriteOutcome::done)
        return fake::outcome;
    uint64_t old = 0;
    if (!machine::copy_from_guest(&old, write.address, write.size))
        return PageTableWriteOutcome::refused;
    uint64_t value = write.operand;
    bool success = true;
    switch (write.operation) {
    case PageTableWrite::Operation::store:
    case PageTableWrite::Operation::exchange: break;
    case PageTableWrite::Operation::compare_exchange:
        success = old == write.expected;
        value = success ? write.operand : old;
        break;
    case PageTableWrite::Operation::bit_and: value = old & write.operand; break;
    case PageTableWrite::Operation::bit_or: value = old | write.operand; break;
    case PageTableWrite::Operation::bit_xor: value = old ^ write.operand; break;
    case PageTableWrite::Operation::bit_set:
    case PageTableWrite::Operation::bit_reset: {
        const uint64_t bit = uint64_t{1} << write.operand;
        success = (old & bit) != 0;
        value = write.operation == PageTableWrite::Operation::bit_set ? old | bit : old & ~bit;
        break;
    }
    }
    CHECK_TRUE((value & ~size_mask(write.size)) == 0);
    CHECK_TRUE(machine::copy_to_guest(write.address, &value, write.size));
    result = {old, value, success};
    return PageTableWriteOutcome::done;
}

void inject_exception(Vcpu&, GuestFrame&, uint8_t, uint32_t) { ++fake::exceptions; }
void merge_debug_status(Vcpu&, uint64_t) {}

}  // namespace bulkhead

using namespace bulkhead;

namespace {

constexpr uint64_t code_at = 0x7000'0000'0000;
constexpr uint64_t status_flags = rflags::cf | rflags::pf | rflags::af | rflags::zf | rflags::sf | rflags::of;

struct Registers {
    uint64_t rax, rdx, rsi, rdi, flags;
};

// Executes one instruction with these registers on the CPU.
void execute(void* code, Registers& r)
{
    uint64_t flags = r.flags;
    asm volatile(
        "sub $256, %%rsp\n"        // past the red zone
        "push %[flags]\n"
        "popfq\n"
        "call *%[code]\n"
        "pushfq\n"
        "pop %[flags]\n"
        "add $256, %%rsp\n"
        : "+a"(r.rax), "+d"(r.rdx), "+S"(r.rsi), "+D"(r.rdi), [flags] "+r"(flags)
        : [code] "r"(code)
        : "memory", "cc");
    r.flags = flags;
}

}  // namespace

TEST_GROUP(emulate_store)
{
    Vcpu vcpu = {};
    GuestFrame frame = {};
    std::mt19937_64 random{7};
    alignas(64) uint64_t memory[8] = {};
    uint8_t code[64] = {};
    uint8_t* page = nullptr;

    void setup() override
    {
        fake::reset_core();
        fake::is_table = true;
        fake::outcome = PageTableWriteOutcome::done;
        fake::writes = 0;
        fake::exceptions = 0;
        fake::map_guest(GuestVirtual(code_at), code, sizeof(code));
        fake::map_guest(GuestVirtual(reinterpret_cast<uint64_t>(memory)), memory, sizeof(memory));
        frame.cs = FLAT_RING3_CS64;
        frame.rip = code_at;
        frame.rflags = 2;
        page = static_cast<uint8_t*>(
            mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    }
    void teardown() override
    {
        munmap(page, 4096);
        fake::guest_regions = {};
    }
    void set_code(std::initializer_list<uint8_t> bytes) { std::copy(bytes.begin(), bytes.end(), code); }
    GuestVirtual address_of(unsigned entry) { return GuestVirtual(reinterpret_cast<uint64_t>(memory + entry)); }
    // A value that is often equal to another one, all ones, or has its top bit set.
    uint64_t value()
    {
        switch (random() % 6) {
        case 0: return 0;
        case 1: return ~uint64_t{0};
        case 2: return 0x8000'8000'8000'8080;
        case 3: return 0x0000'0001'0000'0001;
        default: return random();
        }
    }
    void compare_with_cpu(const std::vector<uint8_t>& bytes, unsigned entry)
    {
        const uint64_t old_memory = value();
        Registers real = {value(), value(), value(), address_of(entry).raw(),
                          (random() & status_flags) | 2};
        if ((random() & 1) != 0)
            real.rax = old_memory;
        frame.rax = real.rax;
        frame.rdx = real.rdx;
        frame.rsi = real.rsi;
        frame.rdi = real.rdi;
        frame.rflags = real.flags | 0x200;
        frame.rip = code_at;

        std::copy(bytes.begin(), bytes.end(), page);
        page[bytes.size()] = 0xC3;
        memory[entry] = old_memory;
        execute(page, real);
        const uint64_t real_memory = memory[entry];

        std::copy(bytes.begin(), bytes.end(), code);
        memory[entry] = old_memory;
        CHECK(emulate_page_table_store(vcpu, frame, address_of(entry)) == Emulation::done);
        CHECK_EQUAL(code_at + bytes.size(), frame.rip);
        CHECK_EQUAL(real_memory, memory[entry]);
        CHECK_EQUAL(real.rax, frame.rax);
        CHECK_EQUAL(real.rdx, frame.rdx);
        CHECK_EQUAL(real.rsi, frame.rsi);
        CHECK_EQUAL(real.flags & status_flags, frame.rflags & status_flags);
        CHECK_EQUAL(0x200u, frame.rflags & 0x200);
    }
};

TEST(emulate_store, every_form_does_what_the_cpu_does)
{
    // ModRM 0x37 and 0x17: (%rdi) with rsi (or dh) and rdx (or dl).
    struct Form {
        std::vector<uint8_t> opcode;
        unsigned immediate_bytes;     // 4 means the operand's, at most 4
        bool is_group;                // the register field is in the opcode's second byte here
        bool has_lock;
    };
    const Form forms[] = {
        {{0x88}, 0, false, false}, {{0x89}, 0, false, false}, {{0x86}, 0, false, true}, {{0x87}, 0, false, true},
        {{0x0F, 0xB0}, 0, false, true}, {{0x0F, 0xB1}, 0, false, true},
        {{0x08}, 0, false, true}, {{0x09}, 0, false, true}, {{0x20}, 0, false, true}, {{0x21}, 0, false, true},
        {{0x30}, 0, false, true}, {{0x31}, 0, false, true},
        {{0x80, 0x0F}, 1, true, true}, {{0x80, 0x27}, 1, true, true}, {{0x80, 0x37}, 1, true, true},
        {{0x81, 0x0F}, 4, true, true}, {{0x81, 0x27}, 4, true, true}, {{0x81, 0x37}, 4, true, true},
        {{0x83, 0x0F}, 1, true, true}, {{0x83, 0x27}, 1, true, true}, {{0x83, 0x37}, 1, true, true},
        {{0xC6, 0x07}, 1, true, false}, {{0xC7, 0x07}, 4, true, false},
        {{0x0F, 0xBA, 0x2F}, 1, true, true}, {{0x0F, 0xBA, 0x37}, 1, true, true},
    };
    for (unsigned round = 0; round < 200'000; ++round) {
        const Form& form = forms[random() % std::size(forms)];
        std::vector<uint8_t> bytes;
        const unsigned width = static_cast<unsigned>(random() % 3);     // 32, 16, 64
        if (form.has_lock && (random() & 1) != 0)
            bytes.push_back(0xF0);
        if (width == 1)
            bytes.push_back(0x66);
        if (width == 2)
            bytes.push_back(0x48);
        else if ((random() & 1) != 0)
            bytes.push_back(0x40);
        bytes.insert(bytes.end(), form.opcode.begin(), form.opcode.end());
        if (!form.is_group)
            bytes.push_back((random() & 1) != 0 ? 0x37 : 0x17);
        const unsigned immediate = form.immediate_bytes == 4 && width == 1 ? 2 : form.immediate_bytes;
        for (unsigned i = 0; i < immediate; ++i)
            bytes.push_back(static_cast<uint8_t>(random()));
        compare_with_cpu(bytes, static_cast<unsigned>(random() % 8));
    }
}

TEST(emulate_store, bit_operations_with_a_register_do_what_the_cpu_does)
{
    for (unsigned round = 0; round < 20'000; ++round) {
        const bool set = (random() & 1) != 0;
        const unsigned entry = 4;
        const auto bit = static_cast<int64_t>(random() % 512) - 256;
        const unsigned target = static_cast<unsigned>(entry + (bit >> 6));
        uint64_t before[8];
        for (unsigned i = 0; i < 8; ++i)
            before[i] = memory[i] = random();
        Registers real = {0, 0, static_cast<uint64_t>(bit), address_of(entry).raw(), (random() & status_flags) | 2};
        frame.rsi = real.rsi;
        frame.rdi = real.rdi;
        frame.rip = code_at;
        frame.rflags = real.flags;
        const std::initializer_list<uint8_t> bytes = {0xF0, 0x48, 0x0F, static_cast<uint8_t>(set ? 0xAB : 0xB3), 0x37};
        std::copy(bytes.begin(), bytes.end(), page);
        page[5] = 0xC3;
        execute(page, real);
        uint64_t expected[8];
        std::copy(std::begin(memory), std::end(memory), expected);
        std::copy(std::begin(before), std::end(before), memory);
        set_code(bytes);
        CHECK(emulate_page_table_store(vcpu, frame, address_of(target)) == Emulation::done);
        MEMCMP_EQUAL(expected, memory, sizeof(memory));
        CHECK_EQUAL(real.flags & rflags::cf, frame.rflags & rflags::cf);
    }
}

TEST(emulate_store, refusals_are_counted_only_where_a_page_table_is)
{
    fake::is_table = false;
    fake::outcome = PageTableWriteOutcome::refused;
    set_code({0x48, 0x89, 0x37});
    frame.rdi = address_of(0).raw();
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::reflect);
    CHECK_EQUAL(0u, vcpu.pv.emulation.counted(Trapped::page_table_store_refused));
    fake::is_table = true;
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::reflect);
    CHECK_EQUAL(1u, vcpu.pv.emulation.counted(Trapped::page_table_store_refused));
    CHECK_EQUAL(code_at, frame.rip);
}

TEST(emulate_store, an_instruction_that_stores_elsewhere_is_refused)
{
    set_code({0x48, 0x89, 0x37});
    frame.rdi = address_of(1).raw();
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::reflect);
    CHECK_EQUAL(0u, fake::writes);
    CHECK_EQUAL(code_at, frame.rip);
    CHECK_EQUAL(1u, vcpu.pv.emulation.counted(Trapped::page_table_store_refused));
}

TEST(emulate_store, other_instructions_and_other_modes_are_refused)
{
    frame.rdi = address_of(0).raw();
    set_code({0x48, 0x01, 0x37});                        // add
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::reflect);
    set_code({0x48, 0x0F, 0xBB, 0x37});                  // btc
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::reflect);
    set_code({0x48, 0x89, 0x37});
    frame.cs = FLAT_RING3_CS32;
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::reflect);
    fake::selectors_of_64bit_code.insert(0x33);
    frame.cs = 0x33;
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::done);
    fake::selectors_of_64bit_code.clear();
    frame.cs = FLAT_RING3_CS64;
    frame.rip = 0x6000'0000'0000;                        // code that is not there
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::reflect);
    CHECK_EQUAL(1u, fake::writes);
}

TEST(emulate_store, a_refused_value_leaves_everything_as_it_was)
{
    set_code({0x48, 0x87, 0x37});
    frame.rdi = address_of(0).raw();
    frame.rsi = 5;
    fake::outcome = PageTableWriteOutcome::refused;
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::reflect);
    CHECK_EQUAL(5u, frame.rsi);
    CHECK_EQUAL(code_at, frame.rip);
}

TEST(emulate_store, long_work_is_tried_again_with_the_same_registers)
{
    set_code({0x48, 0x87, 0x37});
    frame.rdi = address_of(0).raw();
    frame.rsi = 5;
    fake::outcome = PageTableWriteOutcome::retry;
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::done);
    CHECK_EQUAL(5u, frame.rsi);
    CHECK_EQUAL(code_at, frame.rip);
}

TEST(emulate_store, segment_bases_are_the_vcpus_own)
{
    fake::registers.gs_base = address_of(0).raw() - 0x100;
    fake::registers.fs_base = address_of(2).raw() - 0x100;
    set_code({0x65, 0x48, 0xC7, 0x04, 0x25, 0x00, 0x01, 0, 0, 0x78, 0x56, 0x34, 0x12});
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::done);
    CHECK_EQUAL(0x12345678u, memory[0]);
    frame.rip = code_at;
    code[0] = 0x64;
    CHECK(emulate_page_table_store(vcpu, frame, address_of(2)) == Emulation::done);
    CHECK_EQUAL(0x12345678u, memory[2]);
}

TEST(emulate_store, code_that_ends_with_its_page_is_enough)
{
    alignas(4096) static uint8_t whole[4096];
    fake::map_guest(GuestVirtual(0x5000'0000'0000), whole, sizeof(whole));
    const uint8_t bytes[] = {0x48, 0x89, 0x37};
    std::copy(std::begin(bytes), std::end(bytes), whole + 4096 - 3);
    frame.rip = 0x5000'0000'0000 + 4096 - 3;
    frame.rdi = address_of(0).raw();
    frame.rsi = 77;
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::done);
    CHECK_EQUAL(77u, memory[0]);
    CHECK_EQUAL(0x5000'0000'1000u, frame.rip);
    // One byte less, and the rest in a page that is not there.
    std::copy(std::begin(bytes), std::begin(bytes) + 2, whole + 4096 - 2);
    frame.rip = 0x5000'0000'0000 + 4096 - 2;
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::reflect);
}

TEST(emulate_store, a_single_step_traps_behind_the_store)
{
    set_code({0x48, 0x89, 0x37});
    frame.rdi = address_of(0).raw();
    frame.rflags |= rflags::tf | rflags::rf;
    CHECK(emulate_page_table_store(vcpu, frame, address_of(0)) == Emulation::done);
    CHECK_EQUAL(1u, fake::exceptions);
    CHECK_EQUAL(0u, frame.rflags & rflags::rf);
}
