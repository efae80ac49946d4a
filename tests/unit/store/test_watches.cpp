// SPDX-License-Identifier: BSD-2-Clause
// Watches and their events.
#include "pvdrivers/store/watches.hpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::store;

#define SAYS(expected, ...) STRCMP_EQUAL(expected, (__VA_ARGS__).c_str())

namespace {

std::string shown(const std::vector<Event>& events)
{
    std::string text;
    for (const Event& event : events)
        text += event.path + "|" + event.token + " ";
    return text;
}

}  // namespace

TEST_GROUP(Watches)
{
    StoreBox box{3, StoreBox::default_bytes, "/open\0b0\0\0"s "@introduceDomain\0n0,r1\0\0"s "@releaseDomain\0n0,r1\0\0"s};
    void setup() override { box.start(); }
    void teardown() override { SAYS("", box.problem()); }
    std::string events(uint32_t client) { return shown(box.guests[client]->take_events()); }
};

TEST(Watches, fire_once_when_they_are_set)
{
    SAYS("", box.watch(0, "data", "token"));
    SAYS("data|token ", events(0));
    SAYS("", box.watch(0, "/no/such/node", "t"));
    SAYS("/no/such/node|t ", events(0));
}

TEST(Watches, tell_of_changes_at_and_below_their_path)
{
    SAYS("", box.watch(0, "data/dir", "t"));
    events(0);
    SAYS("", box.write(0, "data/dir", "1"));
    SAYS("data/dir|t ", events(0));
    SAYS("", box.write(0, "data/dir/a/b", "1"));
    SAYS("data/dir/a/b|t ", events(0));
    SAYS("", box.write(0, "data/dirt", "1"));
    SAYS("", box.write(0, "data", "1"));
    SAYS("", events(0));
    SAYS("", box.ask(0, XS_MKDIR, "data/dir/c\0"s).error());
    SAYS("", box.ask(0, XS_MKDIR, "data/dir/c\0"s).error());
    SAYS("data/dir/c|t ", events(0));
    SAYS("", box.set_permissions(0, "data/dir/c", "n1,r2"));
    SAYS("data/dir/c|t ", events(0));
}

TEST(Watches, name_paths_as_they_were_set)
{
    SAYS("", box.watch(0, "/local/domain/1/data", "whole"));
    SAYS("", box.watch(0, "data", "relative"));
    events(0);
    SAYS("", box.write(0, "data/x", ""));
    const std::string text = events(0);
    CHECK(text.find("/local/domain/1/data/x|whole ") != std::string::npos);
    CHECK(text.find(" data/x|relative ") != std::string::npos || text.starts_with("data/x|relative "));
}

TEST(Watches, on_the_root_tell_of_everything_that_may_be_read)
{
    SAYS("", box.watch(0, "/", "root"));
    SAYS("/|root ", events(0));
    SAYS("", box.write(0, "data/x", ""));
    SAYS("/local/domain/1/data/x|root ", events(0));
    SAYS("", box.write(1, "data/x", ""));
    SAYS("", events(0));
    SAYS("", box.write(1, "/open/x", ""));
    SAYS("/open/x|root ", events(0));
}

TEST(Watches, tell_nobody_who_may_read_neither_node_nor_parent)
{
    SAYS("", box.watch(1, "/local/domain/1/data", "t"));
    events(1);
    SAYS("", box.write(0, "data/x", "secret"));
    SAYS("", events(1));
    SAYS("", box.set_permissions(0, "data", "n1,r2"));
    SAYS("/local/domain/1/data|t ", events(1));
    SAYS("", box.write(0, "data/x", "still secret, but its parent is not"));
    SAYS("/local/domain/1/data/x|t ", events(1));
    // Losing the right is told, too.
    SAYS("", box.set_permissions(0, "data", "n1"));
    SAYS("/local/domain/1/data|t ", events(1));
    SAYS("", box.write(0, "data/x", "gone"));
    SAYS("", events(1));
}

TEST(Watches, of_a_removed_subtree_tell_those_above_once_and_those_below_exactly)
{
    SAYS("", box.write(0, "data/a/b/c", "x"));
    SAYS("", box.watch(0, "data", "above"));
    SAYS("", box.watch(0, "data/a", "at"));
    SAYS("", box.watch(0, "data/a/b/c", "below"));
    SAYS("", box.watch(0, "data/a/b/none", "missing"));
    events(0);
    SAYS("", box.ask(0, XS_RM, "data/a\0"s).error());
    SAYS("data/a|above data/a|at data/a/b/c|below ", events(0));
}

TEST(Watches, know_how_deep_to_look)
{
    SAYS("", box.ask(0, XS_WATCH, "data\0zero\0000\0"s).error());
    SAYS("", box.ask(0, XS_WATCH, "data\0one\0001\0"s).error());
    SAYS("", box.ask(0, XS_WATCH, "data\0all\0\0"s).error());
    events(0);
    SAYS("", box.write(0, "data", "x"));
    LONGS_EQUAL(3, box.guests[0]->take_events().size());
    SAYS("", box.write(0, "data/a", "x"));
    LONGS_EQUAL(2, box.guests[0]->take_events().size());
    SAYS("", box.write(0, "data/a/b", "x"));
    SAYS("data/a/b|all ", events(0));
}

TEST(Watches, may_share_a_path_but_not_a_token)
{
    SAYS("", box.watch(0, "data", "one"));
    SAYS("", box.watch(0, "data", "two"));
    SAYS("EEXIST", box.watch(0, "data", "one"));
    SAYS("EEXIST", box.watch(0, "/local/domain/1/data", "one"));
    SAYS("", box.watch(1, "/local/domain/1/data", "one"));
}

TEST(Watches, end_with_unwatch_and_reset)
{
    SAYS("", box.watch(0, "data", "one"));
    SAYS("", box.watch(0, "data", "two"));
    SAYS("", box.ask(0, XS_UNWATCH, "data\0one\0"s).error());
    SAYS("ENOENT", box.ask(0, XS_UNWATCH, "data\0one\0"s).error());
    SAYS("ENOENT", box.ask(0, XS_UNWATCH, "dat\0two\0"s).error());
    SAYS("ENOENT", box.ask(0, XS_UNWATCH, "//\0two\0"s).error());
    events(0);
    SAYS("", box.write(0, "data/x", ""));
    SAYS("data/x|two ", events(0));
    SAYS("", box.ask(0, XS_RESET_WATCHES, "\0"s).error());
    SAYS("", box.write(0, "data/x", ""));
    SAYS("", events(0));
    LONGS_EQUAL(0, box.region->header().watch_count);
}

TEST(Watches, on_special_names_tell_of_lives)
{
    SAYS("", box.watch(0, "@introduceDomain", "in"));
    SAYS("", box.watch(0, "@releaseDomain", "out"));
    SAYS("", box.watch(1, "@releaseDomain", "out"));
    SAYS("@introduceDomain|in @releaseDomain|out ", events(0));
    SAYS("@releaseDomain|out ", events(1));
    box.server->end_life(2);
    box.settle();
    SAYS("@releaseDomain|out ", events(0));
    SAYS("", events(1));  // not for it to know
    box.guests[2] = std::make_unique<FakeClient>();
    box.server->begin_life(2, 2, &box.guests[2]->ring);
    box.settle();
    SAYS("@introduceDomain|in ", events(0));
}

TEST(Watches, say_the_same_once_to_a_client_that_does_not_read)
{
    SAYS("", box.watch(0, "/open", "t"));
    events(0);
    box.guests[0]->reads = false;
    const std::string name(900, 'n');
    SAYS("", box.write(1, "/open/" + name, "fills the ring"));
    for (int i = 0; i < 100; ++i)
        SAYS("", box.write(1, "/open/x", std::to_string(i)));
    CHECK(box.region->client(0).message_count <= 3);
    box.guests[0]->reads = true;
    box.settle();
    const std::vector<Event> events = box.guests[0]->take_events();
    SAYS("/open/x", events.back().path);
    CHECK(events.size() < 20);
}

TEST(Watches, never_make_others_wait_and_lose_nothing_for_good)
{
    SAYS("", box.watch(0, "/open", "t"));
    events(0);
    box.guests[0]->reads = false;
    for (int i = 0; i < 500; ++i)
        SAYS("", box.write(1, "/open/node-" + std::to_string(i), ""));
    CHECK(box.region->client(0).message_count <= default_quota().messages);
    CHECK(box.region->client(0).merged == 1);
    CHECK(box.region->client(0).events_merged > 300);
    box.guests[0]->reads = true;
    box.settle();
    const std::vector<Event> events = box.guests[0]->take_events();
    // What was merged comes last, as the watch's own path.
    SAYS("/open", events.back().path);
    CHECK(box.region->client(0).merged == 0);
    SAYS("", box.write(1, "/open/later", ""));
    SAYS("/open/later|t ", this->events(0));
}

TEST(Watches, that_the_protocol_has_no_room_for_stay_silent)
{
    const std::string token(4000, 't');
    SAYS("", box.watch(0, "data", token));
    LONGS_EQUAL(1, box.guests[0]->take_events().size());
    SAYS("", box.write(0, "data/" + std::string(200, 'x'), ""));
    LONGS_EQUAL(0, box.guests[0]->take_events().size());
}

TEST(Watches, tell_others_of_a_change_in_the_same_turn)
{
    SAYS("", box.watch(0, "/open", "t"));
    events(0);
    box.guests[1]->send(XS_WRITE, "/open/x\0y"s);
    box.guests[1]->push();
    box.guests[0]->notifications = 0;
    box.server->turn();
    LONGS_EQUAL(1, box.guests[0]->notifications);
    box.guests[0]->pull();
    SAYS("/open/x|t ", events(0));
}
