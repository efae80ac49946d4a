// SPDX-License-Identifier: BSD-2-Clause
// Claim: every exception reaches the handler of the trap table with the error code, instruction
// pointer and registers of the fault, and the handler returns by the iret hypercall.
#include "framework/memory.hpp"
#include "framework/traps.hpp"

namespace {

TrapFrame seen;
unsigned count;

// Notes it and goes on behind an instruction of `skip` bytes.
template <unsigned skip>
void note(TrapFrame& frame)
{
    seen = frame;
    ++count;
    frame.rip += skip;
}

void check_seen(unsigned vector, uint64_t error_code, uint64_t rip)
{
    CHECK_EQUAL(vector, seen.vector);
    CHECK_EQUAL(error_code, seen.error_code);
    CHECK_EQUAL(rip, seen.rip);
    CHECK_EQUAL(1, count);
    // To the ABI a kernel's CS shows ring 0; the upper half is the event mask.
    CHECK_EQUAL(FLAT_KERNEL_CS & ~3u, seen.cs & 0xffff);
    count = 0;
}

#define AT(label, instruction)                                            \
    asm(".text\n.globl " #label "\n" #label ":\n" instruction "\nret");    \
    extern "C" void label();

uint64_t address_of(void (*function)()) { return reinterpret_cast<uint64_t>(function); }

AT(at_int3, "int3")
AT(at_ud2, "ud2")
AT(at_gp, "mov $0x8000000000000000, %rax\n mov (%rax), %rax")
AT(at_divide, "xor %edx, %edx\n xor %ecx, %ecx\n div %ecx")
AT(at_read, "mov $0x1000, %eax\n mov (%rax), %rax")
AT(at_write, "mov $0x1000, %eax\n mov %rax, (%rax)")
AT(at_no_descriptor, "mov $0x2343, %eax\n mov %eax, %ds")
AT(at_hypervisor, "mov $0xffff830000000000, %rax\n mov (%rax), %rax")

void exceptions_without_error_code()
{
    trap_handlers[3] = note<0>;
    at_int3();
    check_seen(3, 0, address_of(at_int3) + 1);
    trap_handlers[6] = note<2>;
    at_ud2();
    check_seen(6, 0, address_of(at_ud2));
    trap_handlers[0] = note<2>;
    at_divide();
    check_seen(0, 0, address_of(at_divide) + 4);
}

void exceptions_with_error_code()
{
    trap_handlers[13] = note<3>;
    at_gp();
    check_seen(13, 0, address_of(at_gp) + 10);
    // The GDT that is set has no page there; its limit tells nobody.
    trap_handlers[13] = note<2>;
    at_no_descriptor();
    check_seen(13, 0x2340, address_of(at_no_descriptor) + 5);
    trap_handlers[14] = note<3>;
    at_read();
    check_seen(14, 0, address_of(at_read) + 5);
    CHECK_EQUAL(0x1000, own_info().arch.cr2);
    at_write();
    check_seen(14, 2, address_of(at_write) + 5);
    at_hypervisor();
    CHECK_EQUAL(14, seen.vector);
    CHECK_EQUAL(0xffff830000000000, own_info().arch.cr2);
    CHECK_EQUAL(0, seen.error_code & 6);        // a kernel is no user to itself
    count = 0;

    // A page of its own that is read-only.
    auto* page = new_page_as<volatile uint64_t>();
    CHECK_EQUAL(0, update_mapping(const_cast<uint64_t*>(page), mfn_of(const_cast<uint64_t*>(page)) << 12 | pte_readonly));
    trap_handlers[14] = nullptr;
    CHECK_TRAPS(14, 3, *page = 1);
    CHECK_EQUAL(as_argument(const_cast<uint64_t*>(page)), own_info().arch.cr2);
}

void registers_survive()
{
    trap_handlers[3] = note<0>;
    uint64_t rbx = 0x1111;
    uint64_t rsi = 0x2222;
    register uint64_t r12 asm("r12") = 0x3333;
    register uint64_t r11 asm("r11") = 0x4444;
    uint64_t rcx = 0x5555;
    asm volatile("std\n stc\n int3\n cld" : "+b"(rbx), "+S"(rsi), "+r"(r12), "+r"(r11), "+c"(rcx) : : "memory", "cc");
    CHECK_EQUAL(0x1111, rbx);
    CHECK_EQUAL(0x2222, rsi);
    CHECK_EQUAL(0x3333, r12);
    CHECK_EQUAL(0x4444, r11);
    CHECK_EQUAL(0x5555, rcx);
    CHECK_EQUAL(0x5555, seen.rcx);
    CHECK_EQUAL(0x4444, seen.r11);
    CHECK_EQUAL(0x401, seen.rflags & 0x401);    // DF and CF
    CHECK_EQUAL(0x200, seen.rflags & 0x200 || own_info().evtchn_upcall_mask ? 0x200 : 0);
    count = 0;
}

// IF of the saved flags is the event mask upside down, and iret puts it back.
void the_event_mask_is_if()
{
    trap_handlers[3] = note<0>;
    mask_events();
    asm volatile("int3" : : : "memory");
    CHECK_EQUAL(0, seen.rflags & 0x200);
    CHECK_EQUAL(1, seen.cs >> 32 & 0xff);
    CHECK_EQUAL(1, own_info().evtchn_upcall_mask);
    own_info().evtchn_upcall_mask = 0;
    asm volatile("int3" : : : "memory");
    CHECK_EQUAL(0x200, seen.rflags & 0x200);
    CHECK_EQUAL(0, own_info().evtchn_upcall_mask);

    static uint8_t inside;
    set_trap_flags(3, 3 | 4);
    trap_handlers[3] = [](TrapFrame& frame) {
        inside = own_info().evtchn_upcall_mask;
        note<0>(frame);
    };
    asm volatile("int3" : : : "memory");
    CHECK_EQUAL(1, inside);
    CHECK_EQUAL(0, own_info().evtchn_upcall_mask);
    trap_handlers[3] = [](TrapFrame& frame) { frame.rflags &= ~uint64_t{0x200}; };
    asm volatile("int3" : : : "memory");
    CHECK_EQUAL(1, own_info().evtchn_upcall_mask);
}

}  // namespace

GUEST_TEST(traps)
{
    install_traps();
    exceptions_without_error_code();
    exceptions_with_error_code();
    registers_survive();
    the_event_mask_is_if();
}
