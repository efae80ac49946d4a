// SPDX-License-Identifier: BSD-2-Clause
// CPUID and model-specific registers of PV guests.
#include "tests/unit/pv_emulate/emulate_fixture.hpp"

using namespace bulkhead;
using namespace bulkhead::test;

TEST_GROUP_BASE(EmulateMsr, EmulateFixture) {};

// --- CPUID ---------------------------------------------------------------------------------------

TEST(EmulateMsr, forced_cpuid_works_in_both_modes_and_nothing_else_does)
{
    const std::initializer_list<uint8_t> forced = {0x0F, 0x0B, 0x78, 0x65, 0x6E, 0x0F, 0xA2};
    for (bool kernel : {true, false}) {
        vcpu.pv.kernel_mode = kernel;
        std::copy(forced.begin(), forced.end(), code);
        frame.rip = code_at;
        frame.rax = 0xFFFF'FFFF'4000'0000;
        CHECK(emulate_forced(vcpu, frame) == Emulation::done);
        CHECK_EQUAL(code_at + 7, frame.rip);
        CHECK_EQUAL(0x4000'0005u, frame.rax);
    }
    for (unsigned i = 0; i < 7; ++i) {
        std::copy(forced.begin(), forced.end(), code);
        code[i] ^= 1;
        frame.rip = code_at;
        CHECK(emulate_forced(vcpu, frame) == Emulation::reflect);
    }
    frame.rip = 0x4000;
    CHECK(emulate_forced(vcpu, frame) == Emulation::reflect);
}

TEST(EmulateMsr, cpuid_that_faults_gives_the_same_answers)
{
    frame.rax = 1;
    frame.rcx = 0;
    check_done({0x0F, 0xA2});
    CHECK(frame.rcx >> 31 & 1);
}

// --- Model-specific registers --------------------------------------------------------------------

TEST(EmulateMsr, segment_bases_are_read_and_written_as_registers)
{
    uint64_t value;
    CHECK(wrmsr(0xC000'0100, 0x7FFF'1234'5678));
    CHECK(wrmsr(0xC000'0101, 0xFFFF'8880'0000'1000));
    CHECK(wrmsr(0xC000'0102, 0x1000));
    CHECK_EQUAL(0x7FFF'1234'5678u, fake::registers.fs_base);
    CHECK_EQUAL(0xFFFF'8880'0000'1000u, fake::registers.gs_base);
    CHECK_EQUAL(0x1000u, fake::registers.kernel_gs_base);
    CHECK(rdmsr(0xC000'0101, value));
    CHECK_EQUAL(0xFFFF'8880'0000'1000u, value);
    for (uint32_t msr : {0xC000'0100u, 0xC000'0101u, 0xC000'0102u}) {
        CHECK_FALSE(wrmsr(msr, 0x0000'8000'0000'0000));
        CHECK_FALSE(wrmsr(msr, 0x8000'0000'0000'0000));
    }
}

TEST(EmulateMsr, registers_with_fixed_contents_take_only_those)
{
    const std::pair<uint32_t, uint64_t> fixed[] = {
        {0x1B, 0xFEE0'0900}, {0x277, 0x0000'0501'0007'0406}, {0x1A0, 0x80'1801}, {0x140, 0}, {0x17A, 0}, {0x1D9, 0}};
    uint64_t locked = 0;
    CHECK(rdmsr(0x3A, locked));
    CHECK_EQUAL(1u, locked);
    CHECK_FALSE(wrmsr(0x3A, 5));
    for (const auto& [msr, contents] : fixed) {
        uint64_t value = 1;
        CHECK(rdmsr(msr, value));
        CHECK_EQUAL(contents, value);
        CHECK(wrmsr(msr, contents));
        CHECK_FALSE(wrmsr(msr, contents ^ 0x10));
    }
    uint64_t value;
    vcpu.number = VcpuNumber(1);
    CHECK(rdmsr(0x1B, value));
    CHECK_EQUAL(0xFEE0'0800u, value);
}

TEST(EmulateMsr, efer_ignores_the_bits_that_are_always_on)
{
    uint64_t value;
    CHECK(rdmsr(0xC000'0080, value));
    CHECK_EQUAL(0xD01u, value);
    CHECK(wrmsr(0xC000'0080, 0));
    CHECK(wrmsr(0xC000'0080, 0xD01));
    CHECK_FALSE(wrmsr(0xC000'0080, 0x1000));         // SVME
    CHECK_FALSE(wrmsr(0xC000'0080, 0x4000));         // FFXSE
}

TEST(EmulateMsr, tsc_aux_is_the_vcpus_own)
{
    CHECK(wrmsr(0xC000'0103, 0x1005));
    CHECK_EQUAL(0x1005u, fake::tsc_aux);
    CHECK_FALSE(wrmsr(0xC000'0103, 0x1'0000'0000));
    uint64_t value;
    CHECK(rdmsr(0xC000'0103, value));
    CHECK_EQUAL(0x1005u, value);
    fake::tsc_aux = 0;
    vcpu.pv.cr4 = 4;
    load_emulated_registers(vcpu);
    CHECK_EQUAL(0x1005u, fake::tsc_aux);
    CHECK(fake::time_stamp_disable);
}

TEST(EmulateMsr, capabilities_tell_facts_and_offer_no_controls)
{
    uint64_t value;
    CHECK(rdmsr(0x10A, value));
    CHECK(value & 1);
    CHECK_EQUAL(0u, value & (1u << 1 | 1u << 7 | 1u << 9 | 1u << 10 | 1u << 18));
    CHECK_FALSE(wrmsr(0x10A, value));
    CHECK(rdmsr(0x8B, value));
    CHECK_EQUAL(0x42u, value);
    CHECK(wrmsr(0x8B, 0));
    CHECK_FALSE(wrmsr(0x8B, 1));
}

TEST(EmulateMsr, amds_registers_exist_on_amd_only)
{
    uint64_t value;
    for (uint32_t msr : {0xC001'0015u, 0xC001'1029u, 0xC001'0010u, 0xC001'001Fu, 0xC001'0004u, 0xC001'0201u})
        CHECK_FALSE(rdmsr(msr, value));
    use_host(false);
    CHECK(rdmsr(0xC001'0015, value));
    CHECK_EQUAL(1u << 24, value);
    CHECK(rdmsr(0xC001'1029, value));
    CHECK_EQUAL(2u, value);
    CHECK(wrmsr(0xC001'1029, 0));
    CHECK(rdmsr(0xC001'0007, value));
    CHECK_EQUAL(0u, value);
    CHECK(wrmsr(0xC001'0200, 0x530076));
    CHECK_FALSE(rdmsr(0xC001'0008, value));
    CHECK_FALSE(rdmsr(0xC001'020C, value));
    CHECK_FALSE(rdmsr(0x1A0, value));
    CHECK_FALSE(rdmsr(0x140, value));
}

TEST(EmulateMsr, an_unknown_register_faults_is_counted_and_named_once)
{
    uint64_t value;
    CHECK_FALSE(rdmsr(0x611, value));
    CHECK_FALSE(rdmsr(0x611, value));
    CHECK_FALSE(wrmsr(0x48, 1));
    CHECK_EQUAL(2u, vcpu.pv.emulation.counted(Trapped::rdmsr_unknown));
    CHECK_EQUAL(1u, vcpu.pv.emulation.counted(Trapped::wrmsr_unknown));
    CHECK_EQUAL(2u, fake::log_lines.size());
    STRCMP_CONTAINS("gateway: vCPU 0 reads MSR 0x611", fake::log_lines[0].c_str());
    CHECK_FALSE(rdmsr(0, value));
    CHECK_FALSE(rdmsr(0xFFFF'FFFF, value));
    CHECK_FALSE(rdmsr(0xFFFF'FFFF, value));
    CHECK_EQUAL(4u, fake::log_lines.size());
    for (uint32_t msr = 0x1000; msr < 0x2000; ++msr)
        CHECK_FALSE(rdmsr(msr, value));
    CHECK_EQUAL(vcpu.pv.emulation.told_msrs.size(), fake::log_lines.size());
}
