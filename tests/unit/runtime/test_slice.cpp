// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/runtime/slice.cpp"

#include <CppUTest/TestHarness.h>

#include <cstring>
#include <string>
#include <vector>

namespace {

using namespace bulkhead;

struct alignas(8) Blob {
    std::byte bytes[4096];
    size_t size = 0;
    [[nodiscard]] std::span<const std::byte> span() const { return {bytes, size}; }
};

Blob build()
{
    Blob blob;
    void* tree = blob.bytes;
    CHECK_EQUAL(0, fdt_create(tree, sizeof(blob.bytes)));
    CHECK_EQUAL(0, fdt_finish_reservemap(tree));
    fdt_begin_node(tree, "");
    fdt_property_string(tree, "name", "plc");
    fdt_property_u32(tree, "domain-id", 5);
    fdt_begin_node(tree, "config");
    fdt_property_u32(tree, "rate", 1000);
    fdt_property_u64(tree, "wide", 0x123456789a);
    fdt_property_string(tree, "written", "42");
    fdt_property_string(tree, "hex", "0x10");
    fdt_property_string(tree, "text", "ten percent");
    fdt_property(tree, "flag", nullptr, 0);
    fdt_property(tree, "open", "abc", 3);
    fdt_end_node(tree);
    fdt_begin_node(tree, "clients");
    for (const char* name : {"client@1", "client@2"}) {
        fdt_begin_node(tree, name);
        fdt_property_u32(tree, "domain-id", static_cast<uint32_t>(name[7] - '0'));
        fdt_end_node(tree);
    }
    fdt_end_node(tree);
    fdt_end_node(tree);
    CHECK_EQUAL(0, fdt_finish(tree));
    blob.size = fdt_totalsize(tree);
    return blob;
}

TEST_GROUP(slice)
{
    Blob blob = build();

    void setup() override { CHECK(init_slice(blob.span())); }
    void teardown() override { (void)init_slice({}); }
};

TEST(slice, says_whose_it_is)
{
    CHECK(partition_name() == "plc");
    CHECK_EQUAL(5, static_cast<int>(own_domain()));
}

TEST(slice, numbers_have_one_cell_or_two_or_are_written)
{
    CHECK_EQUAL(1000u, config().number("rate", 1));
    CHECK_EQUAL(0x123456789au, config().number("wide", 1));
    CHECK_EQUAL(42u, config().number("written", 1));
    CHECK_EQUAL(16u, config().number("hex", 1));
}

TEST(slice, what_is_no_number_is_not_taken_for_one)
{
    CHECK_FALSE(config().number("text").has_value());
    CHECK_FALSE(config().number("flag").has_value());
    CHECK_FALSE(config().number("open").has_value());
    CHECK_EQUAL(7u, config().number("absent", 7));
}

TEST(slice, texts_end_inside_their_property)
{
    CHECK(config().text("text") == "ten percent");
    CHECK_FALSE(config().text("open").has_value());
    CHECK_FALSE(config().text("flag").has_value());
}

TEST(slice, flags_are_there_or_not)
{
    CHECK(config().has("flag"));
    CHECK_FALSE(config().has("absent"));
}

TEST(slice, children_come_in_order_and_end)
{
    auto client = slice().child("clients").first_child();
    CHECK(client.name() == "client");
    CHECK_EQUAL(1u, client.number("domain-id", 0));
    client = client.next_sibling();
    CHECK_EQUAL(2u, client.number("domain-id", 0));
    CHECK_FALSE(client.next_sibling());
    CHECK_FALSE(client.first_child());
}

TEST(slice, no_node_has_nothing)
{
    const SliceNode nothing = slice().child("absent").child("absent");
    CHECK_FALSE(nothing);
    CHECK_FALSE(nothing.first_child());
    CHECK_FALSE(nothing.next_sibling());
    CHECK(nothing.name().empty());
    CHECK_FALSE(nothing.number("x").has_value());
    CHECK(nothing.bytes("x").empty());
}

TEST(slice, without_one_every_lookup_finds_nothing)
{
    CHECK_FALSE(init_slice({}));
    CHECK_FALSE(slice());
    CHECK_FALSE(config());
    CHECK(partition_name() == "program");
}

TEST(slice, a_tree_that_is_cut_anywhere_is_refused)
{
    for (size_t size = 0; size < blob.size; ++size)
        CHECK_FALSE(is_valid_slice(blob.span().first(size)));
    CHECK(is_valid_slice(blob.span()));
}

TEST(slice, other_files_are_refused)
{
    alignas(8) std::byte other[256] = {};
    CHECK_FALSE(is_valid_slice(other));
    memcpy(other, "070701", 6);
    CHECK_FALSE(is_valid_slice(other));
}

TEST(slice, nodes_that_do_not_end_are_refused)
{
    // The last tokens are END_NODE, END.
    const size_t end = fdt_off_dt_struct(blob.bytes) + fdt_size_dt_struct(blob.bytes);
    memset(blob.bytes + end - 8, 0, 4);
    blob.bytes[end - 5] = std::byte{FDT_NOP};
    CHECK_FALSE(is_valid_slice(blob.span()));
}

}  // namespace
