// SPDX-License-Identifier: BSD-2-Clause
// The store's client against the store itself, and against rings that no store would make.
#include "pvdrivers/runtime/store.cpp"
#include "pvdrivers/runtime/store_ring.cpp"

#include "pvdrivers/runtime/errors.cpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/test_link.hpp"
#include "tests/unit/store/units.hpp"

#include <CppUTest/TestHarness.h>

namespace {

using namespace bulkhead;
using bulkhead::store::StoreBox;
using namespace std::string_literals;

template <class T>
std::string error(const Result<T>& result)
{
    return result ? "" : name_of(result.error());
}

struct Seen {
    std::vector<std::string> paths;
    std::function<void()> then;
    WatchHandler handler()
    {
        return {[](void* self, std::string_view path) {
                    auto& seen = *static_cast<Seen*>(self);
                    seen.paths.emplace_back(path);
                    if (seen.then)
                        seen.then();
                },
                this};
    }
};

#define SAYS(expected, ...) STRCMP_EQUAL(expected, (__VA_ARGS__).c_str())

}  // namespace

TEST_GROUP(StoreClient)
{
    StoreBox box{2, StoreBox::default_bytes, "/open\0b0\0\0"s};
    TestLink link{box.guests[0]->ring};
    Store client{link};

    void setup() override
    {
        box.guests[0]->reads = false;       // the client does
        box.start();
        link.answer = [this] { box.server->turn(); };
    }
    // The program waits.
    void program_waits()
    {
        box.settle();
        client.deliver();
    }
};

TEST(StoreClient, reads_what_it_has_written)
{
    SAYS("", error(client.write("data/a", "one")));
    SAYS("one", *client.read("data/a"));
    SAYS("one", *client.read("/local/domain/1/data/a"));
    SAYS("", error(client.write_number("data/n", 18446744073709551615u)));
    CHECK_EQUAL(18446744073709551615u, *client.read_number("data/n"));
    SAYS("EINVAL", error(client.read_number("data/a")));
}

TEST(StoreClient, tells_the_stores_errors)
{
    SAYS("ENOENT", error(client.read("data/none")));
    SAYS("EACCES", error(client.read("/local/domain/2/data")));
    SAYS("EINVAL", error(client.read("a//b")));
    SAYS("E2BIG", error(client.write("data/a", std::string(4096, 'x'))));
    SAYS("", error(client.write("data/a", "still works")));
}

TEST(StoreClient, lists_children_makes_and_removes_nodes)
{
    CHECK(client.directory("data")->empty());
    SAYS("", error(client.make_directory("data/x")));
    SAYS("", error(client.write("data/y/z", "1")));
    const auto list = client.directory("data");
    CHECK_EQUAL(2u, list->size());
    SAYS("x", list->at(0));
    SAYS("y", list->at(1));
    SAYS("", error(client.remove("data/y")));
    CHECK_EQUAL(1u, client.directory("data")->size());
}

TEST(StoreClient, lists_more_children_than_a_message_holds)
{
    constexpr size_t count = 60;
    for (size_t i = 0; i < count; ++i)
        SAYS("", error(client.write("data/" + std::string(100, 'a') + std::to_string(100 + i), "")));
    const auto list = client.directory("data");
    SAYS("", error(list));
    CHECK_EQUAL(count, list->size());
    SAYS(std::string(100, 'a').append("100").c_str(), list->front());
    SAYS(std::string(100, 'a').append("159").c_str(), list->back());
}

TEST(StoreClient, moves_messages_longer_than_the_ring)
{
    const std::string value(2000, 'v');
    for (int i = 0; i < 20; ++i) {
        SAYS("", error(client.write("data/long", value)));
        CHECK(*client.read("data/long") == value);
    }
}

TEST(StoreClient, gives_permissions)
{
    SAYS("", error(client.write("data/p", "x")));
    const StorePermission permissions[] = {{StorePermission::none, Domain{1}}, {StorePermission::read, Domain{2}}};
    SAYS("", error(client.set_permissions("data/p", permissions)));
    const auto list = client.permissions("data/p");
    CHECK_EQUAL(2u, list->size());
    CHECK(list->at(1).rights == StorePermission::read && list->at(1).domain == Domain{2});
    SAYS("n1 r2 ", box.permissions(1, "/local/domain/1/data/p"));
}

TEST(StoreClient, does_a_transaction_again_when_others_met_it)
{
    SAYS("", error(client.write("/open/counter", "1")));
    unsigned tries = 0;
    const auto done = client.transact([&](Transaction transaction) -> Result<> {
        const auto value = client.read_number("/open/counter", transaction);
        if (++tries == 1)
            SAYS("", box.write(1, "/open/counter", "5"));
        return client.write_number("/open/counter", *value + 1, transaction);
    });
    SAYS("", error(done));
    CHECK_EQUAL(2u, tries);
    SAYS("6", *client.read("/open/counter"));
}

TEST(StoreClient, undoes_a_transaction_whose_work_fails)
{
    const auto done = client.transact([&](Transaction transaction) -> Result<> {
        (void)client.write("data/undone", "1", transaction);
        return failure(XEN_EPERM);
    });
    SAYS("EPERM", error(done));
    SAYS("ENOENT", error(client.read("data/undone")));
}

TEST(StoreClient, tells_of_a_watch_at_once_and_of_changes)
{
    Seen seen;
    const auto watch = client.watch("data", seen.handler());
    SAYS("", error(watch));
    CHECK(link.deliver_wanted);
    CHECK(seen.paths.empty());              // no handler runs within a call
    program_waits();
    CHECK_EQUAL(1u, seen.paths.size());
    SAYS("data", seen.paths[0]);
    SAYS("", error(client.write("data/a", "1")));
    SAYS("", error(client.write("data/a", "2")));
    program_waits();
    CHECK_EQUAL(2u, seen.paths.size());     // two changes of a node are one
    SAYS("data/a", seen.paths[1]);
    SAYS("", error(client.unwatch(*watch)));
    SAYS("", error(client.write("data/a", "3")));
    program_waits();
    CHECK_EQUAL(2u, seen.paths.size());
    SAYS("ENOENT", error(client.unwatch(*watch)));
}

TEST(StoreClient, takes_calls_from_a_handler)
{
    Seen seen;
    const auto watch = client.watch("data", seen.handler());
    std::string value;
    seen.then = [&] {
        value = *client.read("name");
        (void)client.unwatch(*watch);
        (void)client.write("data/b", "1");
    };
    program_waits();
    program_waits();
    SAYS("guest1", value);
    CHECK_EQUAL(1u, seen.paths.size());
}

TEST(StoreClient, merges_events_that_nobody_takes)
{
    Seen seen;
    SAYS("", error(client.watch("data", seen.handler())));
    program_waits();
    seen.paths.clear();
    for (int i = 0; i < 400; ++i)
        SAYS("", error(client.write("data/" + std::to_string(i % 350), "")));
    program_waits();
    CHECK(seen.paths.size() <= 257);
    SAYS("data", seen.paths.back());        // something below has changed
}

TEST(StoreClient, does_not_notice_a_store_that_restarts)
{
    Seen seen;
    SAYS("", error(client.watch("data", seen.handler())));
    link.answer = [this] {
        box.start();
        box.server->turn();
    };
    for (int i = 0; i < 20; ++i) {
        SAYS("", error(client.write_number("data/i", static_cast<uint64_t>(i))));
        CHECK_EQUAL(static_cast<uint64_t>(i), *client.read_number("data/i"));
    }
    program_waits();
    CHECK(seen.paths.size() >= 2);
}

TEST(StoreClient, gives_up_on_a_store_that_does_not_answer)
{
    link.answer = nullptr;
    SAYS("ETIMEDOUT", error(client.read("name")));
    link.answer = [this] { box.server->turn(); };
    // The late answer is not taken for this one's.
    SAYS("ENOENT", error(client.read("data/none")));
    SAYS("guest1", *client.read("name"));
}

TEST(StoreClient, begins_anew_when_half_a_request_is_in_the_ring)
{
    Seen seen;
    SAYS("", error(client.watch("data", seen.handler())));
    program_waits();
    link.answer = nullptr;
    SAYS("ETIMEDOUT", error(client.write("data/long", std::string(2000, 'x'))));
    link.answer = [this] { box.server->turn(); };
    SAYS("guest1", *client.read("name"));
    SAYS("ENOENT", error(client.read("data/long")));
    // Watches are set again.
    SAYS("", error(client.write("data/a", "1")));
    program_waits();
    SAYS("data/a", seen.paths.back());
}

TEST(StoreClient, takes_over_the_ring_of_a_former_life)
{
    // Half a request, and an answer that was not taken.
    SAYS("guest1", *client.read("name"));
    box.guests[0]->send(XS_READ, "name\0"s);
    box.guests[0]->push();
    box.server->turn();
    box.guests[0]->sent_to_ring = "half a requ";
    box.guests[0]->push();
    box.server->turn();
    Store next(link);
    SAYS("", error(next.reconnect()));
    SAYS("guest1", *next.read("name"));
    SAYS("", error(next.write("data/a", "1")));
}

TEST(StoreClient, goes_on_when_a_closed_ring_is_made_anew)
{
    link.ring().req_prod = link.ring().req_cons + 5000;
    box.server->turn();
    CHECK_EQUAL(uint32_t{XENSTORE_ERROR_RINGIDX}, link.ring().error);
    SAYS("EIO", error(client.read("name")));
    SAYS("guest1", *client.read("name"));
}

TEST(StoreClient, survives_impossible_rings)
{
    link.answer = [this] { link.ring().rsp_prod = link.ring().rsp_cons + 1025; };
    SAYS("EIO", error(client.read("name")));
    link.answer = nullptr;
    SAYS("ETIMEDOUT", error(client.read("name")));
}

TEST(StoreClient, survives_impossible_messages)
{
    const auto put = [this](const std::string& bytes) {
        for (const char c : bytes)
            link.ring().rsp[MASK_XENSTORE_IDX(link.ring().rsp_prod++)] = c;
    };
    const xsd_sockmsg head = {XS_READ, 1, 0, XENSTORE_PAYLOAD_MAX + 1};
    link.answer = [&] { put({reinterpret_cast<const char*>(&head), sizeof(head)}); };
    SAYS("EIO", error(client.read("name")));
    link.answer = [this] { box.server->turn(); };
    SAYS("guest1", *client.read("name"));
    // An answer of another kind, and events of watches that there never were.
    link.answer = [&] {
        put(store::FakeClient::message(XS_WATCH_EVENT, 0, 0, "data\0""77\0"s));
        put(store::FakeClient::message(XS_WATCH_EVENT, 0, 0, "data"));
        put(store::FakeClient::message(XS_WATCH_EVENT, 0, 0, ""));
        put(store::FakeClient::message(XS_MKDIR, link.ring().req_prod, 0, ""));
        put(store::FakeClient::message(XS_ERROR, 3, 0, "ENONSENSE"));
    };
    SAYS("EINVAL", error(client.read("name")));
}
