// SPDX-License-Identifier: BSD-2-Clause
// Ports and `int n` of PV guests.
#include "tests/unit/pv_emulate/emulate_fixture.hpp"

using namespace bulkhead;
using namespace bulkhead::test;

TEST_GROUP_BASE(Emulate, EmulateFixture) {};

// --- Ports ---------------------------------------------------------------------------------------

TEST(Emulate, ports_read_as_ones_in_every_width)
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

TEST(Emulate, a_pit_that_is_looked_for_does_not_count)
{
    check_done({0xE4, 0x42});
    CHECK_EQUAL(0u, frame.rax & 0xFF);
    check_done({0xE4, 0x43});
    CHECK_EQUAL(0xFFu, frame.rax & 0xFF);
}

TEST(Emulate, pci_configuration_has_no_devices)
{
    frame.rdx = 0xCF8;
    frame.rax = 0x8000'0000;
    check_done({0xEF});
    frame.rdx = 0xCFC;
    check_done({0xED});
    CHECK_EQUAL(0xFFFF'FFFFu, frame.rax);
}

TEST(Emulate, iopl_counts_for_the_mode_that_the_guest_is_in)
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

TEST(Emulate, the_bitmap_admits_single_ports)
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

TEST(Emulate, string_ports_move_through_the_guests_memory)
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

TEST(Emulate, long_strings_go_on_with_the_next_trap)
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

TEST(Emulate, a_string_that_meets_a_hole_stops_there_with_a_page_fault)
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

TEST(Emulate, physdev_op_checks_what_it_is_given)
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

// --- Software interrupts -------------------------------------------------------------------------

TEST(Emulate, int_n_goes_through_a_gate_that_admits_the_mode)
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

TEST(Emulate, other_faults_are_no_software_interrupts)
{
    vcpu.pv.traps[0x80].dpl = 3;
    code[0] = 0xCD;
    code[1] = 0x80;
    for (uint32_t error : {0u, 0x80u * 8, 0x80u * 8 + 3, 0x80u * 8 + 1, 0x80u * 8 + 4}) {
        frame.error_code = error;
        CHECK_FALSE(software_interrupt(vcpu, frame).has_value());
    }
}

TEST(Emulate, int_n_whose_bytes_are_gone_is_known_by_its_error_code)
{
    vcpu.pv.traps[0x80].dpl = 3;
    frame.rip = 0x4000;
    frame.error_code = 0x80 * 8 + 2;
    CHECK_EQUAL(0x80, software_interrupt(vcpu, frame).value_or(0));
}
