// SPDX-License-Identifier: BSD-2-Clause
// Claim: no hypercall that takes a domain id or a frame lets a partition reach into another one: its
// page tables, its memory, its vCPUs, its machine-to-physical entries, its life.
#include "framework/pair.hpp"

#include <initializer_list>

extern "C" {
#include <xen/memory.h>
#include <xen/vcpu.h>
}

namespace {

constexpr long EPERM = 1, ESRCH = 3;
constexpr uint64_t secret = 0x5ec2e7;

volatile uint64_t* page;

void victim()
{
    auto* whole = new_page_as<uint64_t>();
    page = whole;
    *page = secret;
    pair.page->word[0] = mfn_of(whole);
    pair.page->word[1] = mfn_of(reinterpret_cast<void*>(start_info->pt_base));
    const auto* numbers = reinterpret_cast<const uint64_t*>(__MACH2PHYS_VIRT_START);
    const uint64_t number = numbers[mfn_of(whole)];
    step(2);
    step(3);
    CHECK_EQUAL(secret, *page);
    CHECK_EQUAL(number, numbers[mfn_of(whole)]);
}

long mmu_update_for(uint64_t pointer, uint64_t value, unsigned domains)
{
    mmu_update_t request = {pointer, value};
    return hypercall<__HYPERVISOR_mmu_update>(as_argument(&request), 1, 0, domains);
}

bool is_refused(long result) { return result < 0; }

void attacker()
{
    step(2);
    const uint64_t theirs = pair.page->word[0];
    const uint64_t their_table = pair.page->word[1];
    void* own = new_page();
    const uint64_t own_entry = machine_address(entry_of(own, 1));
    // Tables and frames of another, in both halves of the domain argument.
    CHECK(is_refused(mmu_update_for(their_table << 12, 0, pair.peer)));
    CHECK(is_refused(mmu_update_for(their_table << 12, 0, (pair.peer + 1u) << 16 | DOMID_SELF)));
    CHECK(is_refused(mmu_update_for(own_entry, theirs << 12 | pte_page, pair.peer)));
    CHECK(is_refused(mmu_update_for(own_entry, theirs << 12 | pte_page, DOMID_SELF)));
    CHECK(is_refused(mmu_update_for(their_table << 12, 0, DOMID_SELF)));
    CHECK(is_refused(mmu_update_for(theirs << 12 | MMU_MACHPHYS_UPDATE, 0x1234, DOMID_SELF)));
    CHECK(is_refused(mmu_update_for(theirs << 12 | MMU_MACHPHYS_UPDATE, 0x1234, pair.peer)));
    CHECK(is_refused(hypercall<__HYPERVISOR_update_va_mapping_otherdomain>(as_argument(own), theirs << 12 | pte_page, 0,
                                                                          pair.peer)));
    CHECK_EQUAL(-ESRCH, hypercall<__HYPERVISOR_update_va_mapping_otherdomain>(as_argument(own), 0, 0, 0x123));
    // Every operation on frames by number.
    for (const auto command : {MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L4_TABLE, MMUEXT_UNPIN_TABLE, MMUEXT_NEW_BASEPTR,
                               MMUEXT_NEW_USER_BASEPTR, MMUEXT_CLEAR_PAGE})
        CHECK(is_refused(mmuext(static_cast<unsigned>(command), command == MMUEXT_CLEAR_PAGE ? theirs : their_table)));
    mmuext_op_t copy = {};
    copy.cmd = MMUEXT_COPY_PAGE;
    copy.arg1.mfn = mfn_of(own);
    copy.arg2.src_mfn = theirs;
    CHECK(is_refused(hypercall<__HYPERVISOR_mmuext_op>(as_argument(&copy), 1, 0, DOMID_SELF)));
    CHECK(is_refused(hypercall<__HYPERVISOR_mmuext_op>(as_argument(&copy), 1, 0, pair.peer)));
    uint64_t frames[1] = {theirs};
    CHECK(is_refused(hypercall<__HYPERVISOR_set_gdt>(as_argument(frames), 8)));
    CHECK(is_refused(hypercall<__HYPERVISOR_update_descriptor>(theirs << 12, 0)));
    vcpu_register_vcpu_info_t place = {};
    place.mfn = theirs;
    CHECK(is_refused(hypercall<__HYPERVISOR_vcpu_op>(VCPUOP_register_vcpu_info, 0, as_argument(&place))));
    // Its memory and its life.
    xen_memory_reservation_t reservation = {};
    set_xen_guest_handle_raw(reservation.extent_start, frames);
    reservation.nr_extents = 1;
    reservation.domid = pair.peer;
    CHECK(hypercall<__HYPERVISOR_memory_op>(XENMEM_decrease_reservation, as_argument(&reservation)) <= 0);
    reservation.domid = DOMID_SELF;
    CHECK(hypercall<__HYPERVISOR_memory_op>(XENMEM_decrease_reservation, as_argument(&reservation)) <= 0);
    sched_remote_shutdown_t shutdown = {};
    shutdown.domain_id = pair.peer;
    shutdown.reason = SHUTDOWN_crash;
    CHECK_EQUAL(-EPERM, hypercall<__HYPERVISOR_sched_op>(SCHEDOP_remote_shutdown, as_argument(&shutdown)));
    gnttab_setup_table_t setup = {};
    setup.dom = pair.peer;
    set_xen_guest_handle_raw(setup.frame_list, frames);
    setup.nr_frames = 1;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_setup_table, as_argument(&setup), 1));
    CHECK(setup.status < 0);
    // Copies by frame number of another: only grants lead there.
    gnttab_copy_t by_number = {};
    by_number.len = 8;
    by_number.source.u.gmfn = theirs;
    by_number.source.domid = pair.peer;
    by_number.dest.u.gmfn = mfn_of(own);
    by_number.dest.domid = DOMID_SELF;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_copy, as_argument(&by_number), 1));
    CHECK(by_number.status < 0);
    by_number.source.domid = DOMID_SELF;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_copy, as_argument(&by_number), 1));
    CHECK(by_number.status < 0);
    CHECK_EQUAL(0, *static_cast<uint64_t*>(own));
    step(3);
}

}  // namespace

GUEST_TEST(pair_memory)
{
    install_traps();
    meet();
    pair.first ? victim() : attacker();
}
