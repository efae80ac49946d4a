// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/image.hpp"
#include "boot/plan/symbols.hpp"

#include "boot/plan/elf_file.cpp"
#include "boot/plan/image.cpp"
#include "boot/plan/slim_elf.cpp"
#include "boot/plan/symbols.cpp"
#include "boot/plan/text.cpp"
#include "tests/unit/plan/images.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;
using namespace bulkhead::test;
using bulkhead::plan::Anchor;

namespace {

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Bytes image_of(const Bytes& core_file, const Bytes& plan)
{
    return write_image(parse_core(core_file).value(), plan).value();
}

}  // namespace

TEST_GROUP(Image) {};

TEST(Image, the_plan_becomes_a_segment_at_the_next_2_mib_boundary)
{
    const Bytes core = make_core();
    const Bytes plan = bytes_of("this is the plan");
    const Bytes image = image_of(core, plan);
    const auto elf = parse_elf(image).value();
    LONGS_EQUAL(3, elf.segments.size());
    const auto& segment = elf.segments.back();
    LONGS_EQUAL(PT_LOAD, segment.type);
    LONGS_EQUAL(PF_R, segment.flags);
    CHECK(segment.physical_address == 0x400000);
    CHECK(segment.virtual_address == 0x400000);
    CHECK(Bytes(segment.content.begin(), segment.content.end()) == plan);
    CHECK(segment.file_offset % 4096 == 0);
}

TEST(Image, the_cores_own_bytes_stay_where_they_were)
{
    const Bytes core_file = make_core();
    const Bytes image = image_of(core_file, bytes_of("plan"));
    const auto core = parse_core(core_file).value();
    const auto elf = parse_elf(image).value();
    for (size_t i = 0; i < core.elf.segments.size(); ++i) {
        CHECK(elf.segments[i].file_offset == core.elf.segments[i].file_offset);
        CHECK(elf.segments[i].physical_address == core.elf.segments[i].physical_address);
    }
}

TEST(Image, debug_information_and_symbols_are_left_out)
{
    Bytes core_file = make_core(512, {}, {{".debug_info", SHT_PROGBITS, 0, 0, Bytes(100'000, 7), 0, in_no_segment}});
    const Bytes image = image_of(core_file, bytes_of("plan"));
    CHECK(image.size() < 20'000);
    const auto elf = parse_elf(image).value();
    CHECK(elf.section(".debug_info") == nullptr);
    CHECK(elf.section(".text") != nullptr);
    CHECK(elf.section(".symtab") == nullptr);
    CHECK(elf.section(".strtab") == nullptr);
    LONGS_EQUAL(0, function_symbols(elf)->size());
}

TEST(Image, an_anchor_that_is_not_loaded_is_refused)
{
    const Bytes anchor = bytes_of(std::string("BULKHEAD-PLAN-AT") + std::string(16, '\0'));
    const Bytes core = make_elf(0, {load(0x200000, Bytes(16))}, {{".plan_anchor", SHT_PROGBITS, 0, 0, anchor, 0, in_no_segment}});
    CHECK(mentions(parse_core(core).error(), "that is not loaded"));
}

TEST(Image, the_anchor_says_where_the_plan_is_loaded)
{
    const Bytes image = image_of(make_core(), bytes_of("plan"));
    const auto anchor = read_at<Anchor>(parse_elf(image)->section(".plan_anchor")->content, 0).value();
    CHECK(anchor.physical == 0x400000);
    CHECK(anchor.size_bytes == 4);
}

TEST(Image, the_plan_can_be_read_back)
{
    const Bytes image = image_of(make_core(), bytes_of("plan"));
    const auto plan = plan_in_image(image).value();
    LONGS_EQUAL(4, plan.size());
    CHECK(mentions(plan_in_image(make_core()).error(), "holds no plan"));
}

TEST(Image, without_a_gap_behind_the_headers_an_unneeded_one_is_used)
{
    const Bytes core = make_core(0, {{PT_GNU_STACK, 0, 0, {}, 0}});
    const auto elf = parse_elf(image_of(core, bytes_of("plan"))).value();
    LONGS_EQUAL(3, elf.segments.size());
    CHECK(elf.segments[2].physical_address == 0x400000);
}

TEST(Image, without_any_room_for_a_header_the_core_is_refused)
{
    CHECK(mentions(write_image(parse_core(make_core(0)).value(), bytes_of("plan")).error(), "no room"));
}

TEST(Image, a_file_that_is_not_the_core_is_refused)
{
    CHECK(mentions(parse_core(linux_kernel()).error(), "it is not Bulkhead's core"));
    CHECK(mentions(parse_core(bytes_of("x")).error(), "is not an ELF file"));
    Bytes core = make_core();
    const std::string_view mark = "BULKHEAD-PLAN-AT";
    const auto at = std::search(core.begin(), core.end(), mark.begin(), mark.end());
    *at = 'b';
    CHECK(mentions(parse_core(core).error(), "has no mark"));
}

TEST(Image, what_would_reach_into_the_devices_range_is_refused)
{
    const Bytes core = make_core(512, {{PT_LOAD, 0xbfe00000, 0xbfe00000, Bytes(16), 0x200000}});
    CHECK(mentions(write_image(parse_core(core).value(), Bytes(16)).error(), "would reach up to"));
    const Bytes beyond = make_core(512, {{PT_LOAD, 0xc0000000, 0xc0000000, Bytes(16), 0x1000}});
    CHECK_FALSE(parse_core(beyond));
}

TEST(Image, every_truncation_of_a_core_is_refused)
{
    const Bytes core = make_core();
    for (size_t length = 0; length < core.size(); ++length)
        CHECK_FALSE(parse_core(View(core).first(length)));
}

TEST_GROUP(Symbols) {};

TEST(Symbols, functions_are_listed_by_address_and_others_are_not)
{
    const Bytes core = make_core();
    const auto functions = function_symbols(parse_elf(core).value()).value();
    LONGS_EQUAL(2, functions.size());
    STRCMP_EQUAL("start", functions[0].name.c_str());
    CHECK(functions[0].address == 0x200000);
    CHECK(functions[0].size_bytes == 0x20);
    STRCMP_EQUAL("pv::map", functions[1].name.c_str());
    CHECK(functions[1].size_bytes == 16);
}

TEST(Symbols, a_file_without_symbols_has_none)
{
    const Bytes kernel = linux_kernel();
    LONGS_EQUAL(0, function_symbols(parse_elf(kernel).value())->size());
}

TEST(Symbols, names_lose_parameters_return_types_and_the_projects_own_name)
{
    STRCMP_EQUAL("memcpy", short_name("memcpy").c_str());
    STRCMP_EQUAL("pv::map", short_name("_ZN8bulkhead2pv3mapEm").c_str());
    STRCMP_EQUAL("f", short_name("_ZN8bulkhead12_GLOBAL__N_11fEv").c_str());
    // std::span<int const> bulkhead::table<int>(bulkhead::Header const&)
    STRCMP_EQUAL("table<int>", short_name("_ZN8bulkhead5tableIiEESt4spanIKT_Lm18446744073709551615EERKNS_6HeaderE").c_str());
    STRCMP_EQUAL("X::operator()", short_name("_ZN8bulkhead1XclEi").c_str());
    STRCMP_EQUAL("X::operator<<", short_name("_ZN8bulkhead1XlsEi").c_str());
    STRCMP_EQUAL("_Znonsense", short_name("_Znonsense").c_str());
}
