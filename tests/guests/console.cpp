// SPDX-License-Identifier: BSD-2-Clause
// Claim: what a partition puts into its console ring is taken by the back end and acknowledged, and
// console_io refuses what it cannot read. The first domain of Xen has no ring, and checks the latter.
#include "framework/events.hpp"
#include "framework/memory.hpp"

extern "C" {
#include <xen/io/console.h>
#include <xen/version.h>
}

namespace {

void console_io()
{
    CHECK(hypercall<__HYPERVISOR_console_io>(CONSOLEIO_write, 10, 0xffff830000000000) < 0);
    CHECK(hypercall<__HYPERVISOR_console_io>(99, 0, 0) < 0);
    char input[16];
    CHECK(hypercall<__HYPERVISOR_console_io>(CONSOLEIO_read, sizeof(input), as_argument(input)) >= 0);
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_console_io>(CONSOLEIO_write, 0, as_argument(input)));
}

void put(xencons_interface& ring, const char* text)
{
    XENCONS_RING_IDX producer = ring.out_prod;
    for (; *text != '\0'; ++text)
        ring.out[MASK_XENCONS_IDX(producer++, ring.out)] = *text;
    __atomic_store_n(&ring.out_prod, producer, __ATOMIC_RELEASE);
}

void ring()
{
    auto* page = static_cast<xencons_interface*>(address_of_mfn(start_info->console.domU.mfn));
    const uint32_t port = start_info->console.domU.evtchn;
    CHECK(port != 0);
    set_port_mask(port, false);
    put(*page, "through the ring\n");
    CHECK_EQUAL(0, send(port));
    const uint64_t end = system_time() + 1000000000;
    while (__atomic_load_n(&page->out_cons, __ATOMIC_ACQUIRE) != page->out_prod) {
        if (system_time() > end)
            fail("the ring is not emptied: %u of %u", page->out_cons, page->out_prod);
        hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0);
    }
    // More than the ring holds, in portions.
    for (unsigned i = 0; i < 100; ++i) {
        while (page->out_prod - __atomic_load_n(&page->out_cons, __ATOMIC_ACQUIRE) > sizeof(page->out) - 64)
            hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0);
        put(*page, "a line of a partition that writes quickly\n");
        CHECK_EQUAL(0, send(port));
    }
}

}  // namespace

GUEST_TEST(console)
{
    install_traps();
    listen_to_events();
    console_io();
    if ((start_info->flags & SIF_INITDOMAIN) == 0)
        ring();
}
