// SPDX-License-Identifier: BSD-2-Clause
// lwIP's port on the host: a clock that tests set, chance that repeats. Included once by each test or
// fuzz target with lwIP in it.
#pragma once

#include <cstdio>
#include <cstdlib>

#include <lwip/init.h>
#include <lwip/ip_addr.h>
#include <lwip/netif.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>

namespace lwip_host {

inline u32_t now_ms = 1000;
inline uint32_t drawn = 0;

// Time passes, and what is due runs.
inline void pass(u32_t milliseconds)
{
    for (; milliseconds >= 10; milliseconds -= 10) {
        now_ms += 10;
        sys_check_timeouts();
    }
    now_ms += milliseconds;
    sys_check_timeouts();
}

// lwIP has no end: started once a process.
inline void start_once()
{
    static const bool started = (lwip_init(), true);
    (void)started;
}

}  // namespace lwip_host

extern "C" {
u32_t sys_now();
void lwip_port_assertion(const char* message);
uint32_t lwip_port_random();
u32_t lwip_port_first_sequence_number(const ip_addr_t*, u16_t, const ip_addr_t*, u16_t);
}

u32_t sys_now() { return lwip_host::now_ms; }
void lwip_port_assertion(const char* message)
{
    fprintf(stderr, "lwIP: %s\n", message);
    abort();
}
uint32_t lwip_port_random() { return ++lwip_host::drawn * 2654435761u; }
u32_t lwip_port_first_sequence_number(const ip_addr_t*, u16_t, const ip_addr_t*, u16_t) { return lwip_port_random(); }
