// SPDX-License-Identifier: BSD-2-Clause
// Exceptions, events and caught faults of a conformance guest.
#pragma once

#include "framework/guest.hpp"

// As entry.S builds it.
struct TrapFrame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector;
    uint64_t error_code;
    uint64_t rip;
    uint64_t cs;              // bits 32 and up: the event mask before, as the ABI saves it
    uint64_t rflags;
    uint64_t rsp;
    uint64_t ss;
};

enum : unsigned {
    vector_event = 256,
    vector_nmi = 257,
    vector_failsafe = 258,
    vector_syscall = 259,
    vector_syscall32 = 260,
    vector_sysenter = 261,
    vectors = 262,
};

using TrapHandler = void (*)(TrapFrame& frame);
// Null: the test fails and says what came.
extern TrapHandler trap_handlers[vectors];

// Registers all exceptions (3, 4 and 0x80 with dpl 3, the others with dpl 0) and the call-backs.
void install_traps();
// Further call-backs: CALLBACKTYPE_*, an entry of entry.S (below), CALLBACKF_*.
void register_callback(unsigned type, const void* entry, unsigned flags = 0);
long unregister_callback(unsigned type);
extern "C" char event_entry[], nmi_entry[], failsafe_entry[], syscall_entry[], syscall32_entry[], sysenter_entry[];
// The flags of trap_info for one vector: dpl in bits 0 and 1, 4 to mask events.
void set_trap_flags(unsigned vector, uint8_t flags);

struct Caught {
    bool trapped;
    unsigned vector;
    uint64_t error_code;
    uint64_t rip;
    uint64_t address;         // CR2 as vcpu_info shows it
    explicit operator bool() const { return trapped; }
};

extern "C" bool run_caught(void (*function)(void*), void* argument);
Caught last_caught(bool trapped);

// Runs it; the first trap ends it and is told.
template <class Function>
[[gnu::noinline]] Caught catch_trap(Function function)
{
    const bool trapped = run_caught([](void* argument) { (*static_cast<Function*>(argument))(); }, &function);
    return last_caught(trapped);
}

#define CHECK_TRAPS(expected_vector, expected_error, ...)                             \
    do {                                                                              \
        const Caught caught_ = catch_trap([&] { __VA_ARGS__; });                      \
        if (!caught_)                                                                 \
            fail("line %d: no trap: %s", __LINE__, #__VA_ARGS__);                     \
        if (caught_.vector != (expected_vector) || caught_.error_code != (expected_error)) \
            fail("line %d: trap %u error %lx: %s", __LINE__, caught_.vector, caught_.error_code, #__VA_ARGS__); \
    } while (false)

#define CHECK_NO_TRAP(...)                                                            \
    do {                                                                              \
        if (const Caught caught_ = catch_trap([&] { __VA_ARGS__; }); caught_)         \
            fail("line %d: trap %u error %lx address %lx: %s", __LINE__, caught_.vector, \
                 caught_.error_code, caught_.address, #__VA_ARGS__);                  \
    } while (false)

[[nodiscard]] vcpu_info_t& own_info(unsigned vcpu = 0);
extern shared_info_t* shared_info;        // mapped by install_traps()

inline void mask_events() { own_info().evtchn_upcall_mask = 1; }
void unmask_events();                     // delivers what is pending
