// SPDX-License-Identifier: BSD-2-Clause
// Claim: VCPUOP_register_vcpu_time_memory_area gives a second copy of the vCPU's time, where the guest
// likes, which goes on with the first; vcpu_info can be moved to a page of the guest's, once.
#include "framework/events.hpp"
#include "framework/memory.hpp"

namespace {

constexpr long EINVAL = 22, ENXIO = 6;

long vcpu_op(unsigned command, void* argument)
{
    return hypercall<__HYPERVISOR_vcpu_op>(command, 0, as_argument(argument));
}

void a_second_copy_of_the_time()
{
    // Across a boundary of pages in the guest's address space, and of pages of the machine.
    auto* first = new_page_as<char>();
    (void)new_page();
    auto* copy = reinterpret_cast<volatile vcpu_time_info_t*>(first + page_bytes - 16);
    vcpu_register_time_memory_area_t area = {};
    area.addr.v = const_cast<vcpu_time_info_t*>(copy);
    CHECK_EQUAL(0, vcpu_op(VCPUOP_register_vcpu_time_memory_area, &area));
    const uint64_t end = system_time() + 3'000'000;
    while (system_time() < end)
        hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0);
    CHECK_EQUAL(0, copy->version & 1);
    CHECK(copy->version != 0);
    CHECK_EQUAL(own_info().time.tsc_to_system_mul, copy->tsc_to_system_mul);
    CHECK_EQUAL(own_info().time.tsc_shift, copy->tsc_shift);
    const uint64_t before = system_time();
    const uint64_t by_copy = system_time_by(*copy);
    CHECK(by_copy + 1000 >= before);                 // the two may have been made at different times
    CHECK(by_copy <= system_time() + 1000);
    area.addr.v = nullptr;
    (void)vcpu_op(VCPUOP_register_vcpu_time_memory_area, &area);
}

void vcpu_info_moves_once()
{
    auto* page = new_page_as<char>();
    vcpu_register_vcpu_info_t place = {};
    place.mfn = mfn_of(page);
    place.offset = 4096 - 8;
    CHECK_EQUAL(-ENXIO, vcpu_op(VCPUOP_register_vcpu_info, &place));        // over the page's end
    place.offset = 64;
    own_info().evtchn_upcall_mask = 1;
    CHECK_EQUAL(0, vcpu_op(VCPUOP_register_vcpu_info, &place));
    const auto* info = reinterpret_cast<const volatile vcpu_info_t*>(page + 64);
    CHECK_EQUAL(1, info->evtchn_upcall_mask);
    CHECK(info->time.tsc_to_system_mul != 0);
    CHECK_EQUAL(-EINVAL, vcpu_op(VCPUOP_register_vcpu_info, &place));
}

}  // namespace

GUEST_TEST(time_areas)
{
    install_traps();
    a_second_copy_of_the_time();
    vcpu_info_moves_once();
}
