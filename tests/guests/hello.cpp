// SPDX-License-Identifier: BSD-2-Clause
// Claim: a partition runs its first instruction, prints by console_io, and powers itself off.
#include "framework/guest.hpp"

GUEST_TEST(hello)
{
    print("hello from a PV guest\n");
}
