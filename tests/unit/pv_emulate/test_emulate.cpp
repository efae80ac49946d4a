// SPDX-License-Identifier: BSD-2-Clause
// Privileged instructions, ports, model-specific registers and `int n` of PV guests.
#include "core/pv/emulate.hpp"

#include "fake_core.hpp"
#include "machine/clock.hpp"
#include "machine/control.hpp"
#include "machine/fpu.hpp"
#include "machine/registers.hpp"

#include "core/pv/cpuid_policy.cpp"
#include "core/pv/debug_registers.cpp"
#include "core/pv/emulate.cpp"
#include "core/pv/emulate_control.cpp"
#include "core/pv/fpu.cpp"
#include "core/pv/instruction.cpp"
#include "core/pv/instruction_store.cpp"
#include "core/pv/io_ports.cpp"
#include "core/pv/msr_policy.cpp"
#include "core/pv/physdev_op.cpp"
#include "core/pv/segments.cpp"
#include "core/pv/xen_leaves.cpp"

#include <random>

#include <CppUTest/TestHarness.h>

namespace bulkhead {

namespace fake {

struct Injected {
    unsigned count;
    unsigned vector;
    uint32_t error_code;
    uint64_t address;
};
inline Injected injected;
inline Features the_features;

}  // namespace fake

void inject_exception(Vcpu&, GuestFrame&, uint8_t vector, uint32_t error_code)
{
    fake::injected = {fake::injected.count + 1, vector, error_code, 0};
}
void inject_page_fault(Vcpu&, GuestFrame&, uint64_t address, uint32_t error_code)
{
    fake::injected = {fake::injected.count + 1, 14, error_code, address};
}
const Features& features() { return fake::the_features; }

}  // namespace bulkhead

using namespace bulkhead;

namespace {

constexpr uint64_t code_at = 0xFFFF'FFFF'8100'0000;
constexpr uint64_t data_at = 0xFFFF'C900'0000'0000;

template <bool intel>
CpuidResult host(uint32_t leaf, uint32_t subleaf)
{
    switch (leaf) {
    case 0: return {0xD, intel ? 0x756E6547u : 0x68747541u, 0, 0};
    case 1: return {0x906EA, 0x0800, 0xFFFF'FFFF, 0xFFFF'FFFF};
    case 7: return subleaf == 0 ? CpuidResult{0, 0xFFFF'FFFF, 0xFFFF'FFFF, 0xFFFF'FFFF} : CpuidResult{};
    case 0xD: return subleaf == 2 ? CpuidResult{256, 576, 0, 0} : CpuidResult{7, 832, 832, 0};
    case 0x8000'0000: return {0x8000'0008, 0, 0, 0};
    case 0x8000'0001: return {0, 0, 0xFFFF'FFFF, 0xFFFF'FFFF};
    case 0x8000'0008: return {0x3027, 0, 0, 0};
    default: return {};
    }
}

}  // namespace

TEST_GROUP(emulate)
{
    Partition partition = {};
    plan::Partition plan = {};
    Vcpu vcpu = {};
    vcpu_info_t info = {};
    GuestFrame frame = {};
    uint8_t code[64] = {};
    uint8_t data[64] = {};

    void setup() override
    {
        fake::reset_core();
        fake::injected = {};
        fake::registers = {};
        fake::xcr0 = 1;
        fake::time_stamp_disable = false;
        plan.name = {"gateway"};
        partition.plan = &plan;
        partition.vcpus = std::span(&vcpu, 1);
        vcpu.partition = &partition;
        vcpu.info = &info;
        vcpu.pv.kernel_mode = true;
        vcpu.pv.iopl = 1;
        vcpu.pv.kernel_table = Mfn(0x12345);
        frame.cs = FLAT_RING3_CS64;
        frame.rip = code_at;
        frame.rflags = 0x202;
        fake::map_guest(GuestVirtual(code_at), code, sizeof(code));
        fake::map_guest(GuestVirtual(data_at), data, sizeof(data));
        use_host(true);
    }
    void teardown() override
    {
        fake::guest_regions = {};
        fake::log_lines = {};
        fake::selectors_of_64bit_code.clear();
    }
    void use_host(bool intel)
    {
        init_cpuid_policy(intel ? host<true> : host<false>, 7, true);
        init_msr_policy({.microcode_revision = 0x42, .arch_capabilities = ~uint64_t{0}});
    }
    Emulation run(std::initializer_list<uint8_t> bytes)
    {
        frame.rip = code_at;
        std::copy(bytes.begin(), bytes.end(), code);
        return emulate_privileged(vcpu, frame);
    }
    void check_done(std::initializer_list<uint8_t> bytes)
    {
        CHECK(run(bytes) == Emulation::done);
        CHECK_EQUAL(code_at + bytes.size(), frame.rip);
    }
    // Refused in either way: the guest gets its #GP.
    void check_refused(std::initializer_list<uint8_t> bytes)
    {
        const GuestFrame before = frame;
        const Emulation result = run(bytes);
        CHECK(result == Emulation::inject_gp || result == Emulation::reflect);
        CHECK_EQUAL(code_at, frame.rip);
        frame.rip = before.rip;
        MEMCMP_EQUAL(&before, &frame, sizeof(frame));
    }
    bool rdmsr(uint32_t msr, uint64_t& value)
    {
        frame.rcx = msr;
        if (run({0x0F, 0x32}) != Emulation::done)
            return false;
        value = frame.rdx << 32 | frame.rax;
        return true;
    }
    bool wrmsr(uint32_t msr, uint64_t value)
    {
        frame.rcx = msr | 0xABCD'0000'0000'0000;     // upper halves do not count
        frame.rax = (value & 0xFFFF'FFFF) | 0x1111'0000'0000'0000;
        frame.rdx = (value >> 32) | 0x2222'0000'0000'0000;
        return run({0x0F, 0x30}) == Emulation::done;
    }
    long hypercall(HypercallHandler handler, uint64_t a, uint64_t b = 0)
    {
        HypercallArguments arguments = {{a, b, 0, 0, 0, 0}};
        return handler(vcpu, arguments);
    }
    template <class T>
    long physdev(uint64_t command, T request)
    {
        fake::map_guest(0x5000, request);
        const long result = hypercall(do_physdev_op, command, 0x5000);
        fake::unmap_guest(GuestVirtual(0x5000));
        return result;
    }
};

// --- Control registers ------------------------------------------------------------------------------

TEST(emulate, cr0_reads_as_the_guests_view_with_its_own_ts)
{
    check_done({0x0F, 0x20, 0xC0});
    CHECK_EQUAL(0x8005'0033u, frame.rax);
    frame.r11 = 0x8005'003B;
    check_done({0x41, 0x0F, 0x22, 0xC3});            // mov %r11,%cr0
    CHECK(vcpu.pv.task_switched);
    CHECK(fake::registers.task_switched);
    check_done({0x0F, 0x20, 0xC3});
    CHECK_EQUAL(0x8005'003Bu, frame.rbx);
    check_done({0x0F, 0x06});                        // clts
    CHECK_FALSE(fake::registers.task_switched);
}

TEST(emulate, cr0_refuses_every_other_change)
{
    frame.rax = 0x8005'0033 & ~0x1'0000u;            // WP off
    check_refused({0x0F, 0x22, 0xC0});
    frame.rax = 0;
    check_refused({0x0F, 0x22, 0xC0});
}

TEST(emulate, cr2_and_cr3_are_the_guests)
{
    frame.rcx = 0x1234;
    check_done({0x0F, 0x22, 0xD1});
    CHECK_EQUAL(0x1234u, info.arch.cr2);
    check_done({0x0F, 0x20, 0xD0});
    CHECK_EQUAL(0x1234u, frame.rax);
    check_done({0x0F, 0x20, 0xD8});
    CHECK_EQUAL(0x12345000u, frame.rax);
    check_refused({0x0F, 0x22, 0xD8});
}

TEST(emulate, cr4_takes_the_bits_that_a_guest_may_have)
{
    frame.rax = ~uint64_t{0};
    check_done({0x0F, 0x22, 0xE0});
    check_done({0x0F, 0x20, 0xE0});
    CHECK_EQUAL(0x5062Cu, frame.rax);
    CHECK(fake::time_stamp_disable);
    frame.rax = 0;
    check_done({0x0F, 0x22, 0xE0});
    CHECK_FALSE(fake::time_stamp_disable);
}

TEST(emulate, control_registers_that_do_not_exist_are_refused)
{
    for (unsigned number : {1u, 5u, 6u, 7u})
        check_refused({0x0F, 0x20, static_cast<uint8_t>(0xC0 | number << 3)});
    check_refused({0x44, 0x0F, 0x20, 0xC0});         // cr8
    check_refused({0x44, 0x0F, 0x22, 0xC0});
}

TEST(emulate, user_mode_gets_its_fault)
{
    vcpu.pv.kernel_mode = false;
    check_refused({0x0F, 0x20, 0xC0});
    check_refused({0x0F, 0x32});
    check_refused({0x0F, 0x30});
    check_refused({0x0F, 0x06});
    check_refused({0x0F, 0x01, 0xD1});
    check_refused({0x0F, 0x23, 0xF8});
    check_refused({0xFA});
    check_refused({0xEC});
    check_refused({0x0F, 0x31});
}

TEST(emulate, what_stays_forbidden_is_counted)
{
    check_refused({0xF4});                           // hlt
    check_refused({0x0F, 0x08});                     // invd
    check_refused({0x0F, 0x01, 0xF8});               // swapgs
    check_refused({0x48, 0x0F, 0x07});               // sysretq
    check_refused({0x48, 0xCF});                     // iretq
    check_refused({0x0F, 0x01, 0x16});               // lgdt (%rsi)
    check_refused({0x0F, 0x01, 0x3E});               // invlpg (%rsi)
    check_refused({0x0F, 0x33});                     // rdpmc
    CHECK_EQUAL(8u, vcpu.pv.emulation.counted(Trapped::forbidden));
    check_refused({0x48, 0x8B, 0x00});               // mov (%rax),%rax at a bad address
    CHECK_EQUAL(1u, vcpu.pv.emulation.counted(Trapped::unmatched));
}

TEST(emulate, compatibility_mode_code_is_refused)
{
    frame.cs = FLAT_RING3_CS32;
    check_refused({0x0F, 0x32});
    frame.cs = 0x13;
    check_refused({0x0F, 0x32});
    fake::selectors_of_64bit_code.insert(0x13);
    frame.rcx = 0xC000'0080;
    check_done({0x0F, 0x32});
}

TEST(emulate, wbinvd_does_nothing_and_cli_needs_iopl)
{
    check_done({0x0F, 0x09});
    check_done({0xFA});
    check_done({0xFB});
    vcpu.pv.iopl = 0;
    check_refused({0xFA});
    partition.vm_assist = uint64_t{1} << VMASST_TYPE_architectural_iopl;
    check_done({0xFA});
    CHECK_EQUAL(0x202u, frame.rflags);
}

TEST(emulate, the_clock_stays_open_to_a_kernel_that_closed_it_to_users)
{
    fake::tsc = 0x1'2345'6789;
    vcpu.pv.emulation.tsc_aux = 3;
    check_done({0x0F, 0x31});
    CHECK_EQUAL(0x2345'6789u, frame.rax);
    CHECK_EQUAL(1u, frame.rdx);
    check_done({0x0F, 0x01, 0xF9});
    CHECK_EQUAL(3u, frame.rcx);
}

TEST(emulate, a_single_step_traps_behind_the_instruction)
{
    frame.rflags |= rflags::tf;
    check_done({0x0F, 0x06});
    CHECK_EQUAL(1u, fake::injected.count);
    CHECK_EQUAL(1u, fake::injected.vector);
    CHECK_EQUAL(1u << 14, vcpu.pv.debug[6]);
}

TEST(emulate, code_that_cannot_be_read_is_left_to_the_guest)
{
    frame.rip = 0x4000;
    CHECK(emulate_privileged(vcpu, frame) == Emulation::reflect);
    frame.rip = 0xFFFF'8000'0000'0000;               // the core's
    CHECK(emulate_privileged(vcpu, frame) == Emulation::reflect);
}

TEST(emulate, instructions_at_the_end_of_a_page_need_no_other_page)
{
    alignas(4096) static uint8_t whole[4096];
    fake::map_guest(GuestVirtual(0x40000000), whole, sizeof(whole));
    whole[4094] = 0x0F;
    whole[4095] = 0x32;
    frame.rip = 0x40000000 + 4094;
    frame.rcx = 0xC000'0080;
    CHECK(emulate_privileged(vcpu, frame) == Emulation::done);
    CHECK_EQUAL(0xD01u, frame.rax);
    const uint8_t forced[] = {0x0F, 0x0B, 0x78, 0x65, 0x6E, 0x0F, 0xA2};
    std::copy(std::begin(forced), std::end(forced), whole + 4096 - 7);
    frame.rip = 0x40000000 + 4096 - 7;
    frame.rax = 0x4000'0000;
    CHECK(emulate_forced(vcpu, frame) == Emulation::done);
    CHECK_EQUAL(0x566e6558u, frame.rbx);
}

TEST(emulate, random_bytes_never_do_more_than_fault)
{
    std::mt19937_64 random{99};
    fake::tsc_step = 1;
    for (unsigned i = 0; i < 100'000; ++i) {
        for (uint8_t& byte : code)
            byte = static_cast<uint8_t>(random());
        if ((i & 1) != 0)
            code[0] = 0x0F;
        for (unsigned r = 0; r < 16; ++r)
            register_of(frame, r) = random();
        frame.rip = code_at + (random() & 63);
        frame.rflags = 2;
        vcpu.pv.kernel_mode = (random() & 1) != 0;
        (void)emulate_privileged(vcpu, frame);
        (void)emulate_forced(vcpu, frame);
        frame.error_code = static_cast<uint32_t>(random()) & 0xFFFF;
        (void)software_interrupt(vcpu, frame);
    }
    fake::tsc_step = 0;
}

// --- XCR0 -------------------------------------------------------------------------------------------

TEST(emulate, xsetbv_takes_what_is_consistent_and_offered)
{
    frame.rcx = 0;
    frame.rdx = 0;
    frame.rax = 7;
    CHECK(run({0x0F, 0x01, 0xD1}) == Emulation::inject_ud);     // without CR4.OSXSAVE
    vcpu.pv.cr4 = 1u << 18;
    check_done({0x0F, 0x01, 0xD1});
    CHECK_EQUAL(7u, fake::xcr0);
    CHECK_EQUAL(7u, vcpu.pv.xcr0);
    for (uint64_t bad : {0u, 2u, 5u, 6u, 0xFu, 0xE7u, 0x207u}) {
        frame.rax = bad;
        check_refused({0x0F, 0x01, 0xD1});
    }
    frame.rax = 3;
    frame.rcx = 1;
    check_refused({0x0F, 0x01, 0xD1});
    frame.rcx = 0;
    frame.rdx = 1;
    check_refused({0x0F, 0x01, 0xD1});
    CHECK_EQUAL(7u, fake::xcr0);
}

TEST(emulate, the_parts_of_avx512_come_together)
{
    init_cpuid_policy(host<true>, 0xE7, true);
    CHECK(set_xcr0(vcpu, 0xE7).has_value());
    CHECK_FALSE(set_xcr0(vcpu, 0x27).has_value());
    CHECK_FALSE(set_xcr0(vcpu, 0xE3).has_value());
}

TEST(emulate, fpu_taskswitch_sets_and_clears_ts)
{
    CHECK_EQUAL(0, hypercall(do_fpu_taskswitch, 1));
    CHECK(fake::registers.task_switched);
    CHECK_EQUAL(0, hypercall(do_fpu_taskswitch, 0));
    CHECK_FALSE(fake::registers.task_switched);
}

// --- CPUID ------------------------------------------------------------------------------------------

TEST(emulate, forced_cpuid_works_in_both_modes_and_nothing_else_does)
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

TEST(emulate, cpuid_that_faults_gives_the_same_answers)
{
    frame.rax = 1;
    frame.rcx = 0;
    check_done({0x0F, 0xA2});
    CHECK(frame.rcx >> 31 & 1);
}

// --- Model-specific registers -----------------------------------------------------------------------

TEST(emulate, segment_bases_are_read_and_written_as_registers)
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

TEST(emulate, registers_with_fixed_contents_take_only_those)
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

TEST(emulate, efer_ignores_the_bits_that_are_always_on)
{
    uint64_t value;
    CHECK(rdmsr(0xC000'0080, value));
    CHECK_EQUAL(0xD01u, value);
    CHECK(wrmsr(0xC000'0080, 0));
    CHECK(wrmsr(0xC000'0080, 0xD01));
    CHECK_FALSE(wrmsr(0xC000'0080, 0x1000));         // SVME
    CHECK_FALSE(wrmsr(0xC000'0080, 0x4000));         // FFXSE
}

TEST(emulate, tsc_aux_is_the_vcpus_own)
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

TEST(emulate, capabilities_tell_facts_and_offer_no_controls)
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

TEST(emulate, amds_registers_exist_on_amd_only)
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

TEST(emulate, an_unknown_register_faults_is_counted_and_named_once)
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

// --- Ports ------------------------------------------------------------------------------------------

TEST(emulate, ports_read_as_ones_in_every_width)
{
    frame.rdx = 0x3F8;
    frame.rax = 0x1122'3344'5566'7788;
    check_done({0xEC});
    CHECK_EQUAL(0x1122'3344'5566'77FFu, frame.rax);
    check_done({0x66, 0xED});
    CHECK_EQUAL(0x1122'3344'5566'FFFFu, frame.rax);
    check_done({0xED});
    CHECK_EQUAL(0xFFFF'FFFFu, frame.rax);
    check_done({0xE4, 0x60});
    check_done({0xEE});
    check_done({0xEF});
    check_done({0xE7, 0x80});
    CHECK_EQUAL(7u, vcpu.pv.emulation.counted(Trapped::port));
}

TEST(emulate, a_pit_that_is_looked_for_does_not_count)
{
    check_done({0xE4, 0x42});
    CHECK_EQUAL(0u, frame.rax & 0xFF);
    check_done({0xE4, 0x43});
    CHECK_EQUAL(0xFFu, frame.rax & 0xFF);
}

TEST(emulate, pci_configuration_has_no_devices)
{
    frame.rdx = 0xCF8;
    frame.rax = 0x8000'0000;
    check_done({0xEF});
    frame.rdx = 0xCFC;
    check_done({0xED});
    CHECK_EQUAL(0xFFFF'FFFFu, frame.rax);
}

TEST(emulate, iopl_counts_for_the_mode_that_the_guest_is_in)
{
    vcpu.pv.iopl = 0;
    check_refused({0xEC});
    CHECK_EQUAL(1u, vcpu.pv.emulation.counted(Trapped::port_refused));
    vcpu.pv.iopl = 1;
    check_done({0xEC});
    vcpu.pv.kernel_mode = false;
    check_refused({0xEC});
    vcpu.pv.iopl = 3;
    check_done({0xEC});
}

TEST(emulate, the_bitmap_admits_single_ports)
{
    vcpu.pv.kernel_mode = false;
    vcpu.pv.user_table = Mfn(0x777);
    fake::registers.table = 0x777;
    uint64_t table_at_access = 0;
    fake::on_guest_access = [&](GuestVirtual address, size_t, bool) {
        if (address.raw() - data_at < sizeof(data))
            table_at_access = fake::registers.table;
    };
    memset(data, 0xFF, sizeof(data));
    data[0x60 / 8] = 0xEE;                           // 0x60 and 0x64
    data[0x70 / 8] = 0x7F;                           // 0x77
    data[0x78 / 8] = 0xFE;                           // 0x78
    physdev_set_iobitmap request = {};
    request.bitmap.p = reinterpret_cast<uint8_t*>(data_at);
    request.nr_ports = 0x100;
    CHECK_EQUAL(0, physdev(PHYSDEVOP_set_iobitmap, request));
    check_done({0xE4, 0x60});
    CHECK_EQUAL(0x12345u, table_at_access);          // the kernel's tables show it
    CHECK_EQUAL(0x777u, fake::registers.table);
    check_done({0xE4, 0x64});
    check_refused({0xE4, 0x61});
    check_refused({0x66, 0xE5, 0x60});               // 0x60 and 0x61
    check_done({0x66, 0xE5, 0x77});                  // across a byte of the bitmap
    check_refused({0xE5, 0x77});
    frame.rdx = 0x100;
    check_refused({0xEC});                           // beyond its end
    data[0xF8 / 8] = 0;
    frame.rdx = 0xFF;
    check_done({0xEC});
    check_refused({0x66, 0xED});
    fake::unmap_guest(GuestVirtual(data_at));
    frame.rdx = 0x60;
    check_refused({0xEC});                           // a bitmap that is not there admits nothing
    fake::on_guest_access = nullptr;
}

TEST(emulate, string_ports_move_through_the_guests_memory)
{
    memset(data, 0, sizeof(data));
    frame.rdx = 0x1F0;
    frame.rdi = data_at;
    frame.rcx = 3;
    check_done({0xF3, 0x66, 0x6D});
    CHECK_EQUAL(0u, frame.rcx);
    CHECK_EQUAL(data_at + 6, frame.rdi);
    CHECK_EQUAL(0xFF, data[5]);
    CHECK_EQUAL(0, data[6]);
    frame.rflags |= rflags::df;
    frame.rdi = data_at + 32;
    check_done({0x6D});
    CHECK_EQUAL(data_at + 28, frame.rdi);
    CHECK_EQUAL(0xFF, data[35]);
    frame.rflags &= ~rflags::df;
    frame.rsi = data_at + 8;
    frame.rcx = 4;
    check_done({0xF3, 0x6E});
    CHECK_EQUAL(data_at + 12, frame.rsi);
    frame.rcx = 0;
    check_done({0xF3, 0x6E});
    frame.rsi = 8;
    fake::registers.gs_base = data_at;
    check_done({0x65, 0x6E});
    CHECK_EQUAL(9u, frame.rsi);
    CHECK_EQUAL(0u, fake::injected.count);
}

TEST(emulate, long_strings_go_on_with_the_next_trap)
{
    static uint8_t much[4096];
    fake::map_guest(GuestVirtual(0x100000), much, sizeof(much));
    frame.rdx = 0x1F0;
    frame.rsi = 0x100000;
    frame.rcx = 1000;
    unsigned traps = 0;
    do {
        ++traps;
        CHECK(run({0xF3, 0x6F}) == Emulation::done);
    } while (frame.rip == code_at);
    CHECK_EQUAL(4u, traps);
    CHECK_EQUAL(0x100000u + 4000, frame.rsi);
    CHECK_EQUAL(code_at + 2, frame.rip);
}

TEST(emulate, a_string_that_meets_a_hole_stops_there_with_a_page_fault)
{
    frame.rdx = 0x1F0;
    frame.rdi = data_at + 60;
    frame.rcx = 8;
    CHECK(run({0xF3, 0x6C}) == Emulation::done);
    CHECK_EQUAL(14u, fake::injected.vector);
    CHECK_EQUAL(data_at + 64, fake::injected.address);
    CHECK_EQUAL(2u, fake::injected.error_code);
    CHECK_EQUAL(4u, frame.rcx);
    CHECK_EQUAL(code_at, frame.rip);
    frame.rsi = 0x8000'0000'0000'0000;
    CHECK(run({0x6E}) == Emulation::inject_gp);
    frame.rdi = 0xFFFF'8000'0000'0000;               // the core's: as if nothing were there
    CHECK(run({0x6C}) == Emulation::done);
    CHECK_EQUAL(0xFFFF'8000'0000'0000u, fake::injected.address);
}

TEST(emulate, physdev_op_checks_what_it_is_given)
{
    CHECK_EQUAL(0, physdev(PHYSDEVOP_set_iopl, physdev_set_iopl{3}));
    CHECK_EQUAL(3, vcpu.pv.iopl);
    CHECK_EQUAL(-XEN_EINVAL, physdev(PHYSDEVOP_set_iopl, physdev_set_iopl{4}));
    CHECK_EQUAL(-XEN_EFAULT, hypercall(do_physdev_op, PHYSDEVOP_set_iopl, 0x9000));
    CHECK_EQUAL(-XEN_EFAULT, hypercall(do_physdev_op, PHYSDEVOP_set_iobitmap, 0x9000));
    physdev_set_iobitmap request = {};
    request.nr_ports = 0x10001;
    CHECK_EQUAL(-XEN_EINVAL, physdev(PHYSDEVOP_set_iobitmap, request));
    request.nr_ports = 0x10000;
    request.bitmap.p = reinterpret_cast<uint8_t*>(0xFFFF'8000'0000'0000);
    CHECK_EQUAL(-XEN_EINVAL, physdev(PHYSDEVOP_set_iobitmap, request));
    CHECK_EQUAL(-XEN_EPERM, hypercall(do_physdev_op, PHYSDEVOP_map_pirq));
    CHECK_EQUAL(-XEN_EINVAL, hypercall(do_physdev_op, PHYSDEVOP_eoi));
    CHECK_EQUAL(-XEN_ENOSYS, hypercall(do_physdev_op, 99));
}

// --- Software interrupts ----------------------------------------------------------------------------

TEST(emulate, int_n_goes_through_a_gate_that_admits_the_mode)
{
    vcpu.pv.traps[0x80].dpl = 3;
    vcpu.pv.traps[0x81].dpl = 1;
    code[0] = 0xCD;
    code[1] = 0x80;
    frame.error_code = 0x80 * 8 + 2;
    CHECK_EQUAL(0x80, software_interrupt(vcpu, frame).value_or(0));
    CHECK_EQUAL(code_at + 2, frame.rip);
    frame.rip = code_at;
    code[1] = 0x81;
    frame.error_code = 0x81 * 16 + 2;                // as QEMU says it
    CHECK_EQUAL(0x81, software_interrupt(vcpu, frame).value_or(0));
    frame.rip = code_at;
    vcpu.pv.kernel_mode = false;
    CHECK_FALSE(software_interrupt(vcpu, frame).has_value());
    CHECK_EQUAL(code_at, frame.rip);
    code[1] = 0x82;
    frame.error_code = 0x82 * 8 + 2;
    vcpu.pv.kernel_mode = true;
    CHECK_FALSE(software_interrupt(vcpu, frame).has_value());
}

TEST(emulate, other_faults_are_no_software_interrupts)
{
    vcpu.pv.traps[0x80].dpl = 3;
    code[0] = 0xCD;
    code[1] = 0x80;
    for (uint32_t error : {0u, 0x80u * 8, 0x80u * 8 + 3, 0x80u * 8 + 1, 0x80u * 8 + 4}) {
        frame.error_code = error;
        CHECK_FALSE(software_interrupt(vcpu, frame).has_value());
    }
}

TEST(emulate, int_n_whose_bytes_are_gone_is_known_by_its_error_code)
{
    vcpu.pv.traps[0x80].dpl = 3;
    frame.rip = 0x4000;
    frame.error_code = 0x80 * 8 + 2;
    CHECK_EQUAL(0x80, software_interrupt(vcpu, frame).value_or(0));
}

// --- Debug registers --------------------------------------------------------------------------------

TEST(emulate, breakpoints_reach_the_cpu_when_they_are_enabled)
{
    CHECK_EQUAL(0, hypercall(do_set_debugreg, 0, 0x401000));
    CHECK_EQUAL(0x400u, fake::registers.debug.control);
    CHECK_EQUAL(0, hypercall(do_set_debugreg, 7, 0x1));
    CHECK(vcpu.pv.debug_active);
    CHECK_EQUAL(0x401000u, fake::registers.debug.address[0]);
    CHECK_EQUAL(0x401u, fake::registers.debug.control);
    CHECK_EQUAL(0, hypercall(do_set_debugreg, 3, 0x402000));
    CHECK_EQUAL(0x402000u, fake::registers.debug.address[3]);
    CHECK_EQUAL(0x401000, hypercall(do_get_debugreg, 0));
    CHECK_EQUAL(0x401, hypercall(do_get_debugreg, 7));
    CHECK_EQUAL(0, hypercall(do_set_debugreg, 7, 0));
    CHECK_FALSE(vcpu.pv.debug_active);
    CHECK_EQUAL(0x400u, fake::registers.debug.control);
}

TEST(emulate, debug_registers_refuse_the_cores_addresses_and_general_detect)
{
    for (uint64_t reg = 0; reg < 4; ++reg)
        for (uint64_t address : {0xFFFF'8000'0000'0000u, 0xFFFF'87FF'FFFF'FFFFu, 0x8000'0000'0000u})
            CHECK_EQUAL(-XEN_EPERM, hypercall(do_set_debugreg, reg, address));
    CHECK_EQUAL(-XEN_EPERM, hypercall(do_set_debugreg, 7, 1u << 13));
    CHECK_EQUAL(-XEN_EPERM, hypercall(do_set_debugreg, 7, uint64_t{1} << 32));
    CHECK_EQUAL(-XEN_EPERM, hypercall(do_set_debugreg, 6, uint64_t{1} << 32));
    CHECK_EQUAL(-XEN_EINVAL, hypercall(do_set_debugreg, 8, 0));
    CHECK_EQUAL(-XEN_EINVAL, hypercall(do_get_debugreg, 8));
    CHECK_EQUAL(-XEN_EINVAL, hypercall(do_get_debugreg, ~uint64_t{0}));
}

TEST(emulate, four_and_five_are_six_and_seven_until_de)
{
    CHECK_EQUAL(0xFFFF0FF0, hypercall(do_get_debugreg, 4));
    CHECK_EQUAL(0x400, hypercall(do_get_debugreg, 5));
    CHECK_EQUAL(0, hypercall(do_set_debugreg, 4, 0x4001));
    CHECK_EQUAL(0xFFFF4FF1, hypercall(do_get_debugreg, 6));
    vcpu.pv.cr4 = 8;
    CHECK_EQUAL(-XEN_ENODEV, hypercall(do_get_debugreg, 4));
    CHECK_EQUAL(-XEN_ENODEV, hypercall(do_set_debugreg, 5, 0));
    CHECK(run({0x0F, 0x21, 0xE0}) == Emulation::inject_ud);
}

TEST(emulate, mov_dr_is_the_same_as_the_hypercall)
{
    frame.rax = 0x401000;
    check_done({0x0F, 0x23, 0xC0});
    check_done({0x0F, 0x21, 0xC3});
    CHECK_EQUAL(0x401000u, frame.rbx);
    frame.rax = 0xFFFF'8000'0000'0000;
    check_refused({0x0F, 0x23, 0xC0});
    CHECK(run({0x44, 0x0F, 0x21, 0xC0}) == Emulation::inject_ud);        // dr8
}

TEST(emulate, io_breakpoints_are_emulated_and_kept_from_the_cpu)
{
    const uint64_t control = 0x1 | 0x2u << 16 | 0x1u << 18;              // L0, I/O, two ports
    CHECK_EQUAL(0, hypercall(do_set_debugreg, 0, 0x60));
    CHECK_EQUAL(-XEN_EPERM, hypercall(do_set_debugreg, 7, control));     // needs CR4.DE
    vcpu.pv.cr4 = 8;
    CHECK_EQUAL(0, hypercall(do_set_debugreg, 7, control));
    CHECK_EQUAL(0x400u, fake::registers.debug.control);
    CHECK_EQUAL(static_cast<long>(control | 0x400), hypercall(do_get_debugreg, 7));
    check_done({0xE4, 0x62});
    CHECK_EQUAL(0u, fake::injected.count);
    check_done({0xE4, 0x61});
    CHECK_EQUAL(1u, fake::injected.count);
    CHECK_EQUAL(1u, vcpu.pv.debug[6]);
    check_done({0xE5, 0x5E});                                            // 0x5E to 0x61
    CHECK_EQUAL(2u, fake::injected.count);
    frame.rdx = 0x60;
    frame.rsi = data_at;
    frame.rcx = 2;
    CHECK(run({0xF3, 0x6E}) == Emulation::done);
    CHECK_EQUAL(1u, frame.rcx);
    CHECK_EQUAL(3u, fake::injected.count);
}

TEST(emulate, reported_debug_status_stays_until_the_guest_clears_it)
{
    merge_debug_status(vcpu, 0xFFFF0FF1);
    merge_debug_status(vcpu, 0xFFFF4FF0);
    CHECK_EQUAL(0xFFFF4FF1, hypercall(do_get_debugreg, 6));
    CHECK_EQUAL(0, hypercall(do_set_debugreg, 6, 0));
    CHECK_EQUAL(0xFFFF0FF0, hypercall(do_get_debugreg, 6));
}

TEST(emulate, every_counter_has_a_name)
{
    for (unsigned i = 0; i < static_cast<unsigned>(Trapped::count); ++i)
        CHECK(strlen(trapped_name(static_cast<Trapped>(i))) > 2);
}
