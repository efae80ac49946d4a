// SPDX-License-Identifier: BSD-2-Clause
// Measures what the ABI's operations cost (measure.hpp says how). Prints `name ticks` for each, then
// `PASS operations`.
#include "measure.hpp"
#include "framework/events.hpp"
#include "framework/memory.hpp"
#include "framework/user.hpp"

#include <initializer_list>

extern "C" {
#include <xen/callback.h>
#include <xen/grant_table.h>
#include <xen/physdev.h>
#include <xen/version.h>
extern char fast_fault[], fast_event[], fast_syscall[];
extern uint64_t fast_port_word, fast_port_bit, fast_info;
}

// The shortest handlers: what they do is what any kernel must do.
asm(R"(
    .text
    .globl fast_fault, fast_event, fast_syscall
    .balign 16
fast_fault:                         # rcx, r11, error code, rip: goes on behind `mov (%rax), %al`
    pop     %rcx
    pop     %r11
    add     $8, %rsp
    addq    $2, (%rsp)
    pushq   $0
    jmp     hypercall_page + 23 * 32
    .balign 16
fast_event:                         # takes the vCPU's and the port's pending bits
    push    %rax
    mov     fast_info(%rip), %rax
    movb    $0, (%rax)
    movq    $0, 8(%rax)
    mov     fast_port_word(%rip), %rax
    mov     fast_port_bit(%rip), %rcx
    lock btr %rcx, (%rax)
    pop     %rax
    pop     %rcx
    pop     %r11
    pushq   $0
    jmp     hypercall_page + 23 * 32
    .balign 16
fast_syscall:                       # straight back to user mode
    pop     %rcx
    pop     %r11
    pushq   $0x100
    jmp     hypercall_page + 23 * 32
    .data
    .globl  fast_port_word, fast_port_bit, fast_info
    .balign 8
fast_port_word: .quad 0
fast_port_bit:  .quad 0
fast_info:      .quad 0
    .text
)");

namespace {

void register_entry(unsigned type, const char* entry, unsigned flags)
{
    callback_register_t request = {};
    request.type = static_cast<uint16_t>(type);
    request.flags = static_cast<uint16_t>(flags);
    request.address = as_argument(entry);
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_callback_op>(CALLBACKOP_register, as_argument(&request)));
}

multicall_entry_t calls[64];

void plain_hypercalls()
{
    measure("xen_version", 1, [] { hypercall<__HYPERVISOR_xen_version>(XENVER_version); });
    for (multicall_entry_t& call : calls)
        call = {__HYPERVISOR_xen_version, 0, {XENVER_version}};
    measure("multicall_entry", 64, [] { hypercall<__HYPERVISOR_multicall>(as_argument(calls), 64); });
    measure("yield", 1, [] { hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0); });
    const uint64_t far = system_time() + 3000000000;
    measure("set_timer", 1, [far] { hypercall<__HYPERVISOR_set_timer_op>(far); });
    hypercall<__HYPERVISOR_set_timer_op>(0);
}

void entries_into_the_guest()
{
    const uint32_t port = bind_ipi(0);
    fast_port_word = as_argument(&shared_info->evtchn_pending[port / 64]);
    fast_port_bit = port % 64;
    fast_info = as_argument(&own_info());
    register_entry(CALLBACKTYPE_event, fast_event, CALLBACKF_mask_events);
    evtchn_send_t request = {port};
    measure("ipi_upcall", 1, [&] { hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_send, as_argument(&request)); });
    CHECK(!is_pending(port));
    listen_to_events();

    trap_info_t fault[2] = {{14, 4, FLAT_KERNEL_CS, as_argument(fast_fault)}, {}};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_trap_table>(as_argument(fault)));
    measure("page_fault", 1, [] { asm volatile("mov (%%rax), %%al" : : "a"(uint64_t{0x1000}) : "memory"); });
    set_trap_flags(14, 0);
}

void user_system_call()
{
    register_entry(CALLBACKTYPE_syscall, fast_syscall, 0);
    user_iret_flags = 0;
    // User mode's own clock: the kernel cannot see a round trip that begins there.
    trap_handlers[0x80] = [](TrapFrame& frame) {
        frame.rip = as_argument(user_landing);
        frame.cs = FLAT_KERNEL_CS & ~3u;
    };
    const uint64_t best = run_user(
             reinterpret_cast<uint64_t>(+[](uint64_t) {
                 uint64_t least_ticks = ~uint64_t{0};
                 for (unsigned i = 0; i < tries; ++i) {
                     const uint64_t start = ticks();
                     asm volatile("syscall" : : "a"(0) : "rcx", "r11", "memory");
                     const uint64_t took = ticks() - start;
                     if (took < least_ticks)
                         least_ticks = took;
                 }
                 asm volatile("int $0x80" : : "D"(least_ticks));
             }),
             user_stack_end - 8, 0);
    print("user_syscall %lu\n", best - clock_cost);
}

void page_tables()
{
    auto* first = new_page();
    auto* second = new_page();
    auto* table = new_page_as<uint64_t>();
    char* const area = reinterpret_cast<char*>(virt_base + 64 * 1024 * 1024);
    CHECK_EQUAL(0, make_readonly(table));
    CHECK_EQUAL(0, change_entry(machine_address(entry_of(area, 2)), mfn_of(table) << 12 | pte_table));
    const uint64_t one = mfn_of(first) << 12 | pte_page;
    const uint64_t other = mfn_of(second) << 12 | pte_page;
    const uint64_t at = machine_address(table);

    static mmu_update_t list[64];
    unsigned turn = 0;
    const auto fill = [&](unsigned count) {
        ++turn;
        for (unsigned i = 0; i < count; ++i)
            list[i] = {at + i * 8, turn % 2 == 0 ? one : other};
    };
    uint64_t best = ~uint64_t{0};
    for (unsigned count : {1u, 64u}) {
        for (unsigned i = 0; i < tries; ++i) {
            fill(count);
            const uint64_t start = ticks();
            hypercall<__HYPERVISOR_mmu_update>(as_argument(list), count, 0, DOMID_SELF);
            const uint64_t took = ticks() - start;
            if (i > 1 && took < best)
                best = took;
        }
        print("%s %lu\n", count == 1 ? "mmu_update_1" : "mmu_update_64_entry", (best - clock_cost) / count);
        best = ~uint64_t{0};
    }
    const auto swap = [&](auto change) {
        uint64_t quickest = ~uint64_t{0};
        for (unsigned i = 0; i < tries; ++i) {
            const uint64_t value = ++turn % 2 == 0 ? one : other;
            const uint64_t start = ticks();
            change(value);
            const uint64_t took = ticks() - start;
            if (took < quickest)
                quickest = took;
        }
        return quickest - clock_cost;
    };
    print("update_va_mapping %lu\n", swap([area](uint64_t value) {
              hypercall<__HYPERVISOR_update_va_mapping>(as_argument(area), value, UVMF_INVLPG);
          }));
    print("pte_xchg %lu\n", swap([table](uint64_t value) {
              asm volatile("xchg %0, %1" : "+r"(value), "+m"(table[0]) : : "memory");
          }));
    print("pte_mov %lu\n", swap([table](uint64_t value) {
              asm volatile("mov %0, %1" : : "r"(value), "m"(table[0]) : "memory");
          }));

    auto* empty = new_page();
    CHECK_EQUAL(0, make_readonly(empty));
    mmuext_op_t pin = {};
    pin.cmd = MMUEXT_PIN_L1_TABLE;
    pin.arg1.mfn = mfn_of(empty);
    mmuext_op_t unpin = pin;
    unpin.cmd = MMUEXT_UNPIN_TABLE;
    measure("pin_unpin_l1", 1, [&] {
        hypercall<__HYPERVISOR_mmuext_op>(as_argument(&pin), 1, 0, DOMID_SELF);
        hypercall<__HYPERVISOR_mmuext_op>(as_argument(&unpin), 1, 0, DOMID_SELF);
    });
}

void emulation()
{
    physdev_set_iopl_t iopl = {1};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_physdev_op>(PHYSDEVOP_set_iopl, as_argument(&iopl)));
    measure("mov_cr0", 1, [] { asm volatile("mov %%cr0, %%rax" : : : "rax"); });
    measure("rdmsr", 1, [] { asm volatile("rdmsr" : : "c"(0xC0000080) : "rax", "rdx"); });
    measure("in", 1, [] { asm volatile("inb %%dx, %%al" : : "d"(0x3f8) : "rax"); });
    measure("cpuid", 1, [] {
        uint32_t leaf = 1;
        uint32_t subleaf = 0;
        asm volatile(XEN_CPUID : "+a"(leaf), "+c"(subleaf) : : "rbx", "rdx");
    });
}

// --- Grants: to oneself -------------------------------------------------------------------------

grant_entry_v1_t* grant_table;
uint16_t own_domain;
constexpr unsigned references = 16;
constexpr unsigned first_reference = 16;
gnttab_copy_t copies[16];

void make_grants()
{
    xen_pfn_t frames[1] = {};
    gnttab_setup_table_t setup = {};
    setup.dom = DOMID_SELF;
    setup.nr_frames = 1;
    set_xen_guest_handle_raw(setup.frame_list, frames);
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_setup_table, as_argument(&setup), 1));
    CHECK_EQUAL(GNTST_okay, setup.status);
    grant_table = new_page_as<grant_entry_v1_t>();
    CHECK_EQUAL(0, map_machine_page(grant_table, frames[0], true));
    for (unsigned i = 0; i < references; ++i) {
        grant_table[first_reference + i].frame = static_cast<uint32_t>(mfn_of(new_page()));
        grant_table[first_reference + i].domid = own_domain;
        __atomic_store_n(&grant_table[first_reference + i].flags, uint16_t{GTF_permit_access}, __ATOMIC_RELEASE);
    }
}

void copy(unsigned count)
{
    hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_copy, as_argument(copies), count);
}

void prepare_copies(uint16_t bytes, bool same_reference, uint64_t target)
{
    for (unsigned i = 0; i < 16; ++i) {
        copies[i] = {};
        copies[i].source.u.ref = first_reference + (same_reference ? 0 : i);
        copies[i].source.domid = own_domain;
        copies[i].dest.u.gmfn = target;
        copies[i].dest.domid = DOMID_SELF;
        copies[i].len = bytes;
        copies[i].flags = GNTCOPY_source_gref;
    }
}

void grants()
{
    make_grants();
    const uint64_t target = mfn_of(new_page());
    // The id is what the copy succeeds with: 0 for Xen's first domain, 1 to N here.
    for (own_domain = 0; own_domain < 64; ++own_domain) {
        for (unsigned i = 0; i < references; ++i)
            grant_table[first_reference + i].domid = own_domain;
        prepare_copies(64, true, target);
        copy(1);
        if (copies[0].status == GNTST_okay)
            break;
    }
    CHECK(own_domain < 64);
    measure("grant_copy_64", 1, [] { copy(1); });
    measure("grant_copy_16_same", 16, [] { copy(16); });
    prepare_copies(64, false, target);
    measure("grant_copy_16_different", 16, [] { copy(16); });
    CHECK_EQUAL(GNTST_okay, copies[15].status);
    prepare_copies(4096, true, target);
    measure("grant_copy_4096", 1, [] { copy(1); });
    CHECK_EQUAL(GNTST_okay, copies[0].status);
}

// From a blocked vCPU's deadline to the first instruction of its handler.
void timer_lateness()
{
    const uint32_t port = bind_virq(VIRQ_TIMER, 0);
    uint64_t best = ~uint64_t{0};
    for (unsigned i = 0; i < 10; ++i) {
        static uint64_t arrived;
        arrived = 0;
        trap_handlers[vector_event] = [](TrapFrame&) {
            arrived = system_time();
            own_info().evtchn_upcall_pending = 0;
            own_info().evtchn_pending_sel = 0;
        };
        const uint64_t deadline = system_time() + 2000000;
        mask_events();
        CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_timer_op>(deadline));
        while (arrived == 0) {
            hypercall<__HYPERVISOR_sched_op>(SCHEDOP_block, 0);
            mask_events();
        }
        (void)take_pending(port);
        unmask_events();
        if (arrived - deadline < best)
            best = arrived - deadline;
    }
    print("timer_late_ns %lu\n", best);
    listen_to_events();
}

}  // namespace

GUEST_TEST(operations)
{
    install_traps();
    listen_to_events();
    install_user_mode();
    clock_cost = least([] {});
    plain_hypercalls();
    timer_lateness();
    entries_into_the_guest();
    user_system_call();
    page_tables();
    emulation();
    grants();
}
