// SPDX-License-Identifier: BSD-2-Clause
// What one partition may have, and that it cannot take what is another's.
#include "pvdrivers/store/accounts.hpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::store;

#define SAYS(expected, ...) STRCMP_EQUAL(expected, (__VA_ARGS__).c_str())

namespace {

// Writes new nodes until an error comes.
std::string fill(StoreBox& box, uint32_t client, std::string_view value, uint32_t& made)
{
    std::string error;
    for (made = 0; error.empty() && made < 20000; ++made)
        error = box.write(client, "data/n" + std::to_string(made), value);
    --made;
    return error;
}

}  // namespace

TEST_GROUP(Quotas)
{
    StoreBox box{3, StoreBox::default_bytes, "/open\0b0\0\0"s};
    void setup() override { box.start(); }
    void teardown() override { SAYS("", box.problem()); }
};

TEST(Quotas, of_nodes_is_enospc_and_for_that_partition_alone)
{
    uint32_t made = 0;
    SAYS("ENOSPC", fill(box, 0, "x", made));
    LONGS_EQUAL(default_quota().nodes, box.region->client(0).nodes);
    SAYS("ENOSPC", box.write(0, "/open/x", ""));
    SAYS("", box.write(1, "data/x", ""));
    // An existing one may still change, and what is removed can be made again.
    SAYS("", box.write(0, "data/n0", "changed"));
    SAYS("", box.ask(0, XS_RM, "data/n1\0"s).error());
    SAYS("", box.write(0, "data/n1", "x"));
    SAYS("ENOSPC", box.ask(0, XS_MKDIR, "data/more\0"s).error());
}

TEST(Quotas, a_removed_tree_is_paid_back)
{
    uint32_t made = 0;
    SAYS("ENOSPC", fill(box, 0, "x", made));
    SAYS("", box.ask(0, XS_RM, "data\0"s).error());
    LONGS_EQUAL(0, box.region->client(0).nodes);
    LONGS_EQUAL(0, box.region->client(0).cells);
}

TEST(Quotas, of_a_nodes_size_is_enospc)
{
    SAYS("", box.write(0, "data/x", std::string(2044, 'x')));
    SAYS("ENOSPC", box.write(0, "data/x", std::string(2045, 'x')));
    SAYS("ENOSPC", box.write(0, "data/y", std::string(2045, 'x')));
    SAYS("ENOSPC", box.set_permissions(0, "data/x", "n1,r2"));
    SAYS("", box.write(0, "data/x", std::string(2040, 'x')));
    SAYS("", box.set_permissions(0, "data/x", "n1,r2"));
}

TEST(Quotas, of_permissions_is_enospc)
{
    SAYS("", box.write(0, "data/x", ""));
    SAYS("", box.set_permissions(0, "data/x", "n1,r2,r3,r4,r5"));
    SAYS("ENOSPC", box.set_permissions(0, "data/x", "n1,r2,r3,r4,r5,r6"));
    SAYS("ENOSPC", box.set_permissions(0, "data/x", "n1,r2,r3,r4,r5,r6,r7,r8,r9,r10"));
    SAYS("n1 r2 r3 r4 r5 ", box.permissions(0, "data/x"));
}

TEST(Quotas, of_watches_is_e2big)
{
    for (uint32_t i = 0; i < default_quota().watches; ++i)
        SAYS("", box.watch(0, "data", std::to_string(i)));
    SAYS("E2BIG", box.watch(0, "data", "one more"));
    SAYS("", box.watch(1, "data", "another's"));
    SAYS("", box.ask(0, XS_UNWATCH, "data\0005\0"s).error());
    SAYS("", box.watch(0, "data", "one more"));
}

TEST(Quotas, of_all_cells_keeps_room_for_the_others)
{
    // Large nodes reach the share of memory before the number of nodes.
    uint32_t made = 0;
    SAYS("ENOSPC", fill(box, 0, std::string(2000, 'x'), made));
    CHECK(made < default_quota().nodes);
    const uint32_t free_count = box.region->header().free_count;
    SAYS("ENOSPC", fill(box, 1, std::string(2000, 'x'), made));
    SAYS("ENOSPC", fill(box, 2, std::string(2000, 'x'), made));
    CHECK(made > 100);
    CHECK(free_count > 0);
    // Watches and transactions are paid from the same account.
    std::string error;
    for (uint32_t i = 0; error.empty() && i < 100; ++i)
        error = box.watch(0, "data", std::string(2000, 't') + std::to_string(i));
    SAYS("E2BIG", error);
}

TEST(Quotas, events_that_wait_are_bounded_in_bytes_too)
{
    uint32_t made = 0;
    for (uint32_t i = 0; i < 60; ++i)
        SAYS("", box.watch(0, "/open", std::string(1500, 't') + std::to_string(i)));
    SAYS("ENOSPC", fill(box, 0, std::string(2000, 'x'), made));
    box.guests[0]->take_events();
    box.guests[0]->reads = false;
    for (uint32_t i = 0; i < 100; ++i)
        SAYS("", box.write(1, "/open/n" + std::to_string(i), ""));
    CHECK(box.region->client(0).cells <= box.region->client(0).quota.cells + record_cells(STORE_BUFFER_BYTES));
    box.guests[0]->reads = true;
    box.settle();
    // Every watch has told that there was something.
    LONGS_EQUAL(0, box.region->client(0).merged);
}

TEST_GROUP(Memory){};

// The bound that the project promises: 10,000 nodes and 1,000 watches in 2 MiB.
TEST(Memory, two_megabytes_hold_ten_thousand_nodes_and_a_thousand_watches)
{
    StoreBox box(10);
    for (ClientPlan& plan : box.plans)
        plan.quota.nodes = 1010;
    box.start();
    CHECK(box.entered);
    for (uint32_t client = 0; client < 10; ++client) {
        for (int i = 0; i < 1000; ++i)
            SAYS("", box.write(client, "data/device/vif/" + std::to_string(i), "00:16:3e:12:34:56"));
        for (int i = 0; i < 100; ++i)
            SAYS("", box.watch(client, "data/device/vif/" + std::to_string(i), "token-" + std::to_string(i)));
    }
    LONGS_EQUAL(1000, box.region->header().watch_count);
    uint32_t nodes = 0;
    for (const store_client& client : box.region->clients())
        nodes += client.nodes;
    CHECK(nodes >= 10000);
    SAYS("", box.problem());
    SAYS("00:16:3e:12:34:56", box.read(9, "data/device/vif/999"));
}

TEST(Memory, a_region_that_is_too_small_is_refused)
{
    StoreBox box(64, 256 << 10);
    box.start();
    CHECK_FALSE(box.entered);
}

TEST(Memory, sixty_four_clients_fit)
{
    StoreBox box(64);
    box.start();
    CHECK(box.entered);
    for (uint32_t client = 0; client < 64; ++client)
        SAYS("", box.write(client, "data/x", "1"));
    SAYS("", box.problem());
}
