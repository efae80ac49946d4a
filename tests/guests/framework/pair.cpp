// SPDX-License-Identifier: BSD-2-Clause
// See pair.hpp.
#include "framework/pair.hpp"

#include "framework/events.hpp"

Pair pair;
grant_entry_v1_t* grant_table;

namespace {

constexpr unsigned meeting_reference = 31;
constexpr uint64_t patience_ns = 60'000'000'000;

template <class T>
long grant_op(unsigned command, T& request)
{
    return hypercall<__HYPERVISOR_grant_table_op>(command, as_argument(&request), 1);
}

// What follows `name=` on the command line; null without it.
const char* parameter(const char* name)
{
    const auto* line = reinterpret_cast<const char*>(start_info->cmd_line);
    for (const char* at = line; *at != '\0'; ++at) {
        const char* expected = name;
        const char* seen = at;
        while (*expected != '\0' && *expected == *seen) {
            ++expected;
            ++seen;
        }
        if (*expected == '\0' && *seen == '=' && (at == line || at[-1] == ' '))
            return seen + 1;
    }
    return nullptr;
}

void read_roles()
{
    const char* role = parameter("role");
    const char* peer = parameter("peer");
    if (role == nullptr || peer == nullptr)
        fail("the command line says no role= and peer=");
    pair.first = *role == 'f';
    for (; *peer >= '0' && *peer <= '9'; ++peer)
        pair.peer = static_cast<uint16_t>(pair.peer * 10 + (*peer - '0'));
}

void set_up_grants()
{
    xen_pfn_t frames[1] = {};
    gnttab_setup_table_t setup = {};
    setup.dom = DOMID_SELF;
    setup.nr_frames = 1;
    set_xen_guest_handle_raw(setup.frame_list, frames);
    CHECK_EQUAL(0, grant_op(GNTTABOP_setup_table, setup));
    CHECK_EQUAL(GNTST_okay, setup.status);
    grant_table = new_page_as<grant_entry_v1_t>();
    CHECK_EQUAL(0, map_machine_page(grant_table, frames[0], true));
}

template <class Condition>
void wait_for_peer(Condition condition, const char* what)
{
    const uint64_t end = system_time() + patience_ns;
    while (!condition()) {
        if (system_time() > end)
            fail("the other partition did not come in a minute: %s", what);
        hypercall<__HYPERVISOR_sched_op>(SCHEDOP_yield, 0);
    }
}

}  // namespace

unsigned grant_to(uint16_t domain, unsigned reference, const void* page, unsigned flags)
{
    grant_table[reference].domid = domain;
    grant_table[reference].frame = static_cast<uint32_t>(mfn_of(page));
    __atomic_store_n(&grant_table[reference].flags, static_cast<uint16_t>(flags), __ATOMIC_RELEASE);
    return reference;
}

bool end_grant(unsigned reference)
{
    uint16_t flags = grant_table[reference].flags;
    return (flags & (GTF_reading | GTF_writing)) == 0
        && __atomic_compare_exchange_n(&grant_table[reference].flags, &flags, uint16_t{0}, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

gnttab_map_grant_ref_t map_grant(uint16_t domain, unsigned reference, void* at, unsigned flags)
{
    gnttab_map_grant_ref_t request = {};
    request.host_addr = as_argument(at);
    request.flags = flags;
    request.ref = reference;
    request.dom = domain;
    CHECK_EQUAL(0, grant_op(GNTTABOP_map_grant_ref, request));
    return request;
}

long unmap_grant(void* at, uint32_t handle)
{
    gnttab_unmap_grant_ref_t request = {};
    request.host_addr = as_argument(at);
    request.handle = handle;
    CHECK_EQUAL(0, grant_op(GNTTABOP_unmap_grant_ref, request));
    return request.status;
}

void meet()
{
    read_roles();
    set_up_grants();
    void* page = new_page();
    pair.page = static_cast<MeetingPage*>(page);
    if (pair.first) {
        grant_to(pair.peer, meeting_reference, page);
    } else {
        CHECK_EQUAL(0, update_mapping(page, 0));
        wait_for_peer([&] { return map_grant(pair.peer, meeting_reference, page, GNTMAP_host_map).status == GNTST_okay; },
                      "no page to meet in");
    }
    step(1);
}

void step(uint32_t number)
{
    pair.page->step[pair.first ? 0 : 1] = number;
    wait_for_peer([&] { return pair.page->step[pair.first ? 1 : 0] >= number; }, "a step");
}
