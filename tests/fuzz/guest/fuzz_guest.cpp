// SPDX-License-Identifier: BSD-2-Clause
// A guest that does everything it can to the core, at random, from a seed that it prints: hypercalls, page
// tables, traps, on two vCPUs at once. `seed=N` on the command line is the run's seed (else it is the time);
// each life makes its own of it and of the time at which it begins, `life=N` chooses that one. `operations=N`
// says how many, `trace` has each operation told before it begins. It passes by getting to its end; what must
// hold meanwhile is that nobody else notices.
#include "fuzz.hpp"

extern "C" {
#include <xen/grant_table.h>
[[noreturn]] void second_main();
extern char fuzz_landing[], _start[], catch_stack[];
bool fuzz_run(void (*function)(Cpu&), Cpu& cpu, uint64_t* saved_stack);
}

asm(R"(
    .text
fuzz_run:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, (%rdx)
    mov     %rdi, %rax
    mov     %rsi, %rdi
    sub     $8, %rsp
    call    *%rax
    add     $8, %rsp
    xor     %eax, %eax
    jmp     1f
    .globl  fuzz_landing
fuzz_landing:
    cld
    xor     %ecx, %ecx
    mov     %ecx, %ds
    mov     %ecx, %es
    mov     %ecx, %fs
    mov     %ecx, %gs
    mov     $1, %eax
1:  pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret
)");

Cpu cpus[cpus_most];
uint64_t* grant_table;

namespace {

__extension__ using Wide = unsigned __int128;

uint64_t seed, goal = 20000;         // seed: of this life
bool trace;
volatile bool park, parked, second_is_up;
vcpu_guest_context_t context;
vcpu_time_info_t start_time;         // before anything is written over it

// It has spoilt itself: the next life has another seed.
[[noreturn]] void give_up()
{
    print("fuzz_guest: %lu operations\n", cpus[0].operations + cpus[1].operations);
    shut_down(SHUTDOWN_crash);
}

// An entry that names a frame of the kernel's own may have been written through before it was taken out again
// (remove_kernel_entries()). What the guest finds wrong from then on is no verdict on the core. The sum is of what
// never changes: code, constants, the page that the core has written, handlers, and where its memory is.
uint64_t kernel_sum()
{
    uint64_t sum = 0;
    const auto add = [&sum](const void* from, const void* to) {
        for (const auto* word = static_cast<const uint64_t*>(from); word < to; ++word)
            sum = (sum << 7 | sum >> 57) ^ *word;
    };
    add(_start, catch_stack);
    add(start_info, reinterpret_cast<const char*>(start_info) + page_bytes);
    add(trap_handlers, trap_handlers + vectors);
    add(&pool, &pool + 1);
    return sum;
}

uint64_t sum_at_start;               // 0: not known yet

void end_if_spoilt()
{
    if (sum_at_start == 0 || kernel_sum() == sum_at_start)
        return;
    sum_at_start = 0;
    print("fuzz_guest: lost: it has written to its own kernel\n");
    give_up();
}

Cpu& cpu_of(const TrapFrame& frame)
{
    const uint64_t at = as_argument(&frame);
    return at >= as_argument(&cpus[1]) && at < as_argument(&cpus[1] + 1) ? cpus[1] : cpus[0];
}

void recover(TrapFrame& frame)
{
    Cpu& cpu = cpu_of(frame);
    if (cpu.saved_stack == 0) {
        print("fuzz_guest: lost: vCPU %u: trap %lu outside of operations, error %lx, rip %lx, address %lx\n", cpu.number,
              frame.vector, frame.error_code, frame.rip, cpu.info->arch.cr2);
        give_up();
    }
    cpu.traps = cpu.traps + 1;
    frame.rip = as_argument(fuzz_landing);
    frame.rsp = cpu.saved_stack;
    frame.cs = kernel_cs;
    frame.ss = FLAT_KERNEL_SS;
    frame.rflags = 0x202;
    cpu.saved_stack = 0;
}

void take_events(TrapFrame& frame)
{
    Cpu& cpu = cpu_of(frame);
    cpu.info->evtchn_upcall_pending = 0;
    (void)__atomic_exchange_n(&cpu.info->evtchn_pending_sel, 0, __ATOMIC_ACQ_REL);
    cpu.events = cpu.events + 1;
}

uint64_t ticks()
{
    uint32_t low;
    uint32_t high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return uint64_t{high} << 32 | low;
}

uint64_t number_behind(const char* name, uint64_t otherwise)
{
    const auto* at = reinterpret_cast<const char*>(start_info->cmd_line);
    for (; *at != '\0'; ++at) {
        const char* word = at;
        const char* wanted = name;
        while (*wanted != '\0' && *word == *wanted) {
            ++word;
            ++wanted;
        }
        if (*wanted != '\0')
            continue;
        uint64_t value = 0;
        for (; *word >= '0' && *word <= '9'; ++word)
            value = value * 10 + static_cast<uint64_t>(*word - '0');
        return value;
    }
    return otherwise;
}

using Operation = void (*)(Cpu&);

struct Kind {
    const char* name;
    Operation operation;
    unsigned share;
};

constexpr Kind kinds[] = {
    {"call", random_call, 60}, {"multicall", random_multicall, 6}, {"store", random_store, 14},
    {"instructions", random_instructions, 14}, {"return", random_return, 6},
};

void one_operation(Cpu& cpu)
{
    uint64_t at = cpu.choice.below(100);
    const Kind* kind = kinds;
    while (at >= kind->share)
        at -= kind++->share;
    if (trace)
        print("%u:%lu %s\n", cpu.number, cpu.operations, kind->name);
    uint64_t* const arguments = cpu.arguments;       // which an operation may have moved when it was cut off
    (void)fuzz_run(kind->operation, cpu, &cpu.saved_stack);
    cpu.arguments = arguments;
    if (cpu.stored_at != 0)
        (void)fuzz_run(remove_kernel_entries, cpu, &cpu.saved_stack);
    cpu.stored_at = 0;
    cpu.saved_stack = 0;
    cpu.operations = cpu.operations + 1;
}

uint64_t operations_done() { return cpus[0].operations + cpus[1].operations; }

// vCPU 1 may have gone down or may sleep: only the first vCPU gets it back for sure.
void wake_second()
{
    hypercall<__HYPERVISOR_vcpu_op>(VCPUOP_up, 1, 0);
    hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0);
}

// An operation that does not end, on either vCPU, ends the life in a minute.
void feed_watchdog(uint32_t id)
{
    sched_watchdog_t watchdog = {id, 60};
    (void)hypercall<__HYPERVISOR_sched_op>(SCHEDOP_watchdog, as_argument(&watchdog));
}

void restore_all()
{
    end_if_spoilt();
    feed_watchdog(1);
    constexpr unsigned patience = 1000000;
    park = true;
    for (unsigned i = 0; second_is_up && !parked; ++i) {
        wake_second();
        if (i % 1000 == 999)
            hypercall<__HYPERVISOR_vcpu_op>(VCPUOP_send_nmi, 1, 0);
        if (i == patience) {
            vcpu_runstate_info_t state = {};
            hypercall<__HYPERVISOR_vcpu_op>(VCPUOP_get_runstate_info, 1, as_argument(&state));
            print("fuzz_guest: lost: the second vCPU does not come to rest: up %ld, runstate %d, %lu operations, %lu traps, "
                  "%lu events, upcalls masked %u\n", hypercall<__HYPERVISOR_vcpu_op>(VCPUOP_is_up, 1, 0), state.state,
                  cpus[1].operations, cpus[1].traps, cpus[1].events, cpus[1].info->evtchn_upcall_mask);
            give_up();
        }
    }
    restore_cpu(cpus[0]);
    const unsigned lost = restore_arena();
    if (lost != 0)
        fail("life=%lu: after %lu operations %u pages cannot be had back", seed, operations_done(), lost);
    park = false;
}

void start_second()
{
    context.flags = VGCF_in_kernel;
    context.user_regs.rip = reinterpret_cast<uint64_t>(second_main);
    context.user_regs.rsp = as_argument(cpus[1].main_stack + sizeof(cpus[1].main_stack) - 8);
    context.user_regs.rflags = 0x202;
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = FLAT_KERNEL_SS;
    context.kernel_ss = FLAT_KERNEL_SS;
    context.kernel_sp = as_argument(cpus[1].entry_stack + sizeof(cpus[1].entry_stack));
    context.ctrlreg[3] = xen_pfn_to_cr3(mfn_of(pool.boot_top));
    context.event_callback_eip = as_argument(event_entry);
    context.failsafe_callback_eip = as_argument(failsafe_entry);
    context.syscall_callback_eip = as_argument(syscall_entry);
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_vcpu_op>(VCPUOP_initialise, 1, as_argument(&context)));
    second_is_up = true;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_vcpu_op>(VCPUOP_up, 1));
}

void make_grant_table()
{
    grant_table = new_page_as<uint64_t>();
    uint64_t frame = 0;
    gnttab_setup_table_t setup = {};
    setup.dom = DOMID_SELF;
    setup.nr_frames = 1;
    setup.frame_list.p = &frame;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_setup_table, as_argument(&setup), 1));
    CHECK_EQUAL(0, setup.status);
    CHECK_EQUAL(0, map_machine_page(grant_table, frame, true));
}

// It moves to a page of its own, for good, so that no operation can.
void move_info(Cpu& cpu, char* page)
{
    vcpu_register_vcpu_info_t place = {};
    place.mfn = mfn_of(page);
    place.offset = cpu.number * 512;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_vcpu_op>(VCPUOP_register_vcpu_info, cpu.number, as_argument(&place)));
    cpu.info = reinterpret_cast<vcpu_info_t*>(page + place.offset);
}

}  // namespace

uint64_t time_now()
{
    uint64_t delta = ticks() - start_time.tsc_timestamp;
    delta = start_time.tsc_shift < 0 ? delta >> -start_time.tsc_shift : delta << start_time.tsc_shift;
    return start_time.system_time + static_cast<uint64_t>((static_cast<Wide>(delta) * start_time.tsc_to_system_mul) >> 32);
}

void second_main()
{
    Cpu& cpu = cpus[1];
    restore_cpu(cpu);
    for (;;) {
        if (park) {
            restore_cpu(cpu);
            parked = true;
            while (park)
                hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0);
            parked = false;
        }
        one_operation(cpu);
    }
}

void before_failure() { end_if_spoilt(); }

GUEST_TEST(fuzz_guest)
{
    for (unsigned vector = 0; vector < vectors; ++vector)
        trap_handlers[vector] = recover;
    trap_handlers[vector_event] = take_events;
    trap_handlers[vector_nmi] = [](TrapFrame&) {};
    install_traps();
    start_time = shared_info->vcpu_info[0].time;
    const uint64_t run = number_behind("seed=", ticks());
    seed = number_behind("life=", Choice(run ^ time_now() << 20).next());
    goal = number_behind("operations=", goal);
    trace = number_behind("trace", 1) == 0;
    print("fuzz_guest: seed=%lu life=%lu operations=%lu\n", run, seed, goal);
    for (unsigned i = 0; i < cpus_most; ++i) {
        cpus[i].number = i;
        cpus[i].choice = Choice(seed * cpus_most + i + 1);
        for (unsigned k = 0; k < 8; ++k)
            (void)cpus[i].choice.next();
    }
    feed_watchdog(0);
    make_grant_table();
    char* info = new_page_as<char>();
    const bool two = hypercall<__HYPERVISOR_vcpu_op>(VCPUOP_is_up, 1, 0) >= 0;
    for (unsigned i = 0; i < (two ? cpus_most : 1); ++i)
        move_info(cpus[i], info);
    make_pool();
    sum_at_start = kernel_sum();
    restore_cpu(cpus[0]);
    if (two)
        start_second();
    constexpr unsigned between_restores = 4096, between_lines = 1;
    unsigned restores = 0;
    while (operations_done() < goal) {
        for (unsigned i = 0; i < between_restores && operations_done() < goal; ++i) {
            one_operation(cpus[0]);
            if (two && i % 64 == 0)
                wake_second();
        }
        restore_all();
        if (++restores % between_lines == 0)
            print("fuzz_guest: %lu operations\n", operations_done());
    }
    print("fuzz_guest: %lu operations, %lu of the calls accepted, %lu traps, %lu events\n", operations_done(),
          cpus[0].accepted + cpus[1].accepted, cpus[0].traps + cpus[1].traps, cpus[0].events + cpus[1].events);
}
