// SPDX-License-Identifier: BSD-2-Clause
// VT-x on the host: control words from capability MSRs, exits to neutral reasons, events, the state that
// a guest begins with, the core's bits of CR0 and CR4, and the field that a failed entry is blamed on.
#include "fake_core.hpp"

#include "hvm/cpu/vmx_apic.cpp"
#include "hvm/cpu/vmx_capabilities.cpp"
#include "hvm/cpu/vmx_checks.cpp"
#include "hvm/cpu/vmx_exit.cpp"
#include "hvm/cpu/vmx_state.cpp"

#include <bit>
#include <map>
#include <memory>
#include <string>

#include <CppUTest/TestHarness.h>

extern "C" const char vmx_exit[1] = {};

// What the page shows of itself: test_page_access.cpp.
uint32_t bulkhead::read_apic_page(Vcpu&, uint32_t offset) { return 0xA000'0000 | offset; }

using namespace bulkhead;
using namespace bulkhead::vmx;

namespace {

std::map<uint32_t, uint64_t> msrs;
bool unknown_msr;

uint64_t read_fake_msr(uint32_t msr)
{
    unknown_msr = unknown_msr || !msrs.contains(msr);
    return msrs[msr];
}

constexpr uint64_t may(uint64_t bits, uint64_t must = 0) { return bits << 32 | must; }
constexpr uint64_t true_controls = uint64_t{1} << 55;

// A CPU that may set everything and must set nothing.
void offer_everything()
{
    msrs.clear();
    unknown_msr = false;
    msrs[IA32_VMX_BASIC] = true_controls | 0x8000'0012;
    for (const uint32_t msr : {0x48Du, 0x48Eu, 0x48Fu, 0x490u, 0x48Bu})
        msrs[msr] = may(0xFFFF'FFFF);
    msrs[IA32_VMX_EPT_VPID_CAP] = ~uint64_t{0};
    msrs[IA32_VMX_MISC] = 0x65;
    msrs[IA32_VMX_CR0_FIXED0] = 0x8000'0021;
    msrs[IA32_VMX_CR0_FIXED1] = 0xFFFF'FFFF;
    msrs[IA32_VMX_CR4_FIXED0] = 0x2000;
    msrs[IA32_VMX_CR4_FIXED1] = 0x37'67FF;
}

}  // namespace

TEST_GROUP(VmxCapabilities)
{
    void setup() override { offer_everything(); }
    Capabilities decode() { return decode_capabilities(read_fake_msr); }
    std::string lacks() { return decode().lacks.data(); }
};

TEST(VmxCapabilities, of_a_full_cpu_lack_nothing)
{
    const Capabilities cpu = decode();
    STRCMP_EQUAL("", cpu.lacks.data());
    CHECK_EQUAL(0x12u, cpu.revision);
    CHECK_TRUE(cpu.vpid && cpu.pages_1g && cpu.pages_2m && cpu.invept_single);
    CHECK_EQUAL(pin_interrupts | pin_nmi | pin_virtual_nmi, cpu.pin);
    CHECK_TRUE(cpu.preemption_timer);
    CHECK_EQUAL(5u, cpu.timer_shift);
    CHECK_FALSE(unknown_msr);
}

TEST(VmxCapabilities, keep_bits_that_must_be_set)
{
    msrs[IA32_VMX_TRUE_PINBASED_CTLS] = may(0xBF, 0x16);
    CHECK_EQUAL(0x16u | pin_interrupts | pin_nmi | pin_virtual_nmi, decode().pin);
}

TEST(VmxCapabilities, leave_windows_off_at_first_but_need_them)
{
    CHECK_EQUAL(0u, decode().primary & (primary_interrupt_window | primary_nmi_window));
    msrs[IA32_VMX_TRUE_PROCBASED_CTLS] = may(~uint32_t{primary_nmi_window});
    CHECK(lacks().find("NMI-window exiting") != std::string::npos);
}

TEST(VmxCapabilities, name_the_first_control_that_is_missing)
{
    msrs[IA32_VMX_PROCBASED_CTLS2] = may(~uint32_t{secondary_unrestricted});
    STRCMP_EQUAL("the CPU's VT-x lacks unrestricted guest, which hardware partitions need", lacks().c_str());
}

TEST(VmxCapabilities, do_not_need_what_is_optional)
{
    msrs[IA32_VMX_PROCBASED_CTLS2] = may(~uint32_t{secondary_vpid | secondary_rdtscp});
    const Capabilities cpu = decode();
    STRCMP_EQUAL("", cpu.lacks.data());
    CHECK_FALSE(cpu.vpid);
}

TEST(VmxCapabilities, virtualise_the_local_apic_with_all_that_it_takes_or_not_at_all)
{
    Capabilities cpu = decode();
    CHECK_TRUE(cpu.virtual_apic);
    CHECK_EQUAL(uint32_t{primary_tpr_shadow}, cpu.primary & (primary_tpr_shadow | primary_cr8_load | primary_cr8_store));
    msrs[IA32_VMX_PROCBASED_CTLS2] = may(~uint32_t{secondary_virtual_interrupts});
    cpu = decode();
    STRCMP_EQUAL("", cpu.lacks.data());
    CHECK_FALSE(cpu.virtual_apic);
    CHECK_EQUAL(0u, cpu.secondary & (secondary_x2apic | secondary_virtual_interrupts));
    CHECK_EQUAL(primary_cr8_load | primary_cr8_store,
                cpu.primary & (primary_tpr_shadow | primary_cr8_load | primary_cr8_store));
}

TEST(VmxCapabilities, work_on_the_apics_page_in_place_of_x2apic_mode)
{
    constexpr uint32_t page = secondary_apic_accesses | secondary_apic_registers;
    Capabilities cpu = decode();
    CHECK_TRUE(cpu.apic_page);
    CHECK_EQUAL(uint32_t{secondary_x2apic}, secondary_controls(cpu, false) & (page | secondary_x2apic));
    CHECK_EQUAL(page, secondary_controls(cpu, true) & (page | secondary_x2apic));
    for (const uint32_t missing : {uint32_t{secondary_apic_accesses}, uint32_t{secondary_apic_registers},
                                   uint32_t{secondary_virtual_interrupts}}) {
        msrs[IA32_VMX_PROCBASED_CTLS2] = may(~missing);
        cpu = decode();
        CHECK_FALSE(cpu.apic_page);
        CHECK_EQUAL(0u, secondary_controls(cpu, true) & (page | secondary_x2apic));
        CHECK_EQUAL(0u, secondary_controls(cpu, false) & page);
    }
}

TEST(VmxCapabilities, use_no_identifiers_that_cannot_be_invalidated)
{
    msrs[IA32_VMX_EPT_VPID_CAP] &= ~(uint64_t{1} << 42);
    const Capabilities cpu = decode();
    CHECK_FALSE(cpu.vpid);
    CHECK_EQUAL(0u, cpu.secondary & secondary_vpid);
}

TEST(VmxCapabilities, refuse_a_cpu_whose_cr3_exits_cannot_be_switched_off)
{
    msrs[IA32_VMX_TRUE_PROCBASED_CTLS] = may(0xFFFF'FFFF, primary_cr3_load);
    CHECK(lacks().find("load CR3") != std::string::npos);
}

TEST(VmxCapabilities, of_an_old_cpu_come_from_the_plain_registers)
{
    msrs[IA32_VMX_BASIC] = 0x12;
    for (const uint32_t msr : {0x48Du, 0x48Eu, 0x48Fu, 0x490u})
        msrs.erase(msr);
    for (const uint32_t msr : {0x481u, 0x482u, 0x483u, 0x484u})
        msrs[msr] = may(0xFFFF'FFFF);
    STRCMP_EQUAL("", lacks().c_str());
    CHECK_FALSE(unknown_msr);
}

TEST(VmxCapabilities, without_secondary_controls_read_no_register_of_theirs)
{
    msrs[IA32_VMX_TRUE_PROCBASED_CTLS] = may(0x7FFF'FFFF);
    msrs.erase(IA32_VMX_PROCBASED_CTLS2);
    msrs.erase(IA32_VMX_EPT_VPID_CAP);
    CHECK(lacks().find("secondary controls") != std::string::npos);
    CHECK_FALSE(unknown_msr);
}

TEST(VmxCapabilities, need_invept_and_write_back_tables)
{
    msrs[IA32_VMX_EPT_VPID_CAP] &= ~(uint64_t{1} << 20);
    CHECK(lacks().find("INVEPT") != std::string::npos);
    msrs[IA32_VMX_EPT_VPID_CAP] = ~(uint64_t{1} << 14);
    CHECK(lacks().find("write-back") != std::string::npos);
    msrs[IA32_VMX_EPT_VPID_CAP] = ~(uint64_t{1} << 6);
    CHECK(lacks().find("four levels") != std::string::npos);
}

TEST_GROUP(VmxExit)
{
    void setup() override { fake::vmcs.clear(); }
};

TEST(VmxExit, of_each_plain_kind_has_its_reason)
{
    const std::map<uint32_t, ExitReason> expected{
        {1, ExitReason::interrupt},       {2, ExitReason::triple_fault},  {3, ExitReason::interrupt},
        {7, ExitReason::interrupt_window}, {8, ExitReason::interrupt_window}, {9, ExitReason::task_switch},
        {10, ExitReason::cpuid},          {12, ExitReason::halt},         {13, ExitReason::cache_control},
        {15, ExitReason::no_such_instruction}, {18, ExitReason::hypercall}, {19, ExitReason::no_such_instruction},
        {27, ExitReason::no_such_instruction}, {52, ExitReason::interrupt}, {31, ExitReason::msr_read}, {32, ExitReason::msr_write},
        {54, ExitReason::cache_control},  {55, ExitReason::set_xcr0},     {49, ExitReason::unknown},
        {200, ExitReason::unknown},
    };
    for (const auto& [number, reason] : expected) {
        const Exit exit = decode_exit(number);
        CHECK(exit.reason == reason);
        CHECK_EQUAL(number, exit.detail);
    }
}

TEST(VmxExit, that_is_a_failed_entry_says_so_whatever_its_number)
{
    for (const uint32_t number : {33u, 34u, 41u})
        CHECK(decode_exit(number | reason_entry_failed).reason == ExitReason::entry_failed);
}

TEST(VmxExit, of_a_port_has_size_direction_and_number)
{
    fake::vmcs[Field::QUALIFICATION] = 0x3F8'0000 | 1;
    Exit exit = decode_exit(reason_port);
    CHECK(exit.reason == ExitReason::port);
    CHECK_EQUAL(0x3F8, exit.port);
    CHECK_EQUAL(2, exit.bytes);
    CHECK_TRUE(exit.write);
    CHECK_FALSE(exit.string);
    fake::vmcs[Field::QUALIFICATION] = 0x80'0000 | 0x10 | 8 | 3;
    exit = decode_exit(reason_port);
    CHECK_EQUAL(4, exit.bytes);
    CHECK_FALSE(exit.write);
    CHECK_TRUE(exit.string);
}

TEST(VmxExit, of_a_nested_fault_has_its_address)
{
    fake::vmcs[Field::QUALIFICATION] = 0x182;
    fake::vmcs[Field::GUEST_PHYSICAL_ADDRESS] = 0xFEE0'0080;
    const Exit exit = decode_exit(reason_ept_violation);
    CHECK(exit.reason == ExitReason::nested_fault);
    CHECK_TRUE(exit.write);
    CHECK_EQUAL(0xFEE0'0080u, exit.address);
    CHECK_EQUAL(0x182u, exit.error_code);
}

TEST(VmxExit, of_an_exception_has_vector_and_error_code)
{
    fake::vmcs[Field::EXIT_EVENT] = event_valid | event_error_valid | event_exception << 8 | 17;
    fake::vmcs[Field::EXIT_ERROR_CODE] = 0;
    CHECK(decode_exit(reason_exception).reason == ExitReason::exception);
    CHECK_EQUAL(17, decode_exit(reason_exception).vector);
}

TEST(VmxExit, of_an_nmi_is_an_interrupt_of_the_box)
{
    fake::vmcs[Field::EXIT_EVENT] = event_valid | event_nmi << 8 | 2;
    CHECK(decode_exit(reason_exception).reason == ExitReason::interrupt);
}

TEST(VmxExit, of_cr8_is_the_task_priority_and_of_others_the_vendors)
{
    fake::vmcs[Field::QUALIFICATION] = 8 | 1 << 4 | 9 << 8;
    Exit exit = decode_exit(reason_control_register);
    CHECK(exit.reason == ExitReason::task_priority);
    CHECK_FALSE(exit.write);
    CHECK_EQUAL(9, exit.general_register);
    fake::vmcs[Field::QUALIFICATION] = 0;
    CHECK(decode_exit(reason_control_register).reason == ExitReason::unknown);
}

TEST(VmxExit, interrupted_events_come_again_as_they_were)
{
    const Injection interrupt = decode_interrupted(event_valid | 0x40, 7);
    CHECK(interrupt.type == Injection::Type::interrupt);
    CHECK_EQUAL(0x40, interrupt.vector);
    CHECK_FALSE(interrupt.has_error_code);
    const Injection fault = decode_interrupted(event_valid | event_error_valid | event_exception << 8 | 14, 7);
    CHECK(fault.type == Injection::Type::exception);
    CHECK_EQUAL(7u, fault.error_code);
    CHECK_EQUAL(event_valid | event_error_valid | event_exception << 8 | 14, encode_event(fault, true));
    CHECK(decode_interrupted(event_valid | event_nmi << 8 | 2, 0).type == Injection::Type::nmi);
}

TEST(VmxExit, interrupted_int_instructions_run_again_by_themselves)
{
    for (const uint32_t type : {4u, 5u, 6u})
        CHECK(decode_interrupted(event_valid | type << 8 | 0x80, 0).type == Injection::Type::none);
    CHECK(decode_interrupted(0x40, 0).type == Injection::Type::none);
}

TEST(VmxExit, an_exception_in_real_mode_has_no_error_code)
{
    const Injection fault{Injection::Type::exception, 13, true, 0};
    CHECK_EQUAL(0u, encode_event(fault, false) & event_error_valid);
    CHECK_EQUAL(event_error_valid, encode_event(fault, true) & event_error_valid);
}

TEST_GROUP(VmxState)
{
    VmxVcpu own{};
    Capabilities cpu{};

    void setup() override
    {
        fake::reset_core();
        fake::vmcs.clear();
        offer_everything();
        cpu = decode_capabilities(read_fake_msr);
        write(Field::VMCS_LINK_POINTER, ~uint64_t{0});
        write(Field::GUEST_RFLAGS, 2);
        reset_start(own.start);
    }

    const char* bad() { return bad_guest_field(cpu); }
    void begin_flat()
    {
        set_flat_start(own.start);
        apply_start(own, cpu);
    }
    void begin_long()
    {
        begin_flat();
        write(Field::GUEST_CR0, 0x8000'0031);
        write(Field::GUEST_CR4, 0x2060);
        write(Field::GUEST_EFER, 0x500);
        write(Field::ENTRY_CONTROLS, cpu.entry | entry_long_mode);
        write(Field::GUEST_CS_RIGHTS, 0xA09B);
    }
};

TEST(VmxState, that_every_life_begins_with_is_accepted)
{
    apply_start(own, cpu);
    STRCMP_EQUAL("no field found at fault", bad());
    CHECK_EQUAL(0xFFFF0000u, read(Field::GUEST_CS_BASE));
    begin_flat();
    STRCMP_EQUAL("no field found at fault", bad());
    reset_start(own.start);
    set_real_mode_start(own.start, 0x9A);
    apply_start(own, cpu);
    STRCMP_EQUAL("no field found at fault", bad());
    CHECK_EQUAL(0x9A00u, read(Field::GUEST_CS_SELECTOR));
    CHECK_EQUAL(0x9A000u, read(Field::GUEST_CS_BASE));
    begin_long();
    STRCMP_EQUAL("no field found at fault", bad());
}

TEST(VmxState, shows_a_guest_its_own_cr0_and_cr4_and_keeps_the_cores_bits)
{
    begin_flat();
    CHECK_EQUAL(0x31u, read(Field::GUEST_CR0));
    CHECK_EQUAL(0x11u, read(Field::CR0_SHADOW));
    CHECK_EQUAL(0x2040u, read(Field::GUEST_CR4));
    CHECK_EQUAL(0u, read(Field::CR4_SHADOW));
    reset_start(own.start);
    apply_start(own, cpu);
    CHECK_EQUAL(0x30u, read(Field::GUEST_CR0));
    CHECK_EQUAL(0x6000'0010u, read(Field::CR0_SHADOW));
}

TEST(VmxState, takes_the_cores_bits_of_cr0_into_the_shadow)
{
    CHECK_TRUE(allow_cr0(0x8005'0033));
    CHECK_EQUAL(0x20u, read(Field::CR0_SHADOW));
    CHECK_TRUE(allow_cr0(0xE000'0013));
    CHECK_EQUAL(0x6000'0000u, read(Field::CR0_SHADOW));
    CHECK_FALSE(allow_cr0(0x2000'0011));
    CHECK_EQUAL(0x6000'0000u, read(Field::CR0_SHADOW));
}

TEST(VmxState, refuses_bits_of_cr4_that_are_not_offered)
{
    CHECK_TRUE(allow_cr4(0x6E0));
    CHECK_EQUAL(0x40u, read(Field::CR4_SHADOW));
    for (const uint64_t bit : {uint64_t{0x2000}, uint64_t{0x4000}, uint64_t{0x20000}, uint64_t{0x40'0000},
                               uint64_t{0x1000}, uint64_t{0x80'0000}, uint64_t{1} << 40})
        CHECK_FALSE(allow_cr4(0x20 | bit));
    CHECK_EQUAL(0x40u, read(Field::CR4_SHADOW));
}

TEST(VmxState, passes_only_msrs_that_are_switched)
{
    const auto* map = machine::physical_pointer<uint8_t>(make_msr_bitmap(cpu.virtual_apic));
    unsigned passed = 0;
    for (size_t i = 0; i < page_size; ++i)
        passed += 8 - static_cast<unsigned>(std::popcount(map[i]));
    CHECK_EQUAL(23u, passed);                           // ten and TPR, for reads and writes; EOI for writes
    CHECK_EQUAL(0xFE, map[0x808 / 8]);
    CHECK_EQUAL(0xF6, map[0x800 + 0x808 / 8]);
    CHECK_EQUAL(0x8F, map[0x174 / 8]);                  // SYSENTER's three
    CHECK_EQUAL(0xE1, map[0x400 + 0x80 / 8]);           // STAR to FMASK, not EFER
    CHECK_EQUAL(0xF8, map[0xC00 + 0x100 / 8]);          // FS, GS and the other GS base, not TSC_AUX
}

TEST(VmxState, without_virtual_apic_passes_none_of_its_msrs)
{
    cpu.virtual_apic = false;
    const auto* map = machine::physical_pointer<uint8_t>(make_msr_bitmap(cpu.virtual_apic));
    CHECK_EQUAL(0xFF, map[0x808 / 8]);
    CHECK_EQUAL(0xFF, map[0x800 + 0x808 / 8]);
}

TEST_GROUP(VmxApic)
{
    std::unique_ptr<LocalApic> apic = std::make_unique<LocalApic>();
    VmxVcpu own{};

    void setup() override
    {
        fake::reset_core();
        fake::vmcs.clear();
        own.virtual_apic = machine::frame_pointer<uint32_t>(fake::new_frame());
        apic->spurious = 0x1FF;
    }
    uint32_t& page(unsigned offset) { return own.virtual_apic[offset / 4]; }
};

TEST(VmxApic, goes_into_the_page_and_comes_back)
{
    apic->task_priority = 0x20;
    apic->requests[1] = 1u << 4;            // 0x24
    apic->requests[2] = 1u << 0 | 1u << 9;  // 0x40, 0x49
    apic->in_service[1] = 1u << 16;         // 0x30
    put_apic(*apic, own);
    CHECK_EQUAL(0x20u, page(0x80));
    CHECK_EQUAL(1u << 4, page(0x210));
    CHECK_EQUAL(1u << 0 | 1u << 9, page(0x220));
    CHECK_EQUAL(1u << 16, page(0x110));
    CHECK_EQUAL(0x3049u, read(Field::GUEST_INTERRUPT_STATUS));
    CHECK_EQUAL(0u, apic->requests[2].load());
    take_apic(*apic, own);
    CHECK_EQUAL(1u << 4, apic->requests[1].load());
    CHECK_EQUAL(1u << 0 | 1u << 9, apic->requests[2].load());
    CHECK_EQUAL(1u << 16, apic->in_service[1]);
    CHECK_EQUAL(0u, page(0x220));
    CHECK_EQUAL(0u, page(0x110));
}

TEST(VmxApic, shows_what_the_guest_took_and_ended_and_what_came_meanwhile)
{
    apic->requests[2] = 1u << 0;            // 0x40
    apic->in_service[1] = 1u << 16;         // 0x30
    put_apic(*apic, own);
    // The CPU delivers 0x40; the guest sets its priority; another CPU sends 0x41.
    page(0x220) = 0;
    page(0x120) = 1;
    page(0x80) = 0x50;
    write(Field::GUEST_INTERRUPT_STATUS, 0x4000);
    apic->requests[2] = 1u << 1;
    take_apic(*apic, own);
    CHECK_EQUAL(1u << 1, apic->requests[2].load());
    CHECK_EQUAL(1u, apic->in_service[2]);
    CHECK_EQUAL(1u << 16, apic->in_service[1]);
    CHECK_EQUAL(0x50u, apic->task_priority);
}

TEST(VmxApic, ends_are_seen)
{
    apic->in_service[2] = 1;
    put_apic(*apic, own);
    CHECK_EQUAL(0x4000u, read(Field::GUEST_INTERRUPT_STATUS));
    page(0x120) = 0;
    write(Field::GUEST_INTERRUPT_STATUS, 0);
    take_apic(*apic, own);
    CHECK_EQUAL(0u, apic->in_service[2]);
    put_apic(*apic, own);
    CHECK_EQUAL(0u, own.interrupt_status);
}

TEST(VmxApic, what_a_guest_has_sent_itself_by_the_page_is_taken)
{
    put_apic(*apic, own);
    page(0x220) = 1u << 1;                  // 0x41, from nothing
    write(Field::GUEST_INTERRUPT_STATUS, 0x41);
    take_apic(*apic, own);
    CHECK_EQUAL(1u << 1, apic->requests[2].load());
    CHECK_EQUAL(0u, page(0x220));
}

TEST(VmxApic, the_page_shows_all_registers_and_keeps_the_command)
{
    Vcpu vcpu{};
    put_apic_page(vcpu, own);
    for (const unsigned offset : {0x20u, 0x30u, 0xD0u, 0xE0u, 0xF0u, 0x280u, 0x2F0u, 0x300u, 0x310u, 0x320u, 0x370u, 0x380u, 0x3E0u})
        CHECK_EQUAL(0xA000'0000 | offset, page(offset));
    CHECK_EQUAL(0u, page(0x80));            // put_apic()'s
    CHECK_EQUAL(0u, page(0x390));           // the CPU does not read it for the guest
    page(0x300) = 0x44061;
    page(0x310) = 0x0200'0000;
    take_apic_page(*apic, own);
    CHECK_EQUAL(0x44061u, apic->command);
    CHECK_EQUAL(0x0200'0000u, apic->command_destination);
}

TEST(VmxExit, an_access_to_the_apics_page_is_an_instructions_if_it_is_linear)
{
    fake::vmcs.clear();
    const auto decoded = [](uint64_t type) {
        write(Field::QUALIFICATION, type << 12 | 0x390);
        return decode_exit(reason_apic_access);
    };
    CHECK(decoded(0).reason == ExitReason::nested_fault);
    CHECK_EQUAL(0xFEE0'0390u, decoded(0).address);
    CHECK_TRUE(decoded(0).by_instruction && !decoded(0).write);
    CHECK_TRUE(decoded(1).by_instruction && decoded(1).write);
    for (const unsigned other : {2u, 3u, 10u, 15u})
        CHECK_FALSE(decoded(other).by_instruction);
}

TEST(VmxApic, that_is_off_keeps_its_requests)
{
    apic->spurious = 0xFF;
    apic->requests[2] = 1;
    put_apic(*apic, own);
    CHECK_EQUAL(0u, page(0x220));
    CHECK_EQUAL(1u, apic->requests[2].load());
    CHECK_EQUAL(0u, own.interrupt_status);
}

TEST(VmxState, of_a_refused_entry_is_named)
{
    struct Case {
        Field field;
        uint64_t value;
        const char* name;
    };
    const Case cases[] = {
        {Field::GUEST_CR0, 0x8000'0011, "GUEST_CR0"},
        {Field::GUEST_CR0, 0x8000'0030, "GUEST_CR0"},
        {Field::GUEST_CR4, 0x60, "GUEST_CR4"},
        {Field::GUEST_CR3, uint64_t{1} << 60, "GUEST_CR3"},
        {Field::GUEST_DR7, uint64_t{1} << 40, "GUEST_DR7"},
        {Field::GUEST_SYSENTER_EIP, uint64_t{1} << 50, "GUEST_SYSENTER_EIP"},
        {Field::GUEST_SYSENTER_ESP, uint64_t{1} << 50, "GUEST_SYSENTER_ESP"},
        {Field::GUEST_EFER, 0x100, "GUEST_EFER"},
        {Field::GUEST_EFER, 0x502, "GUEST_EFER"},
        {Field::GUEST_PAT, 2, "GUEST_PAT"},
        {Field::GUEST_GDTR_BASE, uint64_t{1} << 50, "GUEST_GDTR_BASE"},
        {Field::GUEST_IDTR_BASE, uint64_t{1} << 50, "GUEST_IDTR_BASE"},
        {Field::GUEST_GDTR_LIMIT, 0x10000, "GUEST_GDTR_LIMIT"},
        {Field::GUEST_IDTR_LIMIT, 0x10000, "GUEST_IDTR_LIMIT"},
        {Field::GUEST_RIP, uint64_t{1} << 50, "GUEST_RIP"},
        {Field::GUEST_RFLAGS, 0, "GUEST_RFLAGS"},
        {Field::GUEST_RFLAGS, 0x20002, "GUEST_RFLAGS"},
        {Field::GUEST_ACTIVITY, 4, "GUEST_ACTIVITY"},
        {Field::GUEST_INTERRUPTIBILITY, 3, "GUEST_INTERRUPTIBILITY"},
        {Field::GUEST_INTERRUPTIBILITY, 1, "GUEST_INTERRUPTIBILITY"},
        {Field::GUEST_PENDING_DEBUG, 0x20, "GUEST_PENDING_DEBUG"},
        {Field::VMCS_LINK_POINTER, 0, "VMCS_LINK_POINTER"},
        {Field::GUEST_CS_RIGHTS, 0xA09A, "GUEST_CS_RIGHTS"},
        {Field::GUEST_CS_RIGHTS, 0xE09B, "GUEST_CS_RIGHTS"},
        {Field::GUEST_CS_BASE, uint64_t{1} << 32, "GUEST_CS_BASE"},
        {Field::GUEST_SS_RIGHTS, 0xC09B, "GUEST_SS_RIGHTS"},
        {of_segment(Field::GUEST_ES_LIMIT, Segment::ss), 0xFFFF'FFFE, "GUEST_SS_LIMIT"},
        {of_segment(Field::GUEST_ES_RIGHTS, Segment::ds), 0xC092, "GUEST_DS_RIGHTS"},
        {of_segment(Field::GUEST_ES_BASE, Segment::gs), uint64_t{1} << 50, "GUEST_GS_BASE"},
        {of_segment(Field::GUEST_ES_RIGHTS, Segment::tr), 0x89, "GUEST_TR_RIGHTS"},
        {Field::GUEST_TR_SELECTOR, 4, "GUEST_TR_SELECTOR"},
        {of_segment(Field::GUEST_ES_RIGHTS, Segment::ldtr), 0x83, "GUEST_LDTR_RIGHTS"},
        {of_segment(Field::GUEST_ES_BASE, Segment::ldtr), uint64_t{1} << 50, "GUEST_LDTR_BASE"},
    };
    for (const Case& one : cases) {
        write(Field::GUEST_RFLAGS, 2);
        write(Field::VMCS_LINK_POINTER, ~uint64_t{0});
        begin_long();
        write(Field::GUEST_RIP, 0x1000);
        write(one.field, one.value);
        CHECK_TEXT(std::string(bad()).starts_with(one.name), (std::string(one.name) + ": " + bad()).c_str());
    }
}

TEST(VmxState, events_that_the_guest_cannot_take_are_named)
{
    begin_long();
    write(Field::ENTRY_EVENT, event_valid | 0x40);
    STRCMP_CONTAINS("IF off", bad());
    write(Field::GUEST_RFLAGS, 0x202);
    write(Field::GUEST_INTERRUPTIBILITY, blocked_by_sti);
    STRCMP_CONTAINS("while blocked", bad());
    write(Field::ENTRY_EVENT, event_valid | event_nmi << 8 | 2);
    write(Field::GUEST_INTERRUPTIBILITY, blocked_by_nmi);
    STRCMP_CONTAINS("NMI", bad());
}
