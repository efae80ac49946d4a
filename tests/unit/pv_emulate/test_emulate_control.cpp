// SPDX-License-Identifier: BSD-2-Clause
// Control registers, XCR0 and debug registers of PV guests.
#include "tests/unit/pv_emulate/emulate_fixture.hpp"

#include <random>

using namespace bulkhead;
using namespace bulkhead::test;

TEST_GROUP_BASE(EmulateControl, EmulateFixture) {};

// --- Control registers ---------------------------------------------------------------------------

TEST(EmulateControl, cr0_reads_as_the_guests_view_with_its_own_ts)
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

TEST(EmulateControl, cr0_refuses_every_other_change)
{
    frame.rax = 0x8005'0033 & ~0x1'0000u;            // WP off
    check_refused({0x0F, 0x22, 0xC0});
    frame.rax = 0;
    check_refused({0x0F, 0x22, 0xC0});
}

TEST(EmulateControl, cr2_and_cr3_are_the_guests)
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

TEST(EmulateControl, cr4_takes_the_bits_that_a_guest_may_have)
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

TEST(EmulateControl, control_registers_that_do_not_exist_are_refused)
{
    for (unsigned number : {1u, 5u, 6u, 7u})
        check_refused({0x0F, 0x20, static_cast<uint8_t>(0xC0 | number << 3)});
    check_refused({0x44, 0x0F, 0x20, 0xC0});         // cr8
    check_refused({0x44, 0x0F, 0x22, 0xC0});
}

TEST(EmulateControl, user_mode_gets_its_fault)
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

TEST(EmulateControl, what_stays_forbidden_is_counted)
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

TEST(EmulateControl, compatibility_mode_code_is_refused)
{
    frame.cs = FLAT_RING3_CS32;
    check_refused({0x0F, 0x32});
    frame.cs = 0x13;
    check_refused({0x0F, 0x32});
    fake::selectors_of_64bit_code.insert(0x13);
    frame.rcx = 0xC000'0080;
    check_done({0x0F, 0x32});
}

TEST(EmulateControl, wbinvd_does_nothing_and_cli_needs_iopl)
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

TEST(EmulateControl, the_clock_stays_open_to_a_kernel_that_closed_it_to_users)
{
    fake::tsc = 0x1'2345'6789;
    vcpu.pv.emulation.tsc_aux = 3;
    check_done({0x0F, 0x31});
    CHECK_EQUAL(0x2345'6789u, frame.rax);
    CHECK_EQUAL(1u, frame.rdx);
    check_done({0x0F, 0x01, 0xF9});
    CHECK_EQUAL(3u, frame.rcx);
}

TEST(EmulateControl, a_single_step_traps_behind_the_instruction)
{
    frame.rflags |= rflags::tf;
    check_done({0x0F, 0x06});
    CHECK_EQUAL(1u, fake::injected.count);
    CHECK_EQUAL(1u, fake::injected.vector);
    CHECK_EQUAL(1u << 14, vcpu.pv.debug[6]);
}

TEST(EmulateControl, code_that_cannot_be_read_is_left_to_the_guest)
{
    frame.rip = 0x4000;
    CHECK(emulate_privileged(vcpu, frame) == Emulation::reflect);
    frame.rip = 0xFFFF'8000'0000'0000;               // the core's
    CHECK(emulate_privileged(vcpu, frame) == Emulation::reflect);
}

TEST(EmulateControl, instructions_at_the_end_of_a_page_need_no_other_page)
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

TEST(EmulateControl, random_bytes_never_do_more_than_fault)
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

// --- XCR0 ----------------------------------------------------------------------------------------

TEST(EmulateControl, xsetbv_takes_what_is_consistent_and_offered)
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

TEST(EmulateControl, the_parts_of_avx512_come_together)
{
    init_cpuid_policy(host<true>, 0xE7, true);
    CHECK(set_xcr0(vcpu, 0xE7).has_value());
    CHECK_FALSE(set_xcr0(vcpu, 0x27).has_value());
    CHECK_FALSE(set_xcr0(vcpu, 0xE3).has_value());
}

TEST(EmulateControl, fpu_taskswitch_sets_and_clears_ts)
{
    CHECK_EQUAL(0, hypercall(do_fpu_taskswitch, 1));
    CHECK(fake::registers.task_switched);
    CHECK_EQUAL(0, hypercall(do_fpu_taskswitch, 0));
    CHECK_FALSE(fake::registers.task_switched);
}

// --- Debug registers -----------------------------------------------------------------------------

TEST(EmulateControl, breakpoints_reach_the_cpu_when_they_are_enabled)
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

TEST(EmulateControl, debug_registers_refuse_the_cores_addresses_and_general_detect)
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

TEST(EmulateControl, four_and_five_are_six_and_seven_until_de)
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

TEST(EmulateControl, mov_dr_is_the_same_as_the_hypercall)
{
    frame.rax = 0x401000;
    check_done({0x0F, 0x23, 0xC0});
    check_done({0x0F, 0x21, 0xC3});
    CHECK_EQUAL(0x401000u, frame.rbx);
    frame.rax = 0xFFFF'8000'0000'0000;
    check_refused({0x0F, 0x23, 0xC0});
    CHECK(run({0x44, 0x0F, 0x21, 0xC0}) == Emulation::inject_ud);        // dr8
}

TEST(EmulateControl, io_breakpoints_are_emulated_and_kept_from_the_cpu)
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

TEST(EmulateControl, reported_debug_status_stays_until_the_guest_clears_it)
{
    merge_debug_status(vcpu, 0xFFFF0FF1);
    merge_debug_status(vcpu, 0xFFFF4FF0);
    CHECK_EQUAL(0xFFFF4FF1, hypercall(do_get_debugreg, 6));
    CHECK_EQUAL(0, hypercall(do_set_debugreg, 6, 0));
    CHECK_EQUAL(0xFFFF0FF0, hypercall(do_get_debugreg, 6));
}

TEST(EmulateControl, every_counter_has_a_name)
{
    for (unsigned i = 0; i < static_cast<unsigned>(Trapped::count); ++i)
        CHECK(strlen(trapped_name(static_cast<Trapped>(i))) > 2);
}
