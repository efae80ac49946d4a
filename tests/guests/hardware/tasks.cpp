// SPDX-License-Identifier: BSD-2-Clause
// Claim: a hardware guest switches tasks by CALL, JMP, IRET and the gates of its interrupt table, and finds registers,
// flags, page tables, links, busy marks and error codes as the manuals say.
#include "cpu.hpp"
#include "layout.h"
#include "tasks.h"

#include <cstring>
#include <initializer_list>

extern "C" {
void run_tasks();
extern char called_entry[], fault_entry[], jumped_entry[];
extern const uint64_t gdt[8];

// A task's state segment; the numbers are those of its 32-bit words.
struct Task {
    uint32_t word[26];
};
Task task_first, task_called, task_fault, task_jumped;

struct [[gnu::packed]] TablePointer {
    uint16_t limit;
    uint64_t base;
};
TablePointer task_gdt_pointer, task_idt_pointer;
alignas(4096) uint32_t directory_first[1024];
alignas(4096) uint32_t directory_called[1024];

// What tasks.S writes down.
uint32_t calls, jumps, called_flags, called_task, called_cr0, called_window, fault_error, fault_at, fault_wanted;
uint32_t kept_registers, kept_flag_and_stack, cr0_after, gs_after, task_after, window_after, flags_after, jumped_flags;
}

namespace {

constexpr unsigned link_word = 0, cr3_word = 7, ip_word = 8, flags_word = 9, sp_word = 14, es_word = 18, cs_word = 19,
                   ss_word = 20, ds_word = 21, map_word = 25;
constexpr uint8_t available = 0x89, busy = 0x8B, task_gate = 0x85;
constexpr uint32_t flag_nested = 0x4000, cr0_task_switched = 8;
constexpr uint32_t first_tables = 1, called_tables = 2;
constexpr uint32_t page_4m = 4 << 20;

alignas(8) uint64_t task_gdt[JUMPED / 8 + 1], task_idt[256];
alignas(16) uint8_t stacks[3][1024];

uint32_t address_of(const void* object) { return static_cast<uint32_t>(reinterpret_cast<uint64_t>(object)); }

void describe(int selector, const Task& task)
{
    const uint64_t base = address_of(&task);
    task_gdt[selector / 8] = (sizeof(Task) - 1) | (base & 0xFF'FFFF) << 16 | uint64_t{available} << 40 | (base >> 24) << 56;
}

uint8_t access_of(int selector) { return static_cast<uint8_t>(task_gdt[selector / 8] >> 40); }

void make_task(Task& task, int selector, const char* entry, uint8_t (&stack)[1024], const uint32_t* directory)
{
    task.word[cr3_word] = address_of(directory);
    task.word[ip_word] = address_of(entry);
    task.word[flags_word] = 2;
    task.word[sp_word] = address_of(stack + sizeof(stack));
    task.word[cs_word] = CODE32;
    for (unsigned segment : {es_word, ss_word, ds_word})
        task.word[segment] = DATA32;
    task.word[map_word] = sizeof(Task) << 16;
    describe(selector, task);
}

// The first GiB as it is, but for the window: there each has a page of its own.
void make_directory(uint32_t* directory, uint32_t window, uint32_t mark)
{
    constexpr uint32_t present_writable_large = 0x83;
    for (uint32_t i = 0; i < 256; ++i)
        directory[i] = i << 22 | present_writable_large;
    directory[WINDOW >> 22] = window | present_writable_large;
    *reinterpret_cast<volatile uint32_t*>(uint64_t{window} + MARK) = mark;
}

void make_all()
{
    make_directory(directory_first, 0, first_tables);
    make_directory(directory_called, page_4m, called_tables);
    std::memcpy(task_gdt, gdt, sizeof(gdt));
    // What a switch does not save of a task: its page tables.
    task_first.word[cr3_word] = address_of(directory_first);
    describe(TASK, task_first);
    make_task(task_called, CALLED, called_entry, stacks[0], directory_called);
    make_task(task_fault, FAULT, fault_entry, stacks[1], directory_first);
    make_task(task_jumped, JUMPED, jumped_entry, stacks[2], directory_first);
    task_idt[13] = uint64_t{FAULT} << 16 | uint64_t{task_gate} << 40;
    task_idt[VECTOR_SOFT] = uint64_t{CALLED} << 16 | uint64_t{task_gate} << 40;
    task_gdt_pointer = {sizeof(task_gdt) - 1, reinterpret_cast<uint64_t>(task_gdt)};
    task_idt_pointer = {sizeof(task_idt) - 1, reinterpret_cast<uint64_t>(task_idt)};
}

void check()
{
    equal(3, calls, "calls, two by CALL and one by INT");
    equal(flag_nested, called_flags & flag_nested, "NT of a task that was called");
    equal(CALLED, called_task, "the task that runs");
    equal(cr0_task_switched, called_cr0 & cr0_task_switched, "CR0.TS in the task");
    equal(called_tables, called_window, "page tables of the task");
    equal(TASK, task_called.word[link_word] & 0xFFFF, "link to the former task");
    equal(KEPT, kept_registers, "registers of the former task");
    equal(~uint32_t{0}, kept_flag_and_stack, "its carry flag and stack");
    equal(cr0_task_switched, cr0_after & cr0_task_switched, "CR0.TS behind IRET");
    equal(DATA32, gs_after & 0xFFFF, "its GS");
    equal(NO_SEGMENT, fault_error, "error code on the stack of a gate's task");
    equal(fault_wanted, fault_at, "EIP in the task that has faulted");
    equal(1, jumps, "jumps");
    equal(0, jumped_flags & flag_nested, "NT of a task that was jumped to");
    equal(TASK, task_after & 0xFFFF, "the task at the end");
    equal(first_tables, window_after, "page tables at the end");
    equal(0, flags_after & flag_nested, "NT at the end");
    equal(busy, access_of(TASK), "mark of the task that runs");
    for (int other : {CALLED, FAULT, JUMPED})
        equal(available, access_of(other), "mark of a task that does not");
}

}  // namespace

extern "C" void on_trap(Trap* trap)
{
    print("not expected: vector ");
    print_number(trap->vector);
    print(" at ");
    print_number(trap->rip);
    print("\n");
    shut_down(SHUTDOWN_crash);
}

extern "C" void guest_main()
{
    write_msr(0x40000000, reinterpret_cast<uint64_t>(hypercall_page));
    set_up_traps();
    make_all();
    print("tasks: begins\n");
    run_tasks();
    check();
    print(failures == 0 ? "PASS tasks\n" : "FAIL tasks\n");
    shut_down(SHUTDOWN_poweroff);
}
