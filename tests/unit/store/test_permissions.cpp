// SPDX-License-Identifier: BSD-2-Clause
// Who may do what, as in xenstored.
#include "pvdrivers/store/permissions.hpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::store;

#define SAYS(expected, ...) STRCMP_EQUAL(expected, (__VA_ARGS__).c_str())

TEST_GROUP(Permissions)
{
    StoreBox box{3, StoreBox::default_bytes, "/plan\0n0,r1\0for one\0"s "/open\0b0\0all\0"s "/shared\0n0,b1,r2,w3\0s\0"s};
    void setup() override { box.start(); }
    void teardown() override { SAYS("", box.problem()); }
};

TEST(Permissions, texts_are_parsed_and_formatted)
{
    Permission permission = 0;
    for (const char* text : {"n0", "r1", "w28672", "b65535"}) {
        CHECK(parse_permission(text, permission));
        char out[permission_text_bytes];
        LONGS_EQUAL(std::strlen(text) + 1, format_permission(permission, out));
        STRCMP_EQUAL(text, out);
    }
    for (const char* text : {"", "n", "0", "x1", "r-1", "r65536", "r1 ", "rw1"})
        CHECK_FALSE(parse_permission(text, permission));
}

TEST(Permissions, a_node_is_hidden_from_others)
{
    SAYS("", box.write(0, "data/secret", "x"));
    SAYS("EACCES", box.read(1, "/local/domain/1/data/secret"));
    SAYS("EACCES", box.write(1, "/local/domain/1/data/secret", "y"));
    SAYS("EACCES", box.ask(1, XS_RM, "/local/domain/1/data/secret\0"s).error());
    SAYS("EACCES", box.ask(1, XS_DIRECTORY, "/local/domain/1/data\0"s).error());
    SAYS("EACCES", box.permissions(1, "/local/domain/1/data/secret").substr(0, 6));
}

TEST(Permissions, whether_a_node_exists_is_hidden_with_its_parent)
{
    SAYS("EACCES", box.read(1, "/local/domain/1/data/no-such-node"));
    SAYS("EACCES", box.read(1, "/local/domain/1/data/no/such/node"));
    SAYS("ENOENT", box.read(0, "data/no/such/node"));
    SAYS("ENOENT", box.read(1, "/open/none"));
}

TEST(Permissions, entries_apply_to_their_domain_and_the_first_to_the_rest)
{
    SAYS("for one", box.read(0, "/plan"));
    SAYS("EACCES", box.read(1, "/plan"));
    SAYS("EACCES", box.write(0, "/plan", "x"));
    SAYS("all", box.read(2, "/open"));
    SAYS("", box.write(2, "/open", "changed"));
    SAYS("", box.write(0, "/shared", "by one"));
    SAYS("by one", box.read(1, "/shared"));
    SAYS("EACCES", box.write(1, "/shared", "by two"));
    SAYS("", box.write(2, "/shared", "by three"));
    SAYS("EACCES", box.read(2, "/shared"));
}

TEST(Permissions, a_client_cannot_write_beside_its_own_tree)
{
    SAYS("EACCES", box.write(0, "/anything", "x"));
    SAYS("EACCES", box.write(0, "/local/domain/2/data/x", "x"));
    SAYS("EACCES", box.write(0, "name", "renamed"));
    SAYS("EACCES", box.write(0, "new", "x"));
    SAYS("EACCES", box.ask(0, XS_RM, "name\0"s).error());
}

TEST(Permissions, a_new_node_inherits_and_belongs_to_its_maker)
{
    SAYS("", box.set_permissions(0, "data", "n1,b2,r3"));
    SAYS("", box.write(1, "/local/domain/1/data/by-two", "x"));
    SAYS("n2 b2 r3 ", box.permissions(1, "/local/domain/1/data/by-two"));
    SAYS("EACCES", box.write(0, "data/by-two", "y"));
    SAYS("", box.write(2, "/open/a/b", "x"));
    SAYS("b3 ", box.permissions(2, "/open/a"));
    SAYS("b3 ", box.permissions(2, "/open/a/b"));
}

TEST(Permissions, only_the_owner_sets_them_and_cannot_give_away)
{
    SAYS("", box.write(0, "data/x", "1"));
    SAYS("", box.set_permissions(0, "data/x", "n1,r2"));
    SAYS("1", box.read(1, "/local/domain/1/data/x"));
    SAYS("EACCES", box.set_permissions(1, "/local/domain/1/data/x", "b1"));
    SAYS("EPERM", box.set_permissions(0, "data/x", "n2,r1"));
    SAYS("EACCES", box.set_permissions(0, "/open", "n0"));
    SAYS("ENOENT", box.set_permissions(0, "data/none", "n1"));
    SAYS("1", box.read(0, "data/x"));
    SAYS("n1 r2 ", box.permissions(0, "data/x"));
}

TEST(Permissions, a_remover_needs_the_right_on_the_node_alone)
{
    SAYS("", box.set_permissions(0, "data", "n1,r2"));
    SAYS("", box.write(0, "data/x", "1"));
    SAYS("", box.set_permissions(0, "data/x", "n1,b2"));
    SAYS("", box.ask(1, XS_RM, "/local/domain/1/data/x\0"s).error());
    SAYS("ENOENT", box.read(0, "data/x"));
}

TEST(Permissions, special_names_show_but_do_not_give_theirs)
{
    SAYS("EACCES", box.permissions(0, "@releaseDomain").substr(0, 6));
    SAYS("EACCES", box.set_permissions(0, "@releaseDomain", "r0"));
    SAYS("EINVAL", box.permissions(0, "@release/Domain").substr(0, 6));
    SAYS("EACCES", box.permissions(0, "@noSuchName").substr(0, 6));
    // In other requests it is a name below one's own node.
    SAYS("EINVAL", box.read(0, "@releaseDomain"));
}

TEST(Permissions, hold_in_transactions)
{
    const uint32_t id = box.begin(1);
    SAYS("EACCES", box.read(1, "/plan", id));
    SAYS("EACCES", box.write(1, "/plan", "x", id));
    SAYS("EACCES", box.write(1, "/local/domain/1/data/x", "x", id));
    SAYS("EACCES", box.set_permissions(1, "/open", "n0", id));
    SAYS("", box.write(1, "data/own", "x", id));
    SAYS("", box.set_permissions(1, "data/own", "n2,r1", id));
    SAYS("EPERM", box.set_permissions(1, "data/own", "n1", id));
    SAYS("", box.end(1, id));
    SAYS("x", box.read(0, "/local/domain/2/data/own"));
}
