// SPDX-License-Identifier: BSD-2-Clause
// Claim: version 2 of the grant table: status words in frames of their own, frames of 64 bits, parts of
// pages for copies only, the reserved entries kept over a change, and the way back to version 1.
#include "framework/memory.hpp"
#include "framework/traps.hpp"

#include <initializer_list>

extern "C" {
#include <xen/grant_table.h>
}

namespace {

constexpr long EINVAL = 22, EBUSY = 16, ERANGE = 34;
constexpr unsigned first = 16;

grant_entry_v2_t* table;
grant_entry_v1_t* table_v1;
volatile grant_status_t* status_words;
uint16_t own_domain;

template <class T>
long grant_op(unsigned command, T& request)
{
    return hypercall<__HYPERVISOR_grant_table_op>(command, as_argument(&request), 1);
}

long set_version(uint32_t version)
{
    gnttab_set_version_t request = {version};
    const long result = grant_op(GNTTABOP_set_version, request);
    if (result == 0)
        CHECK_EQUAL(version, request.version);
    return result;
}

void set_up_version_1()
{
    xen_pfn_t frames[1] = {};
    gnttab_setup_table_t setup = {};
    setup.dom = DOMID_SELF;
    setup.nr_frames = 1;
    set_xen_guest_handle_raw(setup.frame_list, frames);
    CHECK_EQUAL(0, grant_op(GNTTABOP_setup_table, setup));
    CHECK_EQUAL(GNTST_okay, setup.status);
    table = new_page_as<grant_entry_v2_t>();
    CHECK_EQUAL(0, map_machine_page(table, frames[0], true));
    table_v1 = reinterpret_cast<grant_entry_v1_t*>(table);
}

void a_change_keeps_reserved_entries()
{
    CHECK_EQUAL(-EINVAL, set_version(3));
    CHECK_EQUAL(-EINVAL, set_version(0));
    table_v1[7] = {GTF_permit_access | GTF_readonly, 5, 0x1234};
    table_v1[first] = {GTF_permit_access, 5, 0x1234};
    CHECK_EQUAL(0, set_version(2));
    CHECK_EQUAL(GTF_permit_access | GTF_readonly, table[7].hdr.flags);
    CHECK_EQUAL(5, table[7].hdr.domid);
    CHECK_EQUAL(0x1234, table[7].full_page.frame);
    CHECK_EQUAL(0, table[first].hdr.flags);
    CHECK_EQUAL(0, set_version(2));
    table[7].hdr.flags = 0;
}

void map_status()
{
    uint64_t frames[1] = {};
    gnttab_get_status_frames_t request = {};
    request.nr_frames = 1;
    request.dom = DOMID_SELF;
    set_xen_guest_handle_raw(request.frame_list, frames);
    CHECK_EQUAL(0, grant_op(GNTTABOP_get_status_frames, request));
    CHECK_EQUAL(GNTST_okay, request.status);
    status_words = new_page_as<grant_status_t>();
    CHECK_EQUAL(0, map_machine_page(const_cast<grant_status_t*>(status_words), frames[0], true));
    request.nr_frames = 1000;
    CHECK_EQUAL(0, grant_op(GNTTABOP_get_status_frames, request));
    CHECK_EQUAL(GNTST_general_error, request.status);
}

void grant(unsigned reference, const void* page, uint16_t flags)
{
    table[reference].full_page.frame = mfn_of(page);
    table[reference].hdr.domid = own_domain;
    __atomic_store_n(&table[reference].hdr.flags, flags, __ATOMIC_RELEASE);
}

int16_t copy(unsigned reference, uint16_t offset, uint16_t bytes, const void* to)
{
    gnttab_copy_t request = {};
    request.source.u.ref = reference;
    request.source.domid = own_domain;
    request.source.offset = offset;
    request.dest.u.gmfn = mfn_of(to);
    request.dest.domid = DOMID_SELF;
    request.len = bytes;
    request.flags = GNTCOPY_source_gref;
    CHECK_EQUAL(0, grant_op(GNTTABOP_copy, request));
    return request.status;
}

gnttab_map_grant_ref_t map(unsigned reference, void* at, uint32_t flags)
{
    CHECK_EQUAL(0, update_mapping(at, 0));
    gnttab_map_grant_ref_t request = {};
    request.host_addr = as_argument(at);
    request.flags = flags;
    request.ref = reference;
    request.dom = own_domain;
    CHECK_EQUAL(0, grant_op(GNTTABOP_map_grant_ref, request));
    return request;
}

void find_own_domain(void* page, void* target)
{
    for (unsigned candidate = 0; candidate < 64; ++candidate) {
        own_domain = static_cast<uint16_t>(candidate);
        grant(first, page, GTF_permit_access);
        if (copy(first, 0, 8, target) == GNTST_okay)
            return;
    }
    fail("no domain id makes a grant to oneself work");
}

void mappings_mark_the_status(void* page)
{
    auto* at = new_page();
    const unsigned reference = first + 1;
    grant(reference, page, GTF_permit_access);
    for (const uint32_t readonly : {uint32_t{GNTMAP_readonly}, 0u}) {
        const gnttab_map_grant_ref_t mapped = map(reference, at, GNTMAP_host_map | readonly);
        CHECK_EQUAL(GNTST_okay, mapped.status);
        CHECK_EQUAL(readonly != 0 ? GTF_reading : GTF_reading | GTF_writing, status_words[reference]);
        CHECK_EQUAL(GTF_permit_access, table[reference].hdr.flags);
        CHECK_EQUAL(-EBUSY, set_version(1));
        gnttab_unmap_grant_ref_t unmap = {as_argument(at), 0, mapped.handle, 0};
        CHECK_EQUAL(0, grant_op(GNTTABOP_unmap_grant_ref, unmap));
        CHECK_EQUAL(GNTST_okay, unmap.status);
        CHECK_EQUAL(0, status_words[reference]);
    }
}

void parts_are_for_copies_only(void* page, void* target)
{
    const unsigned reference = first + 2;
    static_cast<char*>(page)[120] = 77;
    table[reference].sub_page.page_off = 100;
    table[reference].sub_page.length = 50;
    grant(reference, page, GTF_permit_access | GTF_sub_page);
    CHECK_EQUAL(GNTST_okay, copy(reference, 100, 50, target));
    CHECK_EQUAL(77, static_cast<char*>(target)[20]);
    CHECK(copy(reference, 99, 2, target) != GNTST_okay);
    CHECK(copy(reference, 149, 2, target) != GNTST_okay);
    CHECK(map(reference, new_page(), GNTMAP_host_map | GNTMAP_readonly).status != GNTST_okay);
    CHECK_EQUAL(0, status_words[reference]);
}

void frames_have_64_bits(void* target)
{
    const unsigned reference = first + 3;
    grant(reference, target, GTF_permit_access);
    table[reference].full_page.frame |= uint64_t{1} << 40;
    CHECK(copy(reference, 0, 8, target) != GNTST_okay);
    CHECK_EQUAL(0, status_words[reference]);
}

void the_way_back(void* target)
{
    table[6].full_page.frame = uint64_t{1} << 40;
    table[6].hdr.flags = GTF_permit_access;
    CHECK_EQUAL(-ERANGE, set_version(1));
    table[6].hdr.flags = 0;
    // Nobody may have the status frames mapped.
    CHECK_EQUAL(0, update_mapping(const_cast<grant_status_t*>(status_words), 0));
    CHECK_EQUAL(0, set_version(1));
    table_v1[first] = {GTF_permit_access, own_domain, static_cast<uint32_t>(mfn_of(target))};
    CHECK_EQUAL(GNTST_okay, copy(first, 0, 8, target));
}

}  // namespace

GUEST_TEST(grants_v2)
{
    install_traps();
    set_up_version_1();
    a_change_keeps_reserved_entries();
    map_status();
    void* const page = new_page();
    void* const target = new_page();
    find_own_domain(page, target);
    mappings_mark_the_status(page);
    parts_are_for_copies_only(page, target);
    frames_have_64_bits(target);
    the_way_back(target);
}
