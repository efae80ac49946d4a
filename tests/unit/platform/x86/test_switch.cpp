// SPDX-License-Identifier: BSD-2-Clause
// What a switch of vCPUs loads, and what it leaves alone because both have the same of it.
#include "fake_core.hpp"

#include "platform/x86/machine/vcpu_switch.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace bulkhead {

void load_emulated_registers(const Vcpu& vcpu)
{
    this_cpu().machine.tsc_aux = vcpu.pv.emulation.tsc_aux;
    this_cpu().machine.cr4_of_guest = vcpu.pv.cr4 & cr4::tsd;
}

}  // namespace bulkhead

TEST_GROUP(Switch) {
    Partition partition{};
    Vcpu from{};
    Vcpu to{};
    fake::Registers& registers = fake::registers;

    void setup() override
    {
        fake::reset_core();
        registers = {};
        this_cpu().machine.gdt_frame = fake::new_frame();
        for (Vcpu* vcpu : {&from, &to}) {
            vcpu->partition = &partition;
            vcpu->pv.kernel_mode = true;
            vcpu->pv.kernel_table = Mfn(vcpu == &from ? 7 : 8);
            vcpu->pv.xcr0 = fake::components_of_fpu;
            vcpu->gdt = {0xffff, vcpu == &from ? 0x1000u : 0x2000u};
        }
        machine::load_vcpu(from, nullptr);
        registers.kernel_gs_writes = registers.ldt_loads = registers.selector_loads = 0;
        fake::loaded_tables.clear();
    }
    // As exchange_guests() does.
    static void exchange(Vcpu& one, Vcpu& other)
    {
        machine::save_vcpu(one);
        machine::load_vcpu(other, &one.pv);
    }
    void exchange() { exchange(from, to); }
};

TEST(Switch, loads_tables_and_bases_always)
{
    to.pv.fs_base = 5;
    to.pv.gs_base = 6;
    exchange();
    CHECK(fake::loaded_tables == std::vector<Mfn>{Mfn(8)});
    UNSIGNED_LONGLONGS_EQUAL(0x2000, registers.gdt_window);
    UNSIGNED_LONGLONGS_EQUAL(5, registers.fs_base);
    UNSIGNED_LONGLONGS_EQUAL(6, registers.gs_base);
}

TEST(Switch, keeps_what_the_registers_held)
{
    registers.selectors = {0x2b, 0x2b, 0, 0x63};
    registers.fs_base = 1;
    registers.gs_base = 2;
    registers.kernel_gs_base = 3;
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(0x2b, from.pv.selectors.ds);
    UNSIGNED_LONGLONGS_EQUAL(0x63, from.pv.selectors.gs);
    UNSIGNED_LONGLONGS_EQUAL(1, from.pv.fs_base);
    UNSIGNED_LONGLONGS_EQUAL(2, from.pv.gs_base);
    UNSIGNED_LONGLONGS_EQUAL(3, from.pv.gs_base_other);
}

TEST(Switch, loads_no_selectors_where_all_are_null)
{
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(0, registers.selector_loads);
}

TEST(Switch, loads_null_over_the_selectors_of_the_one_before)
{
    registers.selectors = {0, 0x2b, 0, 0};
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(1, registers.selector_loads);
    UNSIGNED_LONGLONGS_EQUAL(0, registers.selectors.es);
}

TEST(Switch, loads_a_selector_whose_number_is_the_same_in_both)
{
    registers.selectors = to.pv.selectors = {0x2b, 0, 0, 0};
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(1, registers.selector_loads);
}

TEST(Switch, leaves_ldtr_alone_where_neither_has_an_ldt)
{
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(0, registers.ldt_loads);
}

TEST(Switch, takes_the_ldt_of_the_one_before_away)
{
    from.pv.ldt_entries = 3;
    registers.ldt = 0xe050;
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(0, registers.ldt);
}

TEST(Switch, loads_an_ldt_even_if_the_one_before_has_one_of_the_same_size)
{
    from.pv.ldt_entries = to.pv.ldt_entries = 3;
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(1, registers.ldt_loads);
    UNSIGNED_LONGLONGS_EQUAL(0xe050, registers.ldt);
}

TEST(Switch, writes_the_other_gs_base_only_where_it_differs)
{
    registers.kernel_gs_base = to.pv.gs_base_other = 9;
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(0, registers.kernel_gs_writes);
    from.pv.gs_base_other = 10;
    exchange(to, from);
    UNSIGNED_LONGLONGS_EQUAL(1, registers.kernel_gs_writes);
    UNSIGNED_LONGLONGS_EQUAL(10, registers.kernel_gs_base);
}

// The value that the register holds counts, not what the vCPU came with: SWAPGS may have changed it.
TEST(Switch, compares_the_other_gs_base_with_the_register)
{
    from.pv.gs_base_other = to.pv.gs_base_other = 4;
    registers.kernel_gs_base = 5;
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(4, registers.kernel_gs_base);
}

TEST(Switch, loads_everything_when_nobody_knows_what_the_registers_hold)
{
    registers.selectors = {1, 2, 3, 4};
    registers.ldt = 0xe050;
    registers.kernel_gs_base = 77;
    machine::load_vcpu(to, nullptr);
    UNSIGNED_LONGLONGS_EQUAL(0, registers.selectors.ds);
    UNSIGNED_LONGLONGS_EQUAL(0, registers.ldt);
    UNSIGNED_LONGLONGS_EQUAL(0, registers.kernel_gs_base);
}

TEST(Switch, gives_each_its_own_xcr0)
{
    from.pv.xcr0 = 1;
    to.pv.xcr0 = 3;
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(3, fake::xcr0);
}

TEST(Switch, moves_the_ts_flag_with_its_vcpu)
{
    from.pv.task_switched = true;
    registers.task_switched = true;
    exchange();
    CHECK(!registers.task_switched);
    exchange(to, from);
    CHECK(registers.task_switched);
}

TEST(Switch, moves_breakpoints_with_their_vcpu)
{
    to.pv.debug[0] = 0x1234;
    to.pv.debug[7] = 0x401;
    to.pv.debug_active = true;
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(0x1234, registers.debug.address[0]);
    UNSIGNED_LONGLONGS_EQUAL(0x401, registers.debug.control);
    exchange(to, from);
    UNSIGNED_LONGLONGS_EQUAL(0x400, registers.debug.control);
}

TEST(Switch, loads_the_emulated_registers_where_they_differ_from_the_hardware)
{
    to.pv.emulation.tsc_aux = 6;
    exchange();
    UNSIGNED_LONGLONGS_EQUAL(6, this_cpu().machine.tsc_aux);
    from.pv.cr4 |= cr4::tsd;
    exchange(to, from);
    UNSIGNED_LONGLONGS_EQUAL(0, this_cpu().machine.tsc_aux);
    UNSIGNED_LONGLONGS_EQUAL(cr4::tsd, this_cpu().machine.cr4_of_guest);
}
