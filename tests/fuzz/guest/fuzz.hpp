// SPDX-License-Identifier: BSD-2-Clause
// The fuzzing guest: what its parts share. Everything is chosen by a generator that the seed starts.
// Of its memory, the kernel with its stacks and the tables that map it are kept; the rest is fair game:
// the arena (pages behind the boot stack), frames that nothing maps, and all table slots that do not
// lead to the kernel.
#pragma once

#include "choice.hpp"
#include "framework/events.hpp"
#include "framework/memory.hpp"

extern "C" {
void* memcpy(void* to, const void* from, size_t bytes);
void* memset(void* to, int value, size_t bytes);
}

inline constexpr unsigned cpus_most = 2;
inline constexpr unsigned arena_most = 96, argument_pages = 4, top_copies = 4;
inline constexpr unsigned entries = 512, kernel_slot = 511;
inline constexpr uint64_t kernel_cs = FLAT_KERNEL_CS & ~3u;      // as iret and frames name the kernel's mode

struct alignas(4096) Cpu {
    char main_stack[32768];
    char entry_stack[16384];         // entries from user mode
    uint8_t code[4096];              // instructions that were put together
    uint64_t saved_stack;            // the way back of the operation that runs; 0: none
    unsigned number;
    Choice choice{1};
    uint64_t* arguments;             // argument_pages pages, writable throughout
    vcpu_info_t* info;
    uint64_t stored_at;              // where the last random store went; 0: nothing to look at
    volatile uint64_t operations, traps, events, accepted;
};

extern Cpu cpus[cpus_most];

// --- Memory: pool.cpp

void make_pool();
struct Pool {
    unsigned pages;                  // of the arena
    char* arena;
    uint64_t home[arena_most];       // its frames at start
    uint64_t* live_entry[arena_most];
    uint64_t* top_copy[top_copies];  // top-level tables that lead to the kernel as the first one does
    uint64_t* user_top;              // one that nothing changes, for returns to user mode
    uint64_t* boot_top;
    uint64_t* boot_third;
    uint64_t* boot_second;
};
extern Pool pool;

uint64_t any_value(Cpu& cpu);
uint64_t any_address(Cpu& cpu);              // to be written by the core: never the kernel
uint64_t arena_address(Cpu& cpu);
uint64_t any_frame(Cpu& cpu);                // never the kernel's
uint64_t data_frame(Cpu& cpu);               // nor one of its tables
uint64_t arena_frame(Cpu& cpu);
uint64_t spare_frame(Cpu& cpu);
uint64_t any_entry(Cpu& cpu);
uint64_t any_domain(Cpu& cpu);
uint64_t any_port(Cpu& cpu);
uint64_t* table_slot(Cpu& cpu);              // where it is mapped at start
// A store of less than an entry, or one that combines two, can make an entry name a frame of the kernel's own.
// The core lets it: the guest owns the frame. Takes such entries out again; may fault, as the store may have.
void remove_kernel_entries(Cpu& cpu);
// For MMUEXT_NEW_BASEPTR: leads to the kernel, or is none.
uint64_t top_frame(Cpu& cpu);
// What this vCPU holds: base pointers, descriptor tables, call-backs; all as at the start.
void restore_cpu(Cpu& cpu);
// All of the arena, while the other vCPUs wait. Returns how many pages could not be had back.
[[nodiscard]] unsigned restore_arena();

// --- Operations: calls.cpp, instructions.cpp

struct Call {
    unsigned number;
    uint64_t argument[5];
};

long issue(const Call& call);
void random_call(Cpu& cpu);
void random_multicall(Cpu& cpu);
void random_store(Cpu& cpu);
void random_instructions(Cpu& cpu);
void random_return(Cpu& cpu);
extern uint64_t* grant_table;                // the first frame of it
uint64_t time_now();                         // ns, from what the core said at the start
