// SPDX-License-Identifier: BSD-2-Clause
// What needs no hypercall: stores to tables, which the core carries out; exceptions of all kinds;
// privileged instructions; returns to any mode with any flags. Whatever comes of it ends in a trap, from
// which the guest goes on with its next operation.
#include "fuzz.hpp"

namespace {

// Registers at the code: rax value, rbx any, rcx number, rdx value, rsi and rdi addresses that are not the
// kernel's. Each may fault; the return behind it is for those that do not.
struct Bytes {
    uint8_t length;
    uint8_t byte[11];
};

constexpr Bytes instructions[] = {
    {2, {0x0f, 0x0b}},                               // ud2
    {1, {0xcc}},                                     // int3
    {1, {0xf1}},                                     // int1
    {2, {0xf7, 0xf3}},                               // div ebx
    {4, {0x31, 0xdb, 0xf7, 0xf3}},                   // div by 0
    {1, {0xf4}},                                     // hlt
    {1, {0xfa}}, {1, {0xfb}},                        // cli, sti
    {2, {0x0f, 0x06}},                               // clts
    {2, {0x0f, 0x09}}, {2, {0x0f, 0x08}},            // wbinvd, invd
    {4, {0x53, 0x0f, 0xa2, 0x5b}},                   // cpuid
    {9, {0x53, 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2, 0x5b}},   // cpuid with the forced-emulation prefix
    {7, {0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0x32}}, // rdmsr with it
    {2, {0x0f, 0x31}}, {3, {0x0f, 0x01, 0xf9}},      // rdtsc, rdtscp
    {2, {0x0f, 0x33}},                               // rdpmc
    {2, {0x0f, 0x32}}, {2, {0x0f, 0x30}},            // rdmsr, wrmsr
    {2, {0xe4, 0x71}}, {1, {0xec}}, {2, {0x66, 0xed}}, {1, {0xed}},      // in
    {2, {0xe6, 0x80}}, {1, {0xee}}, {2, {0x66, 0xef}}, {1, {0xef}},      // out
    {1, {0x6c}}, {1, {0x6d}}, {1, {0x6e}}, {1, {0x6f}},                  // ins, outs
    {3, {0x0f, 0x20, 0xc0}}, {3, {0x0f, 0x20, 0xd0}}, {3, {0x0f, 0x20, 0xd8}}, {3, {0x0f, 0x20, 0xe0}},
    {4, {0x44, 0x0f, 0x20, 0xc0}},                   // from cr0, cr2, cr3, cr4, cr8
    {3, {0x0f, 0x22, 0xc0}}, {3, {0x0f, 0x22, 0xd0}}, {3, {0x0f, 0x22, 0xe0}}, {4, {0x44, 0x0f, 0x22, 0xc0}},
    {3, {0x0f, 0x21, 0xf0}}, {3, {0x0f, 0x21, 0xc0}}, // from dr6, dr0
    {3, {0x0f, 0x23, 0xf0}},                         // to dr6
    {3, {0x0f, 0x01, 0x06}}, {3, {0x0f, 0x01, 0x0e}},                    // sgdt, sidt
    {3, {0x0f, 0x01, 0x16}}, {3, {0x0f, 0x01, 0x1e}},                    // lgdt, lidt
    {3, {0x0f, 0x00, 0xc0}}, {3, {0x0f, 0x00, 0xd0}},                    // sldt, lldt
    {3, {0x0f, 0x00, 0xc8}}, {3, {0x0f, 0x00, 0xd8}},                    // str, ltr
    {3, {0x0f, 0x01, 0xe0}}, {3, {0x0f, 0x01, 0xf0}},                    // smsw, lmsw
    {3, {0x0f, 0x01, 0x3e}},                         // invlpg
    {3, {0x0f, 0x01, 0xd0}}, {3, {0x0f, 0x01, 0xd1}},                    // xgetbv, xsetbv
    {3, {0x0f, 0x01, 0xf8}},                         // swapgs
    {3, {0x0f, 0x01, 0xc1}}, {3, {0x0f, 0x01, 0xd9}}, {3, {0x0f, 0x01, 0xc8}},  // vmcall, vmmcall, monitor
    {3, {0x0f, 0x01, 0xcb}},                         // stac
    {3, {0x48, 0x0f, 0x07}}, {2, {0x0f, 0x35}}, {2, {0x0f, 0x34}},       // sysret, sysexit, sysenter
    {2, {0x0f, 0xaa}},                               // rsm
    {5, {0xf3, 0x48, 0x0f, 0xae, 0xd0}}, {5, {0xf3, 0x48, 0x0f, 0xae, 0xd8}},   // wrfsbase, wrgsbase
    {5, {0xf3, 0x48, 0x0f, 0xae, 0xc0}},             // rdfsbase
    {2, {0x8e, 0xd8}}, {2, {0x8e, 0xc0}}, {2, {0x8e, 0xe0}}, {2, {0x8e, 0xe8}}, {2, {0x8e, 0xd0}},  // to ds, es, fs, gs, ss
    {8, {0x9c, 0x81, 0x0c, 0x24, 0x00, 0x01, 0x00, 0x00}},               // pushf; or 0x100
    {9, {0x68, 0x02, 0x01, 0x00, 0x00, 0x9d, 0x90, 0x90, 0x90}},         // popf with TF
    {6, {0x68, 0x02, 0x72, 0x24, 0x00, 0x9d}},       // popf with IOPL, NT, AC, ID
    {3, {0x48, 0x8b, 0x06}}, {2, {0x8a, 0x07}},      // loads
    {2, {0xd9, 0xe8}}, {3, {0x9b, 0xdb, 0xe3}},      // fld1, finit
    {3, {0x0f, 0x28, 0x06}}, {4, {0x0f, 0xae, 0x06, 0x90}},              // movaps, fxsave
    {3, {0x0f, 0xae, 0x1e}}, {3, {0x0f, 0xae, 0x16}},                    // stmxcsr, ldmxcsr
    {4, {0xc8, 0x00, 0x00, 0x03}},                   // enter
    {2, {0xff, 0x2e}}, {2, {0xff, 0x1e}},            // far jump and call through memory
    {1, {0xcf}},                                     // iret with what is on the stack
};

// With rdi at a slot of a table: those that kernels use on entries, and some more.
constexpr Bytes stores[] = {
    {3, {0x48, 0x89, 0x07}}, {2, {0x89, 0x07}}, {3, {0x66, 0x89, 0x07}}, {2, {0x88, 0x07}},
    {3, {0x48, 0x87, 0x07}}, {2, {0x87, 0x07}},                          // xchg
    {5, {0xf0, 0x48, 0x0f, 0xb1, 0x17}}, {4, {0xf0, 0x0f, 0xb1, 0x17}},  // cmpxchg
    {5, {0xf0, 0x48, 0x0f, 0xc7, 0x0f}},                                 // cmpxchg16b
    {4, {0xf0, 0x48, 0x09, 0x07}}, {4, {0xf0, 0x48, 0x21, 0x07}},        // or, and
    {5, {0xf0, 0x80, 0x27, 0xfd, 0x90}},                                 // and of a byte
    {5, {0xf0, 0x48, 0x0f, 0xba, 0x37}},                                 // btr, cut off
    {5, {0x48, 0x0f, 0xba, 0x37, 0x01}}, {5, {0x48, 0x0f, 0xba, 0x2f, 0x06}},
    {4, {0xf0, 0x48, 0x01, 0x07}}, {3, {0x48, 0xff, 0x07}}, {3, {0x48, 0xff, 0x0f}},
    {2, {0x48, 0xab}}, {2, {0x48, 0xa5}}, {1, {0xaa}},                   // stos, movs
    {5, {0xf0, 0x48, 0x0f, 0xc1, 0x07}}, {4, {0x48, 0x0f, 0xc3, 0x07}},        // xadd, movnti
    {6, {0x48, 0xc7, 0x07, 0x00, 0x00, 0x00}},                           // mov of a constant, cut off
};

void run_code(Cpu& cpu, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t source, uint64_t destination)
{
    asm volatile("call *%[code]"
                 : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(source), "+D"(destination)
                 : [code] "r"(cpu.code)
                 : "memory", "cc", "r8", "r9", "r10", "r11");
}

size_t put(Cpu& cpu, size_t at, const Bytes& bytes)
{
    memcpy(cpu.code + at, bytes.byte, bytes.length);
    return at + bytes.length;
}

// Code that ends in int3: what was cut off may swallow some of what follows.
void put_end(Cpu& cpu, size_t at) { memset(cpu.code + at, 0xcc, 32); }

// An Intel CPU takes it in 64-bit mode too, and forgets RIP and RSP: a kernel that executes it is lost.
bool is_deadly(const Bytes& bytes, bool as_kernel)
{
    static const bool is_intel = [] {
        uint32_t a = 0;
        uint32_t b = 0;
        uint32_t c = 0;
        uint32_t d = 0;
        asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        return b == 0x756e6547;
    }();
    return as_kernel && is_intel && bytes.length == 2 && bytes.byte[0] == 0x0f && bytes.byte[1] == 0x34;
}

void assemble(Cpu& cpu, bool as_kernel)
{
    Choice& choice = cpu.choice;
    size_t at = 0;
    const auto length = static_cast<unsigned>(1 + choice.below(3));
    for (unsigned i = 0; i < length; ++i) {
        if (choice.one_in(5)) {
            cpu.code[at++] = 0xcd;                   // int n
            cpu.code[at++] = static_cast<uint8_t>(choice.one_in(2) ? choice.below(32) : choice.below(256));
        } else {
            if (choice.one_in(12))
                cpu.code[at++] = static_cast<uint8_t>(choice.of({0xf0, 0xf2, 0xf3, 0x66, 0x67, 0x64, 0x65, 0x48}));
            const Bytes& bytes = instructions[choice.below(sizeof(instructions) / sizeof(instructions[0]))];
            at = put(cpu, at, is_deadly(bytes, as_kernel) ? instructions[0] : bytes);
        }
    }
    put_end(cpu, at);
}

uint64_t any_flags(Cpu& cpu)
{
    return cpu.choice.one_in(2) ? 0x202 : (cpu.choice.next() & 0x3fffff) | (cpu.choice.one_in(2) ? 2 : 0);
}

}  // namespace

void random_store(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    if (choice.one_in(8)) {
        // The pages that it shares with the core.
        auto* words = choice.one_in(2) ? grant_table : reinterpret_cast<uint64_t*>(shared_info);
        auto* word = words + choice.below(entries);
        if (words == grant_table)
            *word = choice.below(16) | (choice.of({DOMID_SELF, 1, 2, 3, 0}) << 16) | data_frame(cpu) << 32;
        else if (choice.one_in(2))
            *word = any_value(cpu);
        else
            shared_info->evtchn_mask[choice.below(2)] = 0;
        return;
    }
    uint64_t* slot = table_slot(cpu);
    uint64_t at = as_argument(slot);
    if (choice.one_in(8))
        at = arena_address(cpu);
    cpu.stored_at = at;
    put_end(cpu, put(cpu, 0, stores[choice.below(sizeof(stores) / sizeof(stores[0]))]));
    const uint64_t old = choice.one_in(2) ? 0 : choice.one_in(2) ? any_entry(cpu) : *slot;
    run_code(cpu, choice.one_in(2) ? any_entry(cpu) : old, any_entry(cpu), any_entry(cpu), any_entry(cpu),
             as_argument(cpu.arguments), at);
}

void random_instructions(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    assemble(cpu, true);
    uint64_t number = any_value(cpu);
    if (choice.one_in(2))
        number = choice.of({0x10, 0x1b, 0x8b, 0x122, 0x174, 0x175, 0x176, 0x1d9, 0x277, 0x3a, 0x48, 0x49, 0x1a0, 0x6e0,
                            0x802, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102,
                            0xc0000103, 0xc0010015, 0xc0010117, 0x40000000, 0x7a0}) + choice.below(2);
    const uint64_t port = choice.one_in(2) ? choice.of({0x20, 0x21, 0x40, 0x43, 0x60, 0x61, 0x64, 0x70, 0x71, 0x80, 0xa1,
                                                        0x3f8, 0x3fd, 0xcf8, 0xcf9, 0xcfc, 0x604, 0xb004, 0xffff})
                                           : any_value(cpu);
    run_code(cpu, any_value(cpu), any_value(cpu), number, port, any_address(cpu), any_address(cpu));
}

void random_return(Cpu& cpu)
{
    Choice& choice = cpu.choice;
    const bool user = !choice.one_in(4);
    assemble(cpu, !user);
    // From user mode the kernel must find its stack again.
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_stack_switch>(FLAT_KERNEL_SS, as_argument(cpu.entry_stack + sizeof(cpu.entry_stack))));
    CHECK_EQUAL(0, mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(pool.user_top)));
    uint64_t cs = user ? FLAT_USER_CS64 : kernel_cs;
    uint64_t ss = FLAT_USER_SS64;
    uint64_t rip = as_argument(cpu.code);
    uint64_t stack = as_argument(cpu.main_stack) + 8192;
    if (user && choice.one_in(2)) {
        stack = any_address(cpu);
        cs = choice.of({FLAT_USER_CS64, FLAT_USER_CS32, FLAT_USER_SS64, 3, 7, 0xf, 0xe00b, 0xe013, 0xffff});
        ss = choice.of({FLAT_USER_SS64, FLAT_USER_CS64, 0, 3, 7, 0xe00b, 0xffff});
    }
    if (user && choice.one_in(8))
        rip = choice.of({0, 1ull << 47, 0x00007fffffffffff, 0xffff800000000000, ~0ull, rip + 4096});
    const uint64_t flags = any_flags(cpu);
    const uint64_t kind = choice.one_in(2) ? 0 : choice.of({VGCF_in_syscall, 1, 2, 4, ~0ull});
    asm volatile("push %[ss]\n push %[stack]\n push %[flags]\n push %[cs]\n push %[rip]\n push %[kind]\n"
                 "jmp hypercall_page + 23 * 32"
                 : : [ss] "r"(ss), [stack] "r"(stack), [flags] "r"(flags), [cs] "r"(cs), [rip] "r"(rip),
                     [kind] "r"(kind), "a"(0) : "memory");
}
