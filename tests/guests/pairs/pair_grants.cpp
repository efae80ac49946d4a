// SPDX-License-Identifier: BSD-2-Clause
// Claim: a page that one partition grants to another can be mapped, read, written and copied there as
// far as the grant says and no further; while it is mapped its owner cannot take it back, give it up or
// make it a page table; without a grant no frame of another can be mapped, whatever its number.
#include "framework/pair.hpp"

extern "C" {
#include <xen/memory.h>
}

namespace {

enum : unsigned { writable = first_reference, readonly, ended, to_another };

volatile uint64_t* page;

// --- The owner -----------------------------------------------------------------------------------

void owner()
{
    auto* whole = new_page_as<uint64_t>();
    page = whole;
    *page = 0x1111;
    pair.page->word[0] = mfn_of(whole);
    grant_to(pair.peer, writable, whole);
    grant_to(pair.peer, readonly, whole, GTF_permit_access | GTF_readonly);
    grant_to(pair.peer, ended, whole);
    CHECK(end_grant(ended));
    grant_to(static_cast<uint16_t>(pair.peer + 1), to_another, whole);
    step(2);

    step(3);                             // it is mapped there
    CHECK_EQUAL(0x2222, *page);
    CHECK(grant_table[writable].flags & GTF_writing);
    CHECK(!end_grant(writable));
    CHECK_EQUAL(0, make_readonly(whole));
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(whole)) < 0);
    CHECK_EQUAL(0, make_writable(whole));
    step(4);

    step(5);                             // mapped read-only only, and no more
    CHECK_EQUAL(0, grant_table[writable].flags & (GTF_reading | GTF_writing));
    CHECK(end_grant(writable));
    CHECK_EQUAL(0x2222, *page);
    CHECK_EQUAL(GTF_reading, grant_table[readonly].flags & (GTF_reading | GTF_writing));
    step(6);

    step(7);
    CHECK(end_grant(readonly));
    // Nothing holds the frame any more: it may become a page table.
    whole[0] = 0;
    CHECK_EQUAL(0, make_readonly(whole));
    CHECK_EQUAL(0, mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(whole)));
    grant_to(pair.peer, writable, whole);
    step(8);
    step(9);                             // which the other could not get hold of
    CHECK_EQUAL(0, mmuext(MMUEXT_UNPIN_TABLE, mfn_of(whole)));
    CHECK_EQUAL(0, make_writable(whole));
    CHECK(end_grant(writable));
    step(10);
}

// --- The other -----------------------------------------------------------------------------------

long copy(unsigned reference, void* own, bool into_grant)
{
    gnttab_copy_t request = {};
    request.len = 8;
    auto& theirs = into_grant ? request.dest : request.source;
    auto& mine = into_grant ? request.source : request.dest;
    theirs.u.ref = reference;
    theirs.domid = pair.peer;
    mine.u.gmfn = mfn_of(own);
    mine.domid = DOMID_SELF;
    request.flags = into_grant ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
    CHECK_EQUAL(0, hypercall<__HYPERVISOR_grant_table_op>(GNTTABOP_copy, as_argument(&request), 1));
    return request.status;
}

bool is_refused(unsigned reference, void* at, unsigned flags)
{
    return map_grant(pair.peer, reference, at, flags).status < 0;
}

void other()
{
    auto* at = new_page_as<volatile uint64_t>();
    void* address = const_cast<uint64_t*>(at);
    auto* own = new_page_as<uint64_t>();
    step(2);
    const uint64_t frame = pair.page->word[0];
    CHECK(map_machine_page(address, frame, true) < 0);
    CHECK(map_machine_page(address, frame, false) < 0);
    CHECK(mmuext(MMUEXT_PIN_L1_TABLE, frame) < 0);
    CHECK(change_entry(frame << 12, 0) < 0);         // it is no page table of its own either
    CHECK_EQUAL(0, update_mapping(address, 0));
    CHECK(is_refused(ended, address, GNTMAP_host_map));
    CHECK(is_refused(to_another, address, GNTMAP_host_map));
    CHECK(is_refused(readonly, address, GNTMAP_host_map));
    CHECK(is_refused(100000, address, GNTMAP_host_map));
    const gnttab_map_grant_ref_t mapped = map_grant(pair.peer, writable, address, GNTMAP_host_map);
    CHECK_EQUAL(GNTST_okay, mapped.status);
    CHECK_EQUAL(0x1111, *at);
    *at = 0x2222;
    // Another way to the same frame needs a grant of its own.
    CHECK(map_machine_page(own, frame, true) < 0);
    step(3);
    step(4);
    CHECK_EQUAL(GNTST_okay, unmap_grant(address, mapped.handle));
    CHECK_TRAPS(14, 0, (void)*at);
    CHECK_EQUAL(GNTST_bad_handle, unmap_grant(address, mapped.handle));
    const gnttab_map_grant_ref_t read = map_grant(pair.peer, readonly, address, GNTMAP_host_map | GNTMAP_readonly);
    CHECK_EQUAL(GNTST_okay, read.status);
    CHECK_EQUAL(0x2222, *at);
    CHECK_TRAPS(14, 3, *at = 0x3333);
    CHECK(update_mapping(address, frame << 12 | pte_page) < 0);      // not by hand either
    step(5);
    step(6);
    CHECK_EQUAL(GNTST_okay, copy(readonly, own, false));
    CHECK_EQUAL(0x2222, *own);
    CHECK(copy(readonly, own, true) < 0);
    CHECK(copy(writable, own, false) < 0);                           // ended meanwhile
    CHECK_EQUAL(GNTST_okay, unmap_grant(address, read.handle));
    step(7);
    step(8);
    CHECK(is_refused(writable, address, GNTMAP_host_map));           // a page table now
    CHECK(copy(writable, own, true) < 0);
    step(9);
    step(10);
}

}  // namespace

GUEST_TEST(pair_grants)
{
    install_traps();
    meet();
    pair.first ? owner() : other();
}
