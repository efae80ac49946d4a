// SPDX-License-Identifier: BSD-2-Clause
// Transactions: what they see, what others see, and when they must be begun anew.
#include "pvdrivers/store/transactions.hpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::store;

#define SAYS(expected, ...) STRCMP_EQUAL(expected, (__VA_ARGS__).c_str())

TEST_GROUP(Transactions)
{
    StoreBox box{3, StoreBox::default_bytes, "/open\0b0\0\0"s};
    uint32_t id = 0;
    void setup() override
    {
        box.start();
        SAYS("", box.write(0, "data/a", "1"));
        SAYS("", box.write(0, "data/dir/x", "2"));
        SAYS("", box.write(0, "data/dir/y", "3"));
        id = box.begin(0);
        CHECK(id != 0);
    }
    void teardown() override { SAYS("", box.problem()); }
    std::string rm(const std::string& path, uint32_t transaction) { return box.ask(0, XS_RM, path + "\0"s, transaction).error(); }
};

TEST(Transactions, show_their_changes_to_themselves_only_until_the_end)
{
    SAYS("", box.write(0, "data/a", "new", id));
    SAYS("", box.write(0, "data/b/c", "deep", id));
    SAYS("new", box.read(0, "data/a", id));
    SAYS("deep", box.read(0, "data/b/c", id));
    SAYS("", box.read(0, "data/b", id));
    SAYS("a dir b ", box.list(0, "data", id));
    SAYS("c ", box.list(0, "data/b", id));
    SAYS("1", box.read(0, "data/a"));
    SAYS("ENOENT", box.read(0, "data/b/c"));
    SAYS("a dir ", box.list(0, "data"));
    SAYS("", box.end(0, id));
    SAYS("new", box.read(0, "data/a"));
    SAYS("deep", box.read(0, "data/b/c"));
    SAYS("a dir b ", box.list(0, "data"));
}

TEST(Transactions, leave_nothing_when_they_are_given_up)
{
    const uint32_t free_before = box.region->header().free_count;
    SAYS("", box.write(0, "data/a", "new", id));
    SAYS("", box.write(0, "data/b/c", "deep", id));
    SAYS("", rm("data/dir", id));
    SAYS("", box.end(0, id, false));
    SAYS("1", box.read(0, "data/a"));
    SAYS("2", box.read(0, "data/dir/x"));
    LONGS_EQUAL(free_before + 1, box.region->header().free_count);
    SAYS("ENOENT", box.end(0, id));
}

TEST(Transactions, remove_subtrees)
{
    SAYS("", rm("data/dir", id));
    SAYS("ENOENT", box.read(0, "data/dir", id));
    SAYS("ENOENT", box.read(0, "data/dir/x", id));
    SAYS("a ", box.list(0, "data", id));
    SAYS("2", box.read(0, "data/dir/x"));
    SAYS("", rm("data/dir", id));
    SAYS("ENOENT", rm("data/dir/x/y", id));
    SAYS("", box.end(0, id));
    SAYS("a ", box.list(0, "data"));
}

TEST(Transactions, make_anew_what_they_removed)
{
    SAYS("", rm("data/dir", id));
    SAYS("", box.write(0, "data/dir/z", "4", id));
    SAYS("z ", box.list(0, "data/dir", id));
    SAYS("a dir ", box.list(0, "data", id));
    SAYS("ENOENT", box.read(0, "data/dir/x", id));
    SAYS("", box.end(0, id));
    SAYS("z ", box.list(0, "data/dir"));
    SAYS("4", box.read(0, "data/dir/z"));
}

TEST(Transactions, remove_what_they_made)
{
    SAYS("", box.write(0, "data/new/one", "1", id));
    SAYS("", box.write(0, "data/new/two", "2", id));
    SAYS("", rm("data/new/one", id));
    SAYS("two ", box.list(0, "data/new", id));
    SAYS("", rm("data/new", id));
    SAYS("a dir ", box.list(0, "data", id));
    SAYS("", box.write(0, "data/new/three", "3", id));
    SAYS("three ", box.list(0, "data/new", id));
    SAYS("", box.end(0, id));
    SAYS("three ", box.list(0, "data/new"));
}

TEST(Transactions, carry_a_parent_out_before_its_children_whatever_the_order_of_looking)
{
    SAYS("ENOENT", box.read(0, "data/p/q/r", id));
    SAYS("ENOENT", box.read(0, "data/p/q", id));
    SAYS("", box.write(0, "data/p/q/r", "x", id));
    SAYS("", box.write(0, "data/p", "top", id));
    SAYS("", box.end(0, id));
    SAYS("x", box.read(0, "data/p/q/r"));
    SAYS("top", box.read(0, "data/p"));
}

TEST(Transactions, conflict_when_something_read_was_written)
{
    SAYS("1", box.read(0, "data/a", id));
    SAYS("", box.write(0, "data/z", "other", id));
    SAYS("", box.write(0, "data/a", "elsewhere"));
    SAYS("EAGAIN", box.end(0, id));
    SAYS("ENOENT", box.read(0, "data/z"));
    SAYS("ENOENT", box.end(0, id));
}

TEST(Transactions, conflict_when_something_missing_was_made)
{
    SAYS("ENOENT", box.read(0, "data/later", id));
    SAYS("", box.write(0, "data/later", "now"));
    SAYS("EAGAIN", box.end(0, id));
}

TEST(Transactions, conflict_when_something_read_was_removed_and_made_again)
{
    SAYS("1", box.read(0, "data/a", id));
    SAYS("", box.ask(0, XS_RM, "data/a\0"s).error());
    SAYS("", box.write(0, "data/a", "1"));
    SAYS("EAGAIN", box.end(0, id));
}

TEST(Transactions, conflict_when_a_list_that_was_read_changed)
{
    SAYS("x y ", box.list(0, "data/dir", id));
    SAYS("", box.write(0, "data/dir/z", ""));
    SAYS("EAGAIN", box.end(0, id));
}

TEST(Transactions, conflict_when_something_below_a_removed_node_changed)
{
    SAYS("", rm("data/dir", id));
    SAYS("", box.write(0, "data/dir/x", "changed"));
    SAYS("EAGAIN", box.end(0, id));
    SAYS("changed", box.read(0, "data/dir/x"));
}

TEST(Transactions, conflict_with_each_other_the_first_wins)
{
    const uint32_t second = box.begin(0);
    CHECK(second != id);
    SAYS("1", box.read(0, "data/a", id));
    SAYS("1", box.read(0, "data/a", second));
    SAYS("", box.write(0, "data/a", "first", id));
    SAYS("", box.write(0, "data/a", "second", second));
    SAYS("", box.end(0, id));
    SAYS("EAGAIN", box.end(0, second));
    SAYS("first", box.read(0, "data/a"));
}

TEST(Transactions, conflict_across_clients)
{
    SAYS("", box.write(0, "/open/n", "1"));
    SAYS("1", box.read(0, "/open/n", id));
    SAYS("", box.write(0, "data/a", "x", id));
    SAYS("", box.set_permissions(0, "/open/n", "b1"));
    SAYS("EAGAIN", box.end(0, id));
}

TEST(Transactions, do_not_conflict_with_changes_elsewhere)
{
    SAYS("1", box.read(0, "data/a", id));
    SAYS("", box.write(0, "data/dir/x", "changed"));
    SAYS("", box.write(1, "data/a", "x"));
    SAYS("", box.write(0, "data/a", "new", id));
    SAYS("", box.end(0, id));
}

TEST(Transactions, set_permissions_at_their_end)
{
    SAYS("", box.set_permissions(0, "data/a", "n1,r2", id));
    SAYS("n1 r2 ", box.permissions(0, "data/a", id));
    SAYS("EACCES", box.read(1, "/local/domain/1/data/a"));
    SAYS("", box.end(0, id));
    SAYS("1", box.read(1, "/local/domain/1/data/a"));
}

TEST(Transactions, fire_watches_at_their_end_only)
{
    SAYS("", box.watch(0, "data", "t"));
    box.guests[0]->take_events();
    SAYS("", box.write(0, "data/a", "x", id));
    SAYS("", rm("data/dir", id));
    LONGS_EQUAL(0, box.guests[0]->take_events().size());
    SAYS("", box.end(0, id));
    const std::vector<Event> events = box.guests[0]->take_events();
    LONGS_EQUAL(2, events.size());
    SAYS("data/a", events[0].path);
    SAYS("data/dir", events[1].path);
}

TEST(Transactions, are_known_to_their_client_by_their_id_only)
{
    SAYS("ENOENT", box.read(0, "data/a", 12345));
    SAYS("ENOENT", box.read(1, "data", id));
    SAYS("ENOENT", box.end(0, 0));
    SAYS("EBUSY", box.ask(0, XS_TRANSACTION_START, "\0"s, id).error());
    // A watch does not care.
    SAYS("", box.ask(0, XS_WATCH, "data\0t\0"s, 12345).error());
    SAYS("EINVAL", box.ask(0, XS_TRANSACTION_END, "maybe\0"s, id).error());
    SAYS("", box.end(0, id));
}

TEST(Transactions, can_be_many)
{
    std::vector<uint32_t> ids;
    for (uint32_t i = 1; i < default_quota().transactions; ++i)
        ids.push_back(box.begin(0));
    SAYS("ENOSPC", box.ask(0, XS_TRANSACTION_START, "\0"s).error());
    for (const uint32_t other : ids)
        SAYS("", box.end(0, other));
    SAYS("", box.write(0, "data/a", "still here", id));
    SAYS("", box.end(0, id));
}

TEST(Transactions, have_a_quota_of_nodes)
{
    std::string error;
    uint32_t made = 0;
    for (; error.empty() && made < 1000; ++made)
        error = box.write(0, "data/n" + std::to_string(made), "x", id);
    SAYS("ENOSPC", error);
    CHECK(made > 200);
    SAYS("", box.end(0, id));
    SAYS("x", box.read(0, "data/n" + std::to_string(made - 2)));
}

TEST(Transactions, the_largest_one_fits_the_log)
{
    for (uint32_t i = 0; i < 250; ++i)
        SAYS("", box.write(0, "data/n" + std::to_string(i), std::string(100, 'x'), id));
    SAYS("", box.end(0, id));
    const uint32_t second = box.begin(0);
    for (uint32_t i = 0; i < 250; ++i)
        SAYS("", rm("data/n" + std::to_string(i), second));
    SAYS("", box.end(0, second));
    SAYS("a dir ", box.list(0, "data"));
}

TEST(Transactions, list_in_parts_with_a_generation_that_follows_their_changes)
{
    const std::string before = box.ask(0, XS_DIRECTORY_PART, "data/dir\0000\0"s, id).text;
    SAYS("", box.write(0, "data/dir/z", "", id));
    const std::string after = box.ask(0, XS_DIRECTORY_PART, "data/dir\0000\0"s, id).text;
    CHECK(std::string(before.c_str()) != std::string(after.c_str()));
    CHECK(after.ends_with("x\0y\0z\0\0"s));
}
