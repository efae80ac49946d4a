// SPDX-License-Identifier: BSD-2-Clause
// Grants given and used, against a grant table in the test's own memory.
#include "pvdrivers/runtime/grant_map.cpp"
#include "pvdrivers/runtime/grants.cpp"

#include <CppUTest/TestHarness.h>

#include <cstring>
#include <map>
#include <set>
#include <vector>

namespace bulkhead {

const HardwareGuest* hardware_guest;

namespace {

alignas(4096) std::byte table[most_frames * 4096];
uint32_t frames_allowed;
uint64_t window_next;
std::map<uint64_t, size_t> window_taken;
std::map<uint32_t, uint64_t> mapped;            // handle -> address
std::set<uint32_t> refused;
uint32_t next_handle;

grant_entry_v1_t& raw_entry(GrantRef ref)
{
    return reinterpret_cast<grant_entry_v1_t*>(table)[static_cast<uint32_t>(ref)];
}

long grant_table_operation(uint64_t command, uint64_t argument, uint64_t count)
{
    switch (command) {
    case GNTTABOP_setup_table: {
        auto* setup = reinterpret_cast<gnttab_setup_table_t*>(argument);
        setup->status = setup->nr_frames <= frames_allowed ? GNTST_okay : GNTST_general_error;
        for (uint32_t i = 0; i < setup->nr_frames; ++i)
            setup->frame_list.p[i] = 100 + i;
        return 0;
    }
    case GNTTABOP_map_grant_ref:
        for (uint64_t i = 0; i < count; ++i) {
            auto& map = reinterpret_cast<gnttab_map_grant_ref_t*>(argument)[i];
            map.status = refused.contains(map.ref) ? GNTST_bad_gntref : GNTST_okay;
            if (map.status == GNTST_okay) {
                map.handle = next_handle++;
                mapped[map.handle] = map.host_addr;
            }
        }
        return 0;
    case GNTTABOP_unmap_grant_ref:
        for (uint64_t i = 0; i < count; ++i) {
            const auto& unmap = reinterpret_cast<gnttab_unmap_grant_ref_t*>(argument)[i];
            CHECK(mapped.contains(unmap.handle) && mapped[unmap.handle] == unmap.host_addr);
            mapped.erase(unmap.handle);
        }
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

}  // namespace

uint64_t take_window(size_t pages)
{
    const uint64_t at = window_next;
    window_next += pages * page_bytes;
    window_taken[at] = pages;
    return at;
}

void give_window_back(uint64_t address, size_t pages)
{
    CHECK_EQUAL(window_taken.at(address), pages);
    window_taken.erase(address);
}

void* map_frame(Mfn frame, Rights rights, long&)
{
    CHECK(rights == Rights::write);
    return table + (raw(frame) - 100) * 4096;
}

uint64_t machine_frame(const void* address) { return reinterpret_cast<uint64_t>(address) >> 12; }

namespace {

const auto* const page = reinterpret_cast<const void*>(0x7000);

TEST_GROUP(runtime_grants)
{
    void setup() override
    {
        memset(table, 0, sizeof(table));
        frame_count = 0;
        first_free = none;
        frames_allowed = 2;
        window_next = 0x40'0000'0000;
        window_taken.clear();
        mapped.clear();
        refused.clear();
        next_handle = 1;
        fake::hypervisor = [](unsigned, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t) {
            return grant_table_operation(a1, a2, a3);
        };
    }
};

TEST(runtime_grants, an_entry_says_who_may_do_what)
{
    const GrantRef writable = *grant(Domain{3}, page, Access::writable);
    const GrantRef readable = *grant(Domain{4}, page, Access::read_only);
    CHECK_EQUAL(GTF_permit_access, raw_entry(writable).flags);
    CHECK_EQUAL(3, raw_entry(writable).domid);
    CHECK_EQUAL(7u, raw_entry(writable).frame);
    CHECK_EQUAL(GTF_permit_access | GTF_readonly, raw_entry(readable).flags);
}

TEST(runtime_grants, the_reserved_entries_are_never_given)
{
    for (unsigned i = 0; i < 100; ++i)
        CHECK(static_cast<uint32_t>(*grant(Domain{1}, page, Access::writable)) >= GNTTAB_NR_RESERVED_ENTRIES);
    CHECK(revoke(GrantRef{0}).error() == XEN_EINVAL);
    CHECK(revoke(GrantRef{1}).error() == XEN_EINVAL);
}

TEST(runtime_grants, the_table_grows_until_the_hypervisor_says_no)
{
    std::set<uint32_t> refs;
    for (;;) {
        const auto ref = grant(Domain{1}, page, Access::writable);
        if (!ref) {
            CHECK(ref.error() == XEN_ENOSPC);
            break;
        }
        CHECK(refs.insert(static_cast<uint32_t>(*ref)).second);
    }
    CHECK_EQUAL(2 * entries_in_frame - GNTTAB_NR_RESERVED_ENTRIES, refs.size());
    CHECK(revoke(GrantRef{600}).has_value());
    CHECK_EQUAL(600u, static_cast<uint32_t>(*grant(Domain{1}, page, Access::writable)));
}

TEST(runtime_grants, what_is_in_use_is_not_revoked)
{
    const GrantRef ref = *grant(Domain{3}, page, Access::writable);
    raw_entry(ref).flags |= GTF_reading;
    CHECK(revoke(ref).error() == XEN_EBUSY);
    raw_entry(ref).flags &= static_cast<uint16_t>(~GTF_reading);
    CHECK(revoke(ref).has_value());
    CHECK_EQUAL(0, raw_entry(ref).flags);
    CHECK(revoke(ref).error() == XEN_EINVAL);
}

TEST(runtime_grants, a_reference_beyond_the_table_is_refused)
{
    (void)grant(Domain{3}, page, Access::writable);
    CHECK(revoke(GrantRef{100'000}).error() == XEN_EINVAL);
}

TEST(runtime_grants, mappings_lie_in_a_row_and_end_with_their_object)
{
    std::vector<GrantRef> refs;
    for (uint32_t i = 0; i < 40; ++i)
        refs.push_back(GrantRef{50 + i});
    {
        auto mapping = map_grants(Domain{2}, refs, Access::writable);
        CHECK(mapping.has_value());
        CHECK_EQUAL(40 * page_bytes, mapping->size());
        CHECK_EQUAL(40u, mapped.size());
        const GrantMapping other = std::move(*mapping);
        CHECK_FALSE(static_cast<bool>(*mapping));
        CHECK_EQUAL(40u, mapped.size());
    }
    CHECK(mapped.empty());
    CHECK(window_taken.empty());
}

TEST(runtime_grants, a_single_page_is_mapped_until_its_object_ends)
{
    {
        auto single = map_grant_page(Domain{2}, GrantRef{50}, Access::writable);
        CHECK(single.has_value());
        CHECK_EQUAL(1u, mapped.size());
        GrantPage other = std::move(*single);
        CHECK_FALSE(static_cast<bool>(*single));
        CHECK(reinterpret_cast<uint64_t>(other.data()) == mapped.begin()->second);
        other.unmap();
        CHECK(mapped.empty());
        CHECK_FALSE(static_cast<bool>(other));
        other.unmap();
        other = std::move(*map_grant_page(Domain{2}, GrantRef{51}, Access::read_only));
        CHECK_EQUAL(1u, mapped.size());
    }
    CHECK(mapped.empty());
    refused = {50};
    const auto single = map_grant_page(Domain{2}, GrantRef{50}, Access::writable);
    CHECK_FALSE(single.has_value());
    CHECK(single.error() == XEN_ENOENT);
    CHECK(window_taken.empty());
}

TEST(runtime_grants, a_hardware_guest_cannot_map_and_is_told)
{
    const HardwareGuest operations{};
    hardware_guest = &operations;
    const GrantRef ref{50};
    const auto mapping = map_grants(Domain{2}, {&ref, 1}, Access::writable);
    const auto single = map_grant_page(Domain{2}, ref, Access::writable);
    hardware_guest = nullptr;
    CHECK_FALSE(single.has_value());
    CHECK(single.error() == XEN_ENOSYS);
    CHECK_FALSE(mapping.has_value());
    CHECK(mapping.error() == XEN_ENOSYS);
    CHECK(window_taken.empty());
}

TEST(runtime_grants, all_are_mapped_or_none)
{
    std::vector<GrantRef> refs;
    for (uint32_t i = 0; i < 40; ++i)
        refs.push_back(GrantRef{50 + i});
    for (const uint32_t bad : {50u, 60u, 65u, 66u, 89u}) {
        refused = {bad};
        const auto mapping = map_grants(Domain{2}, refs, Access::read_only);
        CHECK_FALSE(mapping.has_value());
        CHECK(mapping.error() == XEN_ENOENT);
        CHECK(mapped.empty());
        CHECK(window_taken.empty());
    }
}

}  // namespace

}  // namespace bulkhead
