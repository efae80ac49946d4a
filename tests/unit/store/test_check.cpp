// SPDX-License-Identifier: BSD-2-Clause
// The check of a region: whatever is damaged is found or harmless, and is never followed outside.
#include "pvdrivers/store/check.hpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

#include <random>

#include <CppUTest/TestHarness.h>

using namespace bulkhead::store;

#define SAYS(expected, ...) STRCMP_EQUAL(expected, (__VA_ARGS__).c_str())

TEST_GROUP(Check)
{
    StoreBox box{2, 256 << 10};
    void setup() override
    {
        box.start();
        SAYS("", box.write(0, "data/a/b", "value"));
        SAYS("", box.write(0, "data/c", std::string(150, 'x')));
        SAYS("", box.watch(0, "data", "token"));
        const uint32_t id = box.begin(0);
        SAYS("", box.write(0, "data/d", "in transaction", id));
        box.guests[0]->reads = false;
        for (int i = 0; i < 3; ++i)
            SAYS("", box.write(1, "data/x" + std::to_string(i), std::string(300, 'y')));
        SAYS("", box.problem());
    }
    // A life of the store over the damage; it makes the region anew.
    void made_anew(const std::string& why)
    {
        box.reports.clear();
        for (const auto& guest : box.guests)
            guest->reads = true;
        box.start();
        CHECK(box.entered);
        LONGS_EQUAL(1, box.reports.size());
        SAYS(("the region is made anew from the plan: "s + why).c_str(), box.reports[0]);
        SAYS("", box.problem());
        SAYS("guest2", box.read(1, "name"));
        SAYS("ENOENT", box.read(1, "data/x0"));
    }
    store_client& client() { return box.region->client(0); }
    store_record& node(const char* path) { return box.region->record(find_exact(*box.region, path)); }
};

TEST(Check, finds_a_torn_list_of_free_cells)
{
    box.region->text(box.region->header().free_head).next = 0;
    made_anew("a reference names no cell");
}

TEST(Check, finds_a_loop)
{
    const Reference free_head = box.region->header().free_head;
    box.region->text(free_head).next = free_head;
    made_anew("a cell is in two places");
}

TEST(Check, finds_a_reference_outside)
{
    node("/local/domain/1/data").node.child = 0x7fffffff;
    made_anew("a reference names no cell");
}

TEST(Check, finds_a_wrong_parent)
{
    node("/local/domain/1/data/c").node.parent = 1;
    made_anew("a node names another parent");
}

TEST(Check, finds_a_changed_name)
{
    store_record& record = node("/local/domain/1/data/c");
    box.region->text(record.text).bytes[4] = 'z';
    made_anew("a node's hash is wrong");
}

TEST(Check, finds_a_wrong_account)
{
    ++client().nodes;
    made_anew("a client's account is wrong");
}

TEST(Check, finds_a_lost_node)
{
    store_record& record = node("/local/domain/1/data/c");
    box.region->node_bucket(record.hash) = record.hash_next;
    made_anew("a node is in no bucket");
}

TEST(Check, finds_a_half_received_request_that_cannot_be)
{
    client().request_bytes = 5000;
    made_anew("a request is longer than it can be");
}

TEST(Check, finds_wrong_counts)
{
    ++client().watch_count;
    made_anew("a client's count of watches is wrong");
}

TEST(Check, finds_a_log_that_names_no_data)
{
    store_region& header = box.region->header();
    reinterpret_cast<store_undo*>(box.memory() + header.log)[0] = {8, 0};
    header.log_used = 1;
    made_anew("its undo log names what is no data");
}

TEST(Check, finds_another_plan)
{
    box.plans[1].domain = 9;
    box.reports.clear();
    box.start();
    SAYS("the region is made anew from the plan: it belongs to another plan or was never finished", box.reports[0]);
}

TEST(Check, finds_another_version_and_a_log_too_long)
{
    box.region->header().version = 2;
    made_anew("it is of another size or version");
    box.region->header().log_used = 1 << 30;
    made_anew("its undo log is longer than it can be");
    box.region->header().cells += 64;
    made_anew("its tables are not where they belong");
}

// Any word at all, also several: never a crash, never an access outside (ASan), and always a store
// that works afterwards.
TEST(Check, survives_random_damage)
{
    std::mt19937 generator(1);
    const auto random = [&] { return static_cast<uint32_t>(generator()); };
    const std::vector<uint8_t> before(box.memory(), box.memory() + (256 << 10));
    uint32_t found = 0;
    for (int round = 0; round < 3000; ++round) {
        std::memcpy(box.memory(), before.data(), before.size());
        const uint32_t words = 1 + random() % 3;
        for (uint32_t i = 0; i < words; ++i) {
            // Half of them where the records are.
            const uint32_t used = box.region->header().cells + 64 * 200;
            const uint32_t offset = random() % (round % 2 == 0 ? used : static_cast<uint32_t>(before.size())) & ~3U;
            uint32_t value = random() % 3 == 0 ? random() : random() % 300;
            if (random() % 4 == 0)
                std::memcpy(&value, box.memory() + (random() % before.size() & ~3U), 4);
            std::memcpy(box.memory() + offset, &value, 4);
        }
        Region region(box.memory(), before.size());
        if (region.attach() != nullptr || check(region) != nullptr)
            ++found;
    }
    CHECK(found > 200);
}
