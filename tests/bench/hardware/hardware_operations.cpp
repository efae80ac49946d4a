// SPDX-License-Identifier: BSD-2-Clause
// Measures what operations of a hardware guest cost (measure.hpp says how), on Bulkhead and as a PVH first
// domain of Xen. Prints `name ticks` for each, then `PASS hardware_operations`.
#include "hardware/guest.hpp"

extern "C" {
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
extern char fast_upcall[], fast_interrupt[], fast_timer[];
extern uint64_t fast_port_word, fast_port_bit, fast_info;
extern volatile uint64_t timer_arrived;
}

// The shortest handlers: what they do is what any kernel must do.
asm(R"(
    .text
    .globl fast_upcall, fast_interrupt, fast_timer
    .balign 16
fast_upcall:                        # takes the vCPU's and the port's pending bits
    push    %rax
    push    %rcx
    mov     fast_info(%rip), %rax
    movb    $0, (%rax)
    movq    $0, 8(%rax)
    mov     fast_port_word(%rip), %rax
    mov     fast_port_bit(%rip), %rcx
    lock btr %rcx, (%rax)
    pop     %rcx
    pop     %rax
    iretq
    .balign 16
fast_interrupt:                     # end of interrupt, x2APIC
    push    %rax
    push    %rcx
    push    %rdx
    mov     $0x80b, %ecx
    xor     %eax, %eax
    xor     %edx, %edx
    wrmsr
    pop     %rdx
    pop     %rcx
    pop     %rax
    iretq
    .balign 16
fast_timer:                         # notes when it came
    push    %rax
    push    %rdx
    rdtsc
    mov     %eax, timer_arrived(%rip)
    mov     %edx, timer_arrived + 4(%rip)
    pop     %rdx
    pop     %rax
    jmp     fast_upcall
    .data
    .globl  fast_port_word, fast_port_bit, fast_info, timer_arrived
    .balign 8
fast_port_word: .quad 0
fast_port_bit:  .quad 0
fast_info:      .quad 0
timer_arrived:  .quad 0
    .text
)");

namespace {

struct alignas(4096) Page {
    uint8_t bytes[4096];
};
// Above all RAM, as Linux has them; within the first GiB, which is mapped.
Page& shared_page = *reinterpret_cast<Page*>(0x3FE0'0000);
Page& grant_page = *reinterpret_cast<Page*>(0x3FE0'1000);
Page granted_page, target_page;
multicall_entry_t calls[64];
gnttab_copy_t copy_request;

constexpr uint8_t vector_upcall = 0xF3, vector_self = 0x61;
constexpr uint32_t msr_efer = 0xC0000080, msr_apic_base = 0x1B, apic_spurious = 0x80F, apic_self = 0x83F;

uint64_t pfn_of(const void* at) { return reinterpret_cast<uint64_t>(at) >> 12; }
shared_info_t& shared() { return *reinterpret_cast<shared_info_t*>(&shared_page); }
void interrupts_on() { asm volatile("sti" : : : "memory"); }
void interrupts_off() { asm volatile("cli" : : : "memory"); }

void place(unsigned space, uint64_t index, const Page& where)
{
    xen_add_to_physmap_t request = {};
    request.domid = DOMID_SELF;
    request.space = space;
    request.idx = index;
    request.gpfn = pfn_of(&where);
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_memory_op>(XENMEM_add_to_physmap, as_argument(&request)));
}

void listen_to_events()
{
    place(XENMAPSPACE_shared_info, 0, shared_page);
    xen_hvm_param_t parameter = {};
    parameter.domid = DOMID_SELF;
    parameter.index = HVM_PARAM_CALLBACK_IRQ;
    parameter.value = uint64_t{HVM_PARAM_CALLBACK_TYPE_VECTOR} << 56 | vector_upcall;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_hvm_op>(HVMOP_set_param, as_argument(&parameter)));
    fast_info = as_argument(&shared().vcpu_info[0]);
}

void listen_to_port(uint32_t port, const char* handler)
{
    fast_port_word = as_argument(&shared().evtchn_pending[port / 64]);
    fast_port_bit = port % 64;
    set_gate(vector_upcall, handler);
}

void plain_exits()
{
    measure("cpuid", 1, [] {
        uint32_t leaf = 1;
        uint32_t subleaf = 0;
        asm volatile("cpuid" : "+a"(leaf), "+c"(subleaf) : : "rbx", "rdx");
    });
    measure("rdmsr", 1, [] { asm volatile("rdmsr" : : "c"(msr_efer) : "rax", "rdx"); });
    measure("xen_version", 1, [] { hypercall<__HYPERVISOR_xen_version>(XENVER_version); });
    for (multicall_entry_t& call : calls)
        call = {__HYPERVISOR_xen_version, 0, {XENVER_version}};
    measure("multicall_entry", 64, [] { hypercall<__HYPERVISOR_multicall>(as_argument(calls), 64); });
    measure("yield", 1, [] { hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0); });
}

void events()
{
    evtchn_bind_ipi_t bind = {};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_bind_ipi, as_argument(&bind)));
    listen_to_port(bind.port, fast_upcall);
    evtchn_send_t request = {bind.port};
    interrupts_on();
    measure("ipi_upcall", 1, [&] { hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_send, as_argument(&request)); });
    interrupts_off();
    CHECK_EQUAL(0, shared().vcpu_info[0].evtchn_upcall_pending);
    CHECK_EQUAL(0, shared().evtchn_pending[bind.port / 64]);
}

void self_ipi()
{
    write_msr(msr_apic_base, read_msr(msr_apic_base) | 0xC00);
    write_msr(apic_spurious, 0x1FF);
    set_gate(vector_self, fast_interrupt);
    interrupts_on();
    measure("x2apic_self_ipi", 1, [] { write_msr(apic_self, vector_self); });
    interrupts_off();
}

uint64_t scale(uint64_t ticks_count, const vcpu_time_info_t& time)
{
    const uint64_t shifted = time.tsc_shift < 0 ? ticks_count >> -time.tsc_shift : ticks_count << time.tsc_shift;
    __extension__ using Wide = unsigned __int128;
    return static_cast<uint64_t>((static_cast<Wide>(shifted) * time.tsc_to_system_mul) >> 32);
}

// Of a clock that nobody changes meanwhile: on one CPU it is set once.
uint64_t system_time_at(uint64_t tsc)
{
    const vcpu_time_info_t& time = shared().vcpu_info[0].time;
    return time.system_time + scale(tsc - time.tsc_timestamp, time);
}

// From a halted vCPU's deadline to the first instructions of its handler.
void timer_lateness()
{
    evtchn_bind_virq_t bind = {VIRQ_TIMER, 0, 0};
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_event_channel_op>(EVTCHNOP_bind_virq, as_argument(&bind)));
    listen_to_port(bind.port, fast_timer);
    uint64_t best = ~uint64_t{0};
    for (unsigned i = 0; i < 10; ++i) {
        timer_arrived = 0;
        const uint64_t deadline = system_time_at(ticks()) + 2'000'000;
        CHECK_EQUAL(0, hypercall<__HYPERVISOR_set_timer_op>(deadline));
        while (timer_arrived == 0)
            asm volatile("sti\n hlt\n cli" : : : "memory");
        const uint64_t late = system_time_at(timer_arrived) - deadline;
        best = late < best ? late : best;
    }
    print("timer_late_ns %lu\n", best);
}

void grants()
{
    constexpr unsigned reference = 16;
    place(XENMAPSPACE_grant_table, 0, grant_page);
    auto* const table = reinterpret_cast<volatile grant_entry_v1_t*>(&grant_page);
    copy_request.source.u.ref = reference;
    copy_request.dest.u.gmfn = pfn_of(&target_page);
    copy_request.dest.domid = DOMID_SELF;
    copy_request.len = 4096;
    copy_request.flags = GNTCOPY_source_gref;
    // The id is what the copy succeeds with: 0 for Xen's first domain, 1 to N here.
    domid_t own = 0;
    for (; own < 64; ++own) {
        table[reference].frame = static_cast<uint32_t>(pfn_of(&granted_page));
        table[reference].domid = own;
        table[reference].flags = GTF_permit_access;
        copy_request.source.domid = own;
        hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_copy, as_argument(&copy_request), 1);
        if (copy_request.status == GNTST_okay)
            break;
    }
    CHECK(own < 64);
    granted_page.bytes[4095] = 0x5A;
    measure("grant_copy_4096", 1, [] {
        hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_copy, as_argument(&copy_request), 1);
    });
    CHECK_EQUAL(GNTST_okay, copy_request.status);
    CHECK_EQUAL(0x5A, target_page.bytes[4095]);
}

}  // namespace

GUEST_TEST(hardware_operations)
{
    clock_cost = least([] {});
    plain_exits();
    listen_to_events();
    events();
    timer_lateness();
    self_ipi();
    grants();
}
