// SPDX-License-Identifier: BSD-2-Clause
// Claim: multicall runs its entries in order, stores each one's result, and does not stop at one
// that fails; long lists are continued unseen by the guest.
#include "framework/memory.hpp"
#include "framework/traps.hpp"

extern "C" {
#include <xen/version.h>
}

namespace {

constexpr unsigned many = 2000;
multicall_entry_t entries[many];

long multicall(unsigned count) { return hypercall<__HYPERVISOR_multicall>(as_argument(entries), count); }

void results_are_stored()
{
    entries[0] = {__HYPERVISOR_xen_version, 0, {XENVER_version}};
    entries[1] = {63, 1, {}};                                        // no such hypercall
    entries[2] = {__HYPERVISOR_xen_version, 0, {99}};
    entries[3] = {__HYPERVISOR_xen_version, 0, {XENVER_version}};
    CHECK_EQUAL(0, multicall(4));
    CHECK_EQUAL(4 << 16 | 17, entries[0].result);
    CHECK_EQUAL(-38, entries[1].result);
    CHECK_EQUAL(-38, entries[2].result);
    CHECK_EQUAL(4 << 16 | 17, entries[3].result);
    CHECK_EQUAL(0, multicall(0));
}

void long_lists_are_finished()
{
    for (unsigned i = 0; i < many; ++i)
        entries[i] = {__HYPERVISOR_xen_version, 77, {XENVER_version}};
    CHECK_EQUAL(0, multicall(many));
    for (unsigned i = 0; i < many; ++i)
        CHECK_EQUAL(4 << 16 | 17, entries[i].result);
}

void entries_change_page_tables()
{
    auto* page = new_page_as<volatile uint64_t>();
    void* at = const_cast<uint64_t*>(page);
    const uint64_t frame = mfn_of(at) << 12;
    for (unsigned i = 0; i < 64; ++i)
        entries[i] = {__HYPERVISOR_update_va_mapping, 1, {as_argument(at), i % 2 == 0 ? 0 : frame | pte_page, UVMF_INVLPG}};
    CHECK_EQUAL(0, multicall(64));
    for (unsigned i = 0; i < 64; ++i)
        CHECK_EQUAL(0, entries[i].result);
    *page = 1;
}

void a_list_that_is_not_there_is_refused()
{
    CHECK_EQUAL(-14, hypercall<__HYPERVISOR_multicall>(0x1000, 4));
    CHECK_EQUAL(-14, hypercall<__HYPERVISOR_multicall>(0xffff830000000000, 4));
}

}  // namespace

GUEST_TEST(multicall)
{
    install_traps();
    results_are_stored();
    long_lists_are_finished();
    entries_change_page_tables();
    a_list_that_is_not_there_is_refused();
}
