// SPDX-License-Identifier: BSD-2-Clause
// Each request of the protocol, its answer and its errors.
#include "pvdrivers/store/requests.hpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::store;

#define SAYS(expected, ...) STRCMP_EQUAL(expected, (__VA_ARGS__).c_str())

TEST_GROUP(Requests)
{
    StoreBox box;
    void setup() override { box.start(); }
    void teardown() override { SAYS("", box.problem()); }
};

TEST(Requests, reads_what_was_written)
{
    SAYS("", box.write(0, "data/a", "one"));
    SAYS("one", box.read(0, "data/a"));
    SAYS("one", box.read(0, "/local/domain/1/data/a"));
    SAYS("", box.write(0, "data/a", "another value"));
    SAYS("another value", box.read(0, "data/a"));
    SAYS("", box.write(0, "data/a", ""));
    SAYS("", box.read(0, "data/a"));
}

TEST(Requests, answers_a_write_with_ok_and_the_requests_own_id)
{
    FakeClient& guest = *box.guests[0];
    const std::string request = FakeClient::message(XS_WRITE, 77, 0, "data/a\0x"s);
    guest.sent_to_ring = request;
    guest.push();
    box.server->turn();
    xsd_sockmsg head;
    std::memcpy(&head, guest.ring.rsp, sizeof(head));
    LONGS_EQUAL(XS_WRITE, head.type);
    LONGS_EQUAL(77, head.req_id);
    LONGS_EQUAL(0, head.tx_id);
    LONGS_EQUAL(3, head.len);
    MEMCMP_EQUAL("OK", guest.ring.rsp + sizeof(head), 3);
    LONGS_EQUAL(request.size(), guest.ring.req_cons);
}

TEST(Requests, keeps_values_that_are_no_text)
{
    const std::string value("\0\x01\xff\0binary\0", 11);
    SAYS("", box.write(0, "data/a", value));
    const Answer answer = box.ask(0, XS_READ, "data/a\0"s);
    CHECK(answer.text == value);
}

TEST(Requests, keeps_values_of_every_length_around_the_cells)
{
    for (size_t bytes = 0; bytes < 200; ++bytes) {
        std::string value(bytes, 'x');
        for (size_t i = 0; i < bytes; ++i)
            value[i] = static_cast<char>('a' + i % 26);
        SAYS("", box.write(0, "data/a", value));
        CHECK(box.ask(0, XS_READ, "data/a\0"s).text == value);
        SAYS("", box.problem());
    }
}

TEST(Requests, makes_missing_parents_of_a_written_node)
{
    SAYS("", box.write(0, "data/a/b/c", "deep"));
    SAYS("a ", box.list(0, "data"));
    SAYS("b ", box.list(0, "data/a"));
    SAYS("", box.read(0, "data/a/b"));
    SAYS("deep", box.read(0, "data/a/b/c"));
}

TEST(Requests, lists_children_in_the_order_of_their_making)
{
    for (const char* name : {"zeta", "alpha", "mid"})
        SAYS("", box.write(0, "data/"s + name, ""));
    SAYS("zeta alpha mid ", box.list(0, "data"));
    SAYS("", box.ask(0, XS_RM, "data/alpha\0"s).error());
    SAYS("zeta mid ", box.list(0, "data"));
    SAYS("", box.ask(0, XS_RM, "data/zeta\0"s).error());
    SAYS("mid ", box.list(0, "data"));
    SAYS("", box.write(0, "data/alpha", ""));
    SAYS("", box.ask(0, XS_RM, "data/alpha\0"s).error());
    SAYS("", box.ask(0, XS_RM, "data/mid\0"s).error());
    LONGS_EQUAL(0, box.ask(0, XS_DIRECTORY, "data\0"s).text.size());
}

TEST(Requests, mkdir_makes_an_empty_node_and_leaves_an_existing_one_alone)
{
    SAYS("", box.ask(0, XS_MKDIR, "data/dir\0"s).error());
    SAYS("", box.read(0, "data/dir"));
    SAYS("", box.write(0, "data/dir", "kept"));
    SAYS("", box.ask(0, XS_MKDIR, "data/dir\0"s).error());
    SAYS("kept", box.read(0, "data/dir"));
}

TEST(Requests, rm_takes_everything_below)
{
    for (const char* path : {"data/a/b/c", "data/a/b/d", "data/a/e", "data/f"})
        SAYS("", box.write(0, path, "x"));
    const uint32_t free_before = box.region->header().free_count;
    SAYS("", box.ask(0, XS_RM, "data/a\0"s).error());
    SAYS("f ", box.list(0, "data"));
    SAYS("ENOENT", box.read(0, "data/a/b/c"));
    SAYS("ENOENT", box.read(0, "data/a"));
    LONGS_EQUAL(free_before + 10, box.region->header().free_count);
}

TEST(Requests, rm_of_what_is_missing_succeeds_below_an_existing_node_only)
{
    SAYS("", box.ask(0, XS_RM, "data/missing\0"s).error());
    SAYS("ENOENT", box.ask(0, XS_RM, "data/missing/too\0"s).error());
    SAYS("EACCES", box.ask(0, XS_RM, "/\0"s).error());
}

TEST(Requests, directory_of_a_missing_node_is_enoent)
{
    SAYS("ENOENT", box.ask(0, XS_DIRECTORY, "data/none\0"s).error());
    SAYS("ENOENT", box.ask(0, XS_READ, "data/none\0"s).error());
    SAYS("ENOENT", box.ask(0, XS_GET_PERMS, "data/none\0"s).error());
    SAYS("ENOENT", box.ask(0, XS_DIRECTORY_PART, "data/none\0000\0"s).error());
}

TEST(Requests, a_list_that_does_not_fit_is_e2big_and_comes_in_parts)
{
    std::string whole;
    for (int i = 0; i < 500; ++i) {
        const std::string name = "a-child-with-a-name-" + std::to_string(i);
        SAYS("", box.write(0, "data/" + name, ""));
        whole += name + "\0"s;
    }
    SAYS("E2BIG", box.ask(0, XS_DIRECTORY, "data\0"s).error());

    std::string together;
    std::string generation;
    for (int part = 0;; ++part) {
        CHECK(part < 10);
        const Answer answer = box.ask(0, XS_DIRECTORY_PART, "data\0"s + std::to_string(together.size()) + "\0"s);
        LONGS_EQUAL(XS_DIRECTORY_PART, answer.type);
        CHECK(answer.text.size() <= XENSTORE_PAYLOAD_MAX);
        const std::string now = answer.text.c_str();
        CHECK(part == 0 || now == generation);
        generation = now;
        std::string names = answer.text.substr(now.size() + 1);
        const bool last = names.empty() || names == "\0"s || names.ends_with("\0\0"s);
        if (last)
            names.pop_back();
        together += names;
        if (last)
            break;
    }
    CHECK(together == whole);
    // A change in between shows.
    SAYS("", box.write(0, "data/one-more", ""));
    CHECK(generation != box.ask(0, XS_DIRECTORY_PART, "data\0000\0"s).text.c_str());
    // Behind the end there is nothing but the end.
    const Answer beyond = box.ask(0, XS_DIRECTORY_PART, "data\000999999\0"s);
    CHECK(beyond.text.size() == std::strlen(beyond.text.c_str()) + 2);
}

TEST(Requests, malformed_payloads_are_einval)
{
    for (const uint32_t type : {XS_READ, XS_DIRECTORY, XS_MKDIR, XS_RM, XS_GET_PERMS}) {
        SAYS("EINVAL", box.ask(0, type, "").error());
        SAYS("EINVAL", box.ask(0, type, "data").error());
        SAYS("EINVAL", box.ask(0, type, "data\0more\0"s).error());
    }
    SAYS("EINVAL", box.ask(0, XS_WRITE, "data/a").error());
    SAYS("EINVAL", box.ask(0, XS_SET_PERMS, "data\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_SET_PERMS, "data\0n1"s).error());
    SAYS("EINVAL", box.ask(0, XS_SET_PERMS, "data\0x1\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_SET_PERMS, "data\0n\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_SET_PERMS, "data\0n70000\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_SET_PERMS, "data\0n1x\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_WATCH, "data\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_WATCH, "data\0token\0x1\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_UNWATCH, "data\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_DIRECTORY_PART, "data\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_DIRECTORY_PART, "data\0-1\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_TRANSACTION_END, "X\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_GET_DOMAIN_PATH, "x\0"s).error());
}

TEST(Requests, paths_that_are_none_are_einval)
{
    for (const std::string& path : std::vector<std::string>{"", "data/", "//data", "data//a", "data/a b", "data/\xc3\xa4", "data/.", "a:b"}) {
        SAYS("EINVAL", box.ask(0, XS_WRITE, path + "\0x"s).error());
        SAYS("EINVAL", box.ask(0, XS_READ, path + "\0"s).error());
    }
}

TEST(Requests, a_path_has_the_length_that_the_protocol_allows)
{
    const std::string own = "/local/domain/1/data/";
    const std::string longest = own + std::string(XENSTORE_ABS_PATH_MAX - own.size(), 'a');
    SAYS("", box.write(0, longest, "far"));
    SAYS("far", box.read(0, longest));
    SAYS("EINVAL", box.write(0, longest + "a", "too far"));
    const std::string relative = "data/" + std::string(XENSTORE_REL_PATH_MAX - 5, 'b');
    SAYS("", box.write(0, relative, "near"));
    SAYS("EINVAL", box.write(0, relative + "b", "too far"));
    // As deep as it goes, which is more nodes than the quota.
    std::string deep = "data";
    while (deep.size() + 2 <= XENSTORE_REL_PATH_MAX)
        deep += "/d";
    SAYS("ENOSPC", box.write(0, deep, ""));
    deep.resize(4 + 2 * 900);
    SAYS("", box.write(0, deep, "bottom"));
    SAYS("bottom", box.read(0, deep));
    SAYS("", box.ask(0, XS_RM, "data/d\0"s).error());
}

TEST(Requests, unknown_types_are_enosys)
{
    for (const uint32_t type : {uint32_t{XS_WATCH_EVENT}, uint32_t{XS_ERROR}, uint32_t{XS_SET_TARGET + 1}, uint32_t{XS_TYPE_COUNT}, 1000U,
                                uint32_t{XS_INVALID}, 0xffffffffU})
        SAYS("ENOSYS", box.ask(0, type, "data\0"s).error());
}

TEST(Requests, tells_the_path_of_a_domain)
{
    SAYS("/local/domain/1", std::string(box.ask(0, XS_GET_DOMAIN_PATH, "1\0"s).text.c_str()));
    SAYS("/local/domain/28672", std::string(box.ask(0, XS_GET_DOMAIN_PATH, "28672\0"s).text.c_str()));
}

TEST(Requests, privileged_requests_are_eacces_for_partitions)
{
    SAYS("EACCES", box.ask(0, XS_INTRODUCE, "2\0001\0001\0"s).error());
    SAYS("EACCES", box.ask(0, XS_RELEASE, "2\0"s).error());
    SAYS("EACCES", box.ask(0, XS_IS_DOMAIN_INTRODUCED, "2\0"s).error());
    SAYS("EACCES", box.ask(0, XS_RESUME, "2\0"s).error());
    SAYS("EACCES", box.ask(0, XS_SET_TARGET, "2\0003\0"s).error());
    SAYS("EACCES", box.ask(0, XS_CONTROL, "check\0"s).error());
}

TEST_GROUP(Privileged)
{
    StoreBox box;
    void setup() override
    {
        box.plans[0].flags = STORE_CLIENT_PRIVILEGED;
        box.lives[2] = 0;
        box.start();
    }
    void teardown() override { SAYS("", box.problem()); }
};

TEST(Privileged, introduces_and_asks_who_is_introduced)
{
    SAYS("T", std::string(box.ask(0, XS_IS_DOMAIN_INTRODUCED, "2\0"s).text.c_str()));
    SAYS("F", std::string(box.ask(0, XS_IS_DOMAIN_INTRODUCED, "3\0"s).text.c_str()));
    SAYS("F", std::string(box.ask(0, XS_IS_DOMAIN_INTRODUCED, "99\0"s).text.c_str()));
    SAYS("", box.watch(0, "@introduceDomain", "t"));
    box.guests[0]->take_events();
    SAYS("", box.ask(0, XS_INTRODUCE, "2\0001234\0001\0"s).error());
    LONGS_EQUAL(1, box.guests[0]->take_events().size());
    SAYS("EINVAL", box.ask(0, XS_INTRODUCE, "3\0001234\0001\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_INTRODUCE, "2\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_INTRODUCE, "99\0001234\0001\0"s).error());
}

TEST(Privileged, releases_a_client_whose_ring_is_then_closed)
{
    SAYS("", box.watch(0, "@releaseDomain", "t"));
    box.guests[0]->take_events();
    SAYS("", box.ask(0, XS_RELEASE, "2\0"s).error());
    LONGS_EQUAL(1, box.guests[0]->take_events().size());
    SAYS("no answer", box.ask(1, XS_READ, "name\0"s).text);
    SAYS("ENOENT", box.ask(0, XS_RELEASE, "2\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_RELEASE, "99\0"s).error());
}

TEST(Privileged, sets_for_whom_a_client_may_act)
{
    SAYS("", box.write(0, "/local/domain/3/thing", "x"));
    SAYS("", box.set_permissions(0, "/local/domain/3/thing", "n3"));
    SAYS("EACCES", box.read(1, "/local/domain/3/thing"));
    SAYS("", box.ask(0, XS_SET_TARGET, "2\0003\0"s).error());
    SAYS("x", box.read(1, "/local/domain/3/thing"));
    SAYS("ENOENT", box.ask(0, XS_SET_TARGET, "2\00099\0"s).error());
}

TEST(Privileged, may_do_everything_everywhere)
{
    SAYS("", box.write(0, "/local/domain/2/data/from-above", "x"));
    SAYS("", box.set_permissions(0, "/local/domain/2/data/from-above", "n3,r2"));
    SAYS("n3 r2 ", box.permissions(0, "/local/domain/2/data/from-above"));
    SAYS("EINVAL", box.ask(0, XS_RM, "/\0"s).error());
    SAYS("", box.ask(0, XS_RESUME, "2\0"s).error());
    SAYS("ENOENT", box.ask(0, XS_RESUME, "99\0"s).error());
}

TEST(Privileged, has_the_store_check_itself)
{
    SAYS("OK", std::string(box.ask(0, XS_CONTROL, "check\0"s).text.c_str()));
    SAYS("help check", std::string(box.ask(0, XS_CONTROL, "help\0"s).text.c_str()));
    SAYS("EINVAL", box.ask(0, XS_CONTROL, "no-such-thing\0"s).error());
    SAYS("EINVAL", box.ask(0, XS_CONTROL, "").error());
}
