// SPDX-License-Identifier: BSD-2-Clause
// lwIP's port: time, chance, assertions, and the timer that drives its own.
#include "pvdrivers/net/stack.hpp"

#include "pvdrivers/net/siphash.hpp"

#include <bulkhead/traps.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>

#include <lwip/init.h>
#include <lwip/ip_addr.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>

#include "pvdrivers/net/lwip/hooks.h"

namespace bulkhead::net {

namespace {

SipKey secret;
uint64_t drawn;         // numbers given out so far

uint64_t ticks()
{
    uint32_t low;
    uint32_t high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return uint64_t{high} << 32 | low;
}

bool has_rdrand()
{
    uint32_t a = 1;
    uint32_t b;
    uint32_t c = 0;
    uint32_t d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    return (c >> 30 & 1) != 0;
}

// The CPU's generator where there is one; the ticks since reset beside it.
uint64_t entropy()
{
    uint64_t value = 0;
    if (has_rdrand())
        for (int tries = 0; tries < 10; ++tries) {
            bool good;
            asm volatile("rdrand %0" : "=r"(value), "=@ccc"(good));
            if (good)
                break;
        }
    return value ^ ticks();
}

void on_timer(void*) { poll_network(); }
Timer& timer()
{
    static Timer the_timer(on_timer, nullptr);
    return the_timer;
}

}  // namespace

void start_network()
{
    secret = {entropy(), entropy() ^ static_cast<uint64_t>(wall_clock().count())};
    lwip_init();
    poll_network();
}

void poll_network()
{
    sys_check_timeouts();
    const uint32_t pause_ms = std::min<uint32_t>(sys_timeouts_sleeptime(), 1000);
    const Time due = Clock::now() + std::chrono::milliseconds(pause_ms);
    // A timer that comes a little early does no harm, and setting it costs a hypercall for each frame.
    if (!timer().running() || due < timer().deadline())
        timer().start(due);
}

}  // namespace bulkhead::net

using namespace bulkhead;
using namespace bulkhead::net;

extern "C" u32_t sys_now()
{
    return static_cast<u32_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch()).count());
}

extern "C" void lwip_port_assertion(const char* message) { crash("lwIP: %s", message); }

extern "C" uint32_t lwip_port_random()
{
    const uint64_t words[] = {++drawn, ticks()};
    return static_cast<uint32_t>(siphash(secret, words));
}

extern "C" u32_t lwip_port_first_sequence_number(const ip_addr_t* local, u16_t local_port, const ip_addr_t* remote,
                                                 u16_t remote_port)
{
    uint64_t words[5] = {0, 0, 0, 0, uint64_t{local_port} << 32 | remote_port};
    const auto put = [&](const ip_addr_t& address, uint64_t* at) {
        if (address.type == IPADDR_TYPE_V6)
            std::memcpy(at, ip_2_ip6(&address)->addr, sizeof(ip_2_ip6(&address)->addr));
        else
            at[0] = ip4_addr_get_u32(ip_2_ip4(&address));
    };
    put(*local, words);
    put(*remote, words + 2);
    // And a clock of 4 us, so that a connection's next life begins above its former one.
    const auto clock = static_cast<uint64_t>(Clock::now().time_since_epoch().count()) / 4000;
    return static_cast<u32_t>(siphash(secret, words) + clock);
}
