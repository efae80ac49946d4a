// SPDX-License-Identifier: BSD-2-Clause
// Claim: whatever another partition on the same CPU does, this one's memory, registers, timers, events and
// flags are its own. It looks again every millisecond until the box is switched off.
#include "framework/events.hpp"
#include "framework/memory.hpp"

extern "C" {
#include <xen/grant_table.h>
}

namespace {

constexpr unsigned pages = 64, words = page_bytes / 8;
uint64_t* memory[pages];
volatile unsigned upcalls;

uint64_t pattern(unsigned round, unsigned page, unsigned word)
{
    return (uint64_t{round} << 40 | uint64_t{page} << 20 | word) * 0x9e3779b97f4a7c15;
}

void check_memory(unsigned round)
{
    // A few pages a round, all of them in turn.
    for (unsigned i = 0; i < 4; ++i) {
        const unsigned page = (round * 4 + i) % pages;
        const unsigned before = round - pages / 4;
        for (unsigned word = 0; word < words; ++word) {
            if (round >= pages / 4)
                CHECK_EQUAL(pattern(before, page, word), memory[page][word]);
            memory[page][word] = pattern(round, page, word);
        }
    }
}

void check_registers(uint64_t value)
{
    uint64_t wrong = 0;
    asm volatile(
        "mov %%rax, %%rbx\n lea 1(%%rax), %%r8\n lea 2(%%rax), %%r12\n lea 3(%%rax), %%r13\n lea 4(%%rax), %%r15\n"
        "mov $20000, %%ecx\n"
        "1: dec %%ecx\n jnz 1b\n"
        "xor %%rax, %%rbx\n lea 1(%%rax), %%rdx\n xor %%rdx, %%r8\n lea 2(%%rax), %%rdx\n xor %%rdx, %%r12\n"
        "lea 3(%%rax), %%rdx\n xor %%rdx, %%r13\n lea 4(%%rax), %%rdx\n xor %%rdx, %%r15\n"
        "mov %%rbx, %[wrong]\n or %%r8, %[wrong]\n or %%r12, %[wrong]\n or %%r13, %[wrong]\n or %%r15, %[wrong]\n"
        : [wrong] "+r"(wrong) : "a"(value) : "rbx", "rcx", "rdx", "r8", "r12", "r13", "r15", "cc");
    CHECK_EQUAL(0, wrong);
    uint64_t flags = 0;
    asm volatile("pushf\n pop %0" : "=r"(flags));
    CHECK_EQUAL(0, flags & 0x47500);     // TF, DF, NT, IOPL's upper bit, AC
}

void check_grants(unsigned round)
{
    static uint64_t* from = new_page_as<uint64_t>();
    static uint64_t* to = new_page_as<uint64_t>();
    from[round % words] = round;
    gnttab_copy_t copy = {};
    copy.source.u.gmfn = mfn_of(from);
    copy.dest.u.gmfn = mfn_of(to);
    copy.source.domid = copy.dest.domid = DOMID_SELF;
    copy.len = page_bytes;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_copy, as_argument(&copy), 1));
    CHECK_EQUAL(GNTST_okay, copy.status);
    CHECK_EQUAL(round, to[round % words]);
}

}  // namespace

GUEST_TEST(fuzz_bystander)
{
    install_traps();
    for (uint64_t*& page : memory)
        page = new_page_as<uint64_t>();
    trap_handlers[vector_event] = [](TrapFrame&) {
        own_info().evtchn_upcall_pending = 0;
        (void)__atomic_exchange_n(&own_info().evtchn_pending_sel, 0, __ATOMIC_ACQ_REL);
        upcalls = upcalls + 1;
    };
    const uint32_t timer = bind_virq(VIRQ_TIMER, 0);
    const uint32_t own = bind_ipi(0);
    mask_events();
    unmask_events();
    (void)take_pending(timer);
    for (unsigned round = 0;; ++round) {
        const uint64_t deadline = system_time() + 1000000;
        unsigned before = upcalls;
        CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_timer_op>(deadline));
        check_memory(round);
        check_registers(round * 0x0101010101010101);
        check_grants(round);
        while (!take_pending(timer)) {
            mask_events();
            if (is_pending(timer)) {
                unmask_events();
                continue;
            }
            CHECK_EQUAL(0, hypercall<__HYPERVISOR_sched_op>(SCHEDOP_block, 0));      // unmasks
        }
        CHECK(system_time() >= deadline);
        CHECK(upcalls == before + 1);
        before = upcalls;
        CHECK_EQUAL(0, send(own));
        CHECK(take_pending(own));
        CHECK_EQUAL(before + 1, upcalls);
        for (unsigned i = 0; i < sizeof(shared_info->evtchn_pending) / sizeof(long); ++i)
            CHECK_EQUAL(0, shared_info->evtchn_pending[i]);
        if (round % 2048 == 0)
            print("fuzz_bystander: %u rounds intact\n", round);
    }
}
