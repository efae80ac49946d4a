// SPDX-License-Identifier: BSD-2-Clause
// Takes the place of platform/x86/machine/relax.hpp in unit tests. A test with one thread that waits
// for a lock would wait for ever: it fails instead.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <sched.h>

namespace bulkhead::fake {

inline bool one_thread = true;       // a test that uses several clears it

}  // namespace bulkhead::fake

namespace bulkhead::machine {

inline void relax()
{
    if (fake::one_thread) {
        std::fputs("fake machine: waits for a lock that nobody can release\n", stderr);
        std::abort();
    }
    sched_yield();
}

}  // namespace bulkhead::machine
