// SPDX-License-Identifier: BSD-2-Clause
// Claim: a grant to oneself can be mapped, read, written and unmapped, and pages are copied by
// reference; what was not granted, or not so, is refused with the status that the ABI names.
#include "framework/memory.hpp"
#include "framework/traps.hpp"

#include <initializer_list>

extern "C" {
#include <xen/grant_table.h>
}

namespace {

grant_entry_v1_t* table;
uint16_t own_domain;
constexpr unsigned first = 16;          // entries below are the hypervisor's

template <class T>
long grant_op(unsigned command, T& request)
{
    return hypercall<__HYPERVISOR_grant_table_op>(command, as_argument(&request), 1);
}

void set_up()
{
    gnttab_query_size_t size = {};
    size.dom = DOMID_SELF;
    CHECK_EQUAL(0, grant_op(GNTTABOP_query_size, size));
    CHECK_EQUAL(GNTST_okay, size.status);
    CHECK(size.nr_frames >= 1);
    CHECK(size.max_nr_frames >= 4);
    xen_pfn_t frames[1] = {};
    gnttab_setup_table_t setup = {};
    setup.dom = DOMID_SELF;
    setup.nr_frames = 1;
    set_xen_guest_handle_raw(setup.frame_list, frames);
    CHECK_EQUAL(0, grant_op(GNTTABOP_setup_table, setup));
    CHECK_EQUAL(GNTST_okay, setup.status);
    table = new_page_as<grant_entry_v1_t>();
    CHECK_EQUAL(0, map_machine_page(table, frames[0], true));
    gnttab_get_version_t version = {};
    version.dom = DOMID_SELF;
    CHECK_EQUAL(0, grant_op(GNTTABOP_get_version, version));
    CHECK_EQUAL(1, version.version);
}

unsigned grant(unsigned reference, const void* page, uint16_t flags)
{
    table[reference].domid = own_domain;
    table[reference].frame = static_cast<uint32_t>(mfn_of(page));
    __atomic_store_n(&table[reference].flags, flags, __ATOMIC_RELEASE);
    return reference;
}
bool end_grant(unsigned reference)
{
    uint16_t flags = table[reference].flags;
    if ((flags & (GTF_reading | GTF_writing)) != 0)
        return false;
    return __atomic_compare_exchange_n(&table[reference].flags, &flags, uint16_t{0}, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

gnttab_map_grant_ref_t map(unsigned reference, void* at, uint32_t flags)
{
    // Mapping does not flush: what was there goes first.
    CHECK_EQUAL(0, update_mapping(at, 0));
    gnttab_map_grant_ref_t request = {};
    request.host_addr = as_argument(at);
    request.flags = flags;
    request.ref = reference;
    request.dom = own_domain;
    CHECK_EQUAL(0, grant_op(GNTTABOP_map_grant_ref, request));
    return request;
}
long unmap(void* at, uint32_t handle)
{
    gnttab_unmap_grant_ref_t request = {};
    request.host_addr = as_argument(at);
    request.handle = handle;
    CHECK_EQUAL(0, grant_op(GNTTABOP_unmap_grant_ref, request));
    return request.status;
}

// The id that a grant to itself needs: the one with which a mapping of a granted page succeeds.
void find_own_domain()
{
    auto* page = new_page();
    auto* at = new_page();
    for (unsigned candidate : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u, 0x7000u, 0x7001u}) {
        own_domain = static_cast<uint16_t>(candidate);
        const unsigned reference = grant(first, page, GTF_permit_access);
        const gnttab_map_grant_ref_t result = map(reference, at, GNTMAP_host_map);
        if (result.status == GNTST_okay) {
            CHECK_EQUAL(GNTST_okay, unmap(at, result.handle));
            CHECK(end_grant(reference));
            return;
        }
    }
    fail("no domain id makes a grant to oneself work");
}

void mapping()
{
    auto* page = new_page_as<volatile uint64_t>();
    auto* at = new_page_as<volatile uint64_t>();
    void* address = const_cast<uint64_t*>(at);
    *page = 0x1111;
    const unsigned reference = grant(first + 1, const_cast<uint64_t*>(page), GTF_permit_access);
    const gnttab_map_grant_ref_t mapped = map(reference, address, GNTMAP_host_map);
    CHECK_EQUAL(GNTST_okay, mapped.status);
    CHECK_EQUAL(0x1111, *at);
    *at = 0x2222;
    CHECK_EQUAL(0x2222, *page);
    CHECK(table[reference].flags & GTF_reading);
    CHECK(table[reference].flags & GTF_writing);
    CHECK(!end_grant(reference));
    CHECK_EQUAL(GNTST_okay, unmap(address, mapped.handle));
    CHECK_EQUAL(0, table[reference].flags & (GTF_reading | GTF_writing));
    CHECK(end_grant(reference));
    CHECK_TRAPS(14, 0, (void)*at);
    CHECK_EQUAL(GNTST_bad_handle, unmap(address, mapped.handle));
}

void read_only_grants()
{
    auto* page = new_page_as<volatile uint64_t>();
    auto* at = new_page_as<volatile uint64_t>();
    void* address = const_cast<uint64_t*>(at);
    const unsigned reference = grant(first + 2, const_cast<uint64_t*>(page), GTF_permit_access | GTF_readonly);
    CHECK(map(reference, address, GNTMAP_host_map).status < 0);
    const gnttab_map_grant_ref_t mapped = map(reference, address, GNTMAP_host_map | GNTMAP_readonly);
    CHECK_EQUAL(GNTST_okay, mapped.status);
    CHECK_NO_TRAP((void)*at);
    CHECK_TRAPS(14, 3, *at = 1);
    CHECK_EQUAL(GNTST_okay, unmap(address, mapped.handle));
    CHECK(end_grant(reference));
}

void what_was_not_granted()
{
    auto* at = new_page();
    CHECK(map(first + 9, at, GNTMAP_host_map).status < 0);
    CHECK(map(100000, at, GNTMAP_host_map).status < 0);
    CHECK_EQUAL(GNTST_bad_handle, unmap(at, 0xffff));
}

gnttab_copy_t copy_request(uint64_t source, bool source_is_grant, uint64_t target, bool target_is_grant, uint16_t length)
{
    gnttab_copy_t request = {};
    request.len = length;
    if (source_is_grant) {
        request.source.u.ref = static_cast<grant_ref_t>(source);
        request.source.domid = own_domain;
        request.flags |= GNTCOPY_source_gref;
    } else {
        request.source.u.gmfn = source;
        request.source.domid = DOMID_SELF;
    }
    if (target_is_grant) {
        request.dest.u.ref = static_cast<grant_ref_t>(target);
        request.dest.domid = own_domain;
        request.flags |= GNTCOPY_dest_gref;
    } else {
        request.dest.u.gmfn = target;
        request.dest.domid = DOMID_SELF;
    }
    return request;
}

void copying()
{
    auto* from = new_page_as<uint64_t>();
    auto* to = new_page_as<uint64_t>();
    for (unsigned i = 0; i < 512; ++i)
        from[i] = i + 1;
    const unsigned source = grant(first + 3, from, GTF_permit_access | GTF_readonly);
    const unsigned target = grant(first + 4, to, GTF_permit_access);
    gnttab_copy_t request = copy_request(source, true, mfn_of(to), false, 4096);
    CHECK_EQUAL(0, grant_op(GNTTABOP_copy, request));
    CHECK_EQUAL(GNTST_okay, request.status);
    CHECK_EQUAL(512, to[511]);
    request = copy_request(mfn_of(from), false, target, true, 16);
    request.source.offset = 8;
    request.dest.offset = 4080;
    CHECK_EQUAL(0, grant_op(GNTTABOP_copy, request));
    CHECK_EQUAL(GNTST_okay, request.status);
    CHECK_EQUAL(3, to[511]);
    // Into a read-only grant, and across the end of the page.
    request = copy_request(mfn_of(to), false, source, true, 8);
    CHECK_EQUAL(0, grant_op(GNTTABOP_copy, request));
    CHECK(request.status < 0);
    request = copy_request(source, true, mfn_of(to), false, 16);
    request.source.offset = 4088;
    CHECK_EQUAL(0, grant_op(GNTTABOP_copy, request));
    CHECK(request.status < 0);
    CHECK(end_grant(source));
    CHECK(end_grant(target));
}

}  // namespace

GUEST_TEST(grants)
{
    install_traps();
    set_up();
    find_own_domain();
    mapping();
    read_only_grants();
    what_was_not_granted();
    copying();
}
