// SPDX-License-Identifier: BSD-2-Clause
// Claim: a guest gives frames back and gets as many again under the numbers that it names; it exchanges
// frames; a frame that is not its own is not given back; nothing is had beyond the maximum. Bulkhead
// scrubs what comes back; Xen does so when it goes from one domain to another.
#include "framework/memory.hpp"
#include "framework/traps.hpp"

extern "C" {
#include <xen/memory.h>
}

namespace {

long memory_op(unsigned command, void* argument)
{
    return hypercall<__HYPERVISOR_memory_op>(command, as_argument(argument));
}

xen_memory_reservation_t reservation(uint64_t* frames, unsigned count)
{
    xen_memory_reservation_t request = {};
    set_xen_guest_handle_raw(request.extent_start, frames);
    request.nr_extents = count;
    request.domid = DOMID_SELF;
    return request;
}

long pages_now()
{
    domid_t self = DOMID_SELF;
    return memory_op(XENMEM_current_reservation, &self);
}

uint64_t number_of(const void* page) { return (as_argument(page) - virt_base) >> 12; }

uint64_t machine_to_phys(uint64_t frame) { return reinterpret_cast<const uint64_t*>(__MACH2PHYS_VIRT_START)[frame]; }

// A page that no address maps, as balloon drivers have it before they give it back.
uint64_t unmap(void* page)
{
    const uint64_t frame = mfn_of(page);
    CHECK_EQUAL(0, update_mapping(page, 0));
    return frame;
}

void set_mfn(const void* page, uint64_t frame)
{
    reinterpret_cast<uint64_t*>(start_info->mfn_list)[number_of(page)] = frame;
}

void frames_go_and_come_back()
{
    const long before = pages_now();
    void* pages[3];
    uint64_t frames[3];
    for (unsigned i = 0; i < 3; ++i) {
        pages[i] = new_page();
        *static_cast<uint64_t*>(pages[i]) = 0x5ec7e7;
        frames[i] = unmap(pages[i]);
    }
    xen_memory_reservation_t request = reservation(frames, 3);
    CHECK_EQUAL(3, memory_op(XENMEM_decrease_reservation, &request));
    CHECK_EQUAL(before - 3, pages_now());
    CHECK(map_machine_page(pages[0], frames[0], true) < 0);           // it is gone
    for (unsigned i = 0; i < 3; ++i)
        frames[i] = number_of(pages[i]);
    request = reservation(frames, 3);
    CHECK_EQUAL(3, memory_op(XENMEM_populate_physmap, &request));
    CHECK_EQUAL(before, pages_now());
    for (unsigned i = 0; i < 3; ++i) {
        CHECK_EQUAL(number_of(pages[i]), machine_to_phys(frames[i]));
        set_mfn(pages[i], frames[i]);
        CHECK_EQUAL(0, map_machine_page(pages[i], frames[i], true));
        if (on_bulkhead())
            CHECK_EQUAL(0, *static_cast<uint64_t*>(pages[i]));
    }
}

void a_list_ends_at_what_is_not_its_own()
{
    const long before = pages_now();
    void* page = new_page();
    uint64_t frames[3] = {unmap(page), 0xfffffffff, 0};
    xen_memory_reservation_t request = reservation(frames, 3);
    CHECK_EQUAL(1, memory_op(XENMEM_decrease_reservation, &request));
    CHECK_EQUAL(before - 1, pages_now());
    frames[0] = number_of(page);
    request = reservation(frames, 1);
    CHECK_EQUAL(1, memory_op(XENMEM_populate_physmap, &request));
    set_mfn(page, frames[0]);
    CHECK_EQUAL(0, map_machine_page(page, frames[0], true));
}

void frames_are_exchanged()
{
    void* page = new_page();
    uint64_t in[1] = {unmap(page)};
    uint64_t out[1] = {number_of(page)};
    xen_memory_exchange_t request = {};
    request.in = reservation(in, 1);
    request.out = reservation(out, 1);
    CHECK_EQUAL(0, memory_op(XENMEM_exchange, &request));
    CHECK_EQUAL(1, request.nr_exchanged);
    CHECK_EQUAL(number_of(page), machine_to_phys(out[0]));
    set_mfn(page, out[0]);
    CHECK_EQUAL(0, map_machine_page(page, out[0], true));
}

void there_is_a_maximum()
{
    domid_t self = DOMID_SELF;
    const long most = memory_op(XENMEM_maximum_reservation, &self);
    CHECK(most >= pages_now());
    if (most > pages_now() + 1000)
        return;                                       // a first domain of Xen has no end in sight
    uint64_t frame[1] = {0};
    xen_memory_reservation_t request = reservation(frame, 1);
    while (pages_now() < most)
        CHECK_EQUAL(1, memory_op(XENMEM_increase_reservation, &request));
    CHECK_EQUAL(0, memory_op(XENMEM_increase_reservation, &request));
    CHECK_EQUAL(most, pages_now());
}

}  // namespace

GUEST_TEST(reservation)
{
    install_traps();
    frames_go_and_come_back();
    a_list_ends_at_what_is_not_its_own();
    frames_are_exchanged();
    there_is_a_maximum();
}
