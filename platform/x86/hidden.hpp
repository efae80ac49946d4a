// SPDX-License-Identifier: BSD-2-Clause
// Put before every source file of ring 0, which is one program without dynamic linking: addresses of what
// other files define need no table (GOT) of the linker. -fvisibility=hidden says so only of definitions.
#pragma once
#pragma GCC visibility push(hidden)
