// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/source.hpp"

#include "boot/plan/annotation.cpp"
#include "boot/plan/process.cpp"
#include "boot/plan/report.cpp"
#include "boot/plan/source.cpp"
#include "boot/plan/text.cpp"
#include "boot/plan/tree.cpp"
#include "boot/plan/value.cpp"
#include "tests/unit/plan/folder.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;
using bulkhead::test::Folder;

namespace {

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_GROUP(Source)
{
    Folder folder;
};

TEST(Source, nodes_and_properties_know_their_lines)
{
    const auto path = folder.write("plan.dts", "/dts-v1/;\n"
                                               "/ {\n"
                                               "    a = \"1\";\n"
                                               "    first: node\n"
                                               "    {\n"
                                               "        b = <1\n"
                                               "             2>; c;\n"
                                               "    };\n"
                                               "};\n");
    const auto tree = load_source(path).value();
    LONGS_EQUAL(2, tree.at.line);
    LONGS_EQUAL(3, tree.property("a")->at.line);
    const Node* node = tree.child("node");
    STRCMP_EQUAL(path.c_str(), node->at.file.c_str());
    LONGS_EQUAL(5, node->at.line);
    LONGS_EQUAL(6, node->property("b")->at.line);
    LONGS_EQUAL(7, node->property("c")->at.line);
    LONGS_EQUAL(8, node->property("b")->value.size());
    CHECK(node->property("d") == nullptr);
    CHECK(tree.child("other") == nullptr);
}

TEST(Source, an_included_file_has_lines_of_its_own)
{
    const auto included = folder.write("parts/more.dtsi", "\n\nmore { x = \"y\"; };\n");
    const auto path = folder.write("plan.dts", "/dts-v1/;\n/ {\n/include/ \"parts/more.dtsi\"\n    after { };\n};\n");
    const auto tree = load_source(path).value();
    STRCMP_EQUAL(included.c_str(), tree.child("more")->property("x")->at.file.c_str());
    LONGS_EQUAL(3, tree.child("more")->property("x")->at.line);
    STRCMP_EQUAL(path.c_str(), tree.child("after")->at.file.c_str());
    LONGS_EQUAL(4, tree.child("after")->at.line);
}

TEST(Source, a_node_written_in_two_places_is_one_whose_properties_keep_their_places)
{
    const auto path = folder.write("plan.dts", "/dts-v1/;\n/ { n { a = <1>; }; };\n/ {\n  n {\n    b = <2>; a = <3>; }; };\n");
    const auto tree = load_source(path).value();
    LONGS_EQUAL(1, tree.children.size());
    LONGS_EQUAL(2, tree.child("n")->at.line);
    LONGS_EQUAL(5, tree.child("n")->property("b")->at.line);
    LONGS_EQUAL(5, tree.child("n")->property("a")->at.line);
}

TEST(Source, what_is_there_twice_is_there_twice)
{
    const auto path = folder.write("plan.dts", "/dts-v1/;\n/ {\n n { a = <1>;\n a = <2>; };\n n { name = \"other\"; }; };\n");
    const auto tree = load_source(path).value();
    LONGS_EQUAL(2, tree.children.size());
    LONGS_EQUAL(3, tree.children[0].at.line);
    LONGS_EQUAL(5, tree.children[1].at.line);
    LONGS_EQUAL(3, tree.children[0].properties[0].at.line);
    LONGS_EQUAL(4, tree.children[0].properties[1].at.line);
    CHECK(tree.children[1].property("name") != nullptr);
}

TEST(Source, text_that_looks_like_source_confuses_nothing)
{
    const auto path = folder.write("plan.dts", "/dts-v1/;\n/ {\n a = \"};{ /* x.dts:99:1-2 */ \\\" ; \";\n b = \"//\", \"\\\\\";\n c = [00 01]; };\n");
    const auto tree = load_source(path).value();
    LONGS_EQUAL(3, tree.property("a")->at.line);
    LONGS_EQUAL(4, tree.property("b")->at.line);
    LONGS_EQUAL(5, tree.property("c")->at.line);
}

TEST(Source, a_file_name_with_strange_characters_works)
{
    const auto path = folder.write("my plan: 2,3.dts", "/dts-v1/;\n/ {\n a;\n};\n");
    const auto tree = load_source(path).value();
    LONGS_EQUAL(3, tree.property("a")->at.line);
    STRCMP_EQUAL(path.c_str(), tree.property("a")->at.file.c_str());
}

TEST(Source, a_syntax_error_is_reported_as_dtc_says_it)
{
    const auto path = folder.write("plan.dts", "/dts-v1/;\n/ {\n  a = ;\n};\n");
    const auto tree = load_source(path);
    CHECK(mentions(tree.error(), path + ":3.7-8 syntax error"));
}

TEST(Source, a_missing_file_is_an_error)
{
    CHECK(mentions(load_source(folder / "none.dts").error(), "none.dts"));
}

TEST_GROUP(Places) {};

TEST(Places, the_first_of_several_counts)
{
    const auto place = parse_place(" a.dts:6:21-8:93, b.dtsi:11:26-11:44 ");
    STRCMP_EQUAL("a.dts", place.file.c_str());
    LONGS_EQUAL(6, place.line);
}

TEST(Places, short_forms_and_nonsense_do_no_harm)
{
    LONGS_EQUAL(8, parse_place("t.dts:8").line);
    LONGS_EQUAL(0, parse_place("<no-file>:<no-line>").line);
    LONGS_EQUAL(0, parse_place("").line);
    LONGS_EQUAL(0, parse_place(":").line);
}

TEST(Places, a_cut_annotation_leaves_what_it_does_not_reach_to_the_node_around)
{
    const std::string annotated = "/dts-v1/;\n\n/ { /* p.dts:2:3-9:3 */\n\ta = <1>; /* p.dts:3:1-2 */\n\tn { /* p.dts:4:1-5:2 */\n\t\tb; /* p.dts:5:1-2 */\n\t};\n};\n";
    for (size_t length = 0; length <= annotated.size(); ++length) {
        Node tree{"", {}, {{"a", {}, {}}}, {{"n", {}, {{"b", {}, {}}}, {}}}};
        place(tree, std::string_view(annotated).substr(0, length), "p.dts");
        STRCMP_EQUAL("p.dts", tree.children[0].properties[0].at.file.c_str());
    }
}

TEST_GROUP(Tree) {};

TEST(Tree, bytes_that_are_no_device_tree_are_refused_at_every_length)
{
    Folder folder;
    const auto path = folder.write("plan.dts", "/dts-v1/;\n/ { a = \"1\"; n { b = <1>; }; };\n");
    const Bytes dtb = bulkhead::tool::run({"dtc", "-q", "-I", "dts", "-O", "dtb", path})->output;
    CHECK(parse_tree(dtb).has_value());
    for (size_t length = 0; length < dtb.size(); ++length)
        CHECK_FALSE(parse_tree(View(dtb).first(length)));
    for (size_t at = 0; at < dtb.size(); ++at) {
        Bytes damaged = dtb;
        damaged[at] ^= 0x5a;
        (void)parse_tree(damaged).has_value();
    }
}

TEST_GROUP(Process) {};

TEST(Process, both_streams_and_the_status_are_collected)
{
    const auto finished = bulkhead::tool::run({"sh", "-c", "head -c 300000 /dev/zero; echo wrong >&2; exit 3"}).value();
    LONGS_EQUAL(3, finished.status);
    LONGS_EQUAL(300'000, finished.output.size());
    STRCMP_EQUAL("wrong\n", finished.messages.c_str());
}

TEST(Process, a_program_that_does_not_exist_cannot_be_run)
{
    CHECK_FALSE(bulkhead::tool::run({"/nonexistent/program"}));
}
