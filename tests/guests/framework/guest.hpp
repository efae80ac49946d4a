// SPDX-License-Identifier: BSD-2-Clause
// What every conformance guest is made of: one GUEST_TEST, which passes by returning and fails by
// a check. The result is one line, `PASS name` or `FAIL name: why`; then the guest powers off.
#pragma once

#include "framework/hypercall.hpp"

#include <cstddef>
#include <cstdint>

#define GUEST_TEST(title)                                    \
    extern "C" constinit const char* const guest_name = #title; \
    void run_guest()

extern "C" const char* const guest_name;
void run_guest();

extern start_info_t* start_info;
extern uint64_t boot_stack_end;          // what follows it in the initial mapping is free

// Knows %s %c %d %u %x %p, with l; to console_io, whole calls at once, at most 255 bytes.
[[gnu::format(printf, 1, 2)]] void print(const char* format, ...);
[[noreturn, gnu::format(printf, 1, 2)]] void fail(const char* format, ...);
// Called first by fail(). A guest that has its own for it may end here, if the fault may be its own.
void before_failure();
// `SKIP name: why`: this run cannot show the claim (one vCPU, an instruction set that is absent).
[[noreturn, gnu::format(printf, 1, 2)]] void skip(const char* format, ...);
[[noreturn]] void pass();
// Bulkhead, not the peer: for the few differences that are explained beside their use.
[[nodiscard]] bool on_bulkhead();
[[noreturn]] void shut_down(unsigned reason);

#define CHECK(condition)                                                              \
    do {                                                                              \
        if (!(condition))                                                             \
            fail("line %d: %s", __LINE__, #condition);                                \
    } while (false)

#define CHECK_EQUAL(expected, actual)                                                 \
    do {                                                                              \
        const uint64_t expected_ = static_cast<uint64_t>(expected);                   \
        const uint64_t actual_ = static_cast<uint64_t>(actual);                       \
        if (expected_ != actual_)                                                     \
            fail("line %d: %s is %lx, not %lx", __LINE__, #actual, actual_, expected_); \
    } while (false)
