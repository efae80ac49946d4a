// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/xen_notes.hpp"

#include "boot/plan/elf_file.cpp"
#include "boot/plan/text.cpp"
#include "boot/plan/value.cpp"
#include "boot/plan/xen_notes.cpp"
#include "tests/unit/plan/images.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;
using namespace bulkhead::test;

namespace {

Outcome<XenNotes> notes_in(std::initializer_list<Bytes> all)
{
    const Bytes file = make_elf(0, {load(0, Bytes(16)), notes_of(all)});
    return parse_xen_notes(parse_elf(file).value());
}

std::string refusal(const XenNotes& notes)
{
    const auto checked = check_pv_notes(notes);
    return checked ? "" : checked.error();
}

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

XenNotes generic()
{
    return notes_in({note(XEN_ELFNOTE_XEN_VERSION, "xen-3.0"), note(XEN_ELFNOTE_LOADER, "generic")}).value();
}

}  // namespace

TEST_GROUP(XenNotes) {};

TEST(XenNotes, those_of_linux_are_understood)
{
    const Bytes file = linux_kernel();
    const auto notes = parse_xen_notes(parse_elf(file).value()).value();
    STRCMP_EQUAL("linux", notes.guest_os.c_str());
    CHECK(notes.virt_base == linux_virt_base);
    CHECK(notes.entry == linux_virt_base + 0x1000000);
    CHECK(notes.init_p2m == 0x8000000000);
    CHECK(notes.mod_start_pfn);
    CHECK_FALSE(notes.hypercall_page.has_value());
    LONGS_EQUAL(1, notes.required_features);
    LONGS_EQUAL(0x11, notes.supported_features);
    STRCMP_EQUAL("", refusal(notes).c_str());
}

TEST(XenNotes, numbers_have_four_or_eight_bytes)
{
    CHECK(notes_in({note(XEN_ELFNOTE_VIRT_BASE, view_of(uint32_t{0x1000}))})->virt_base == 0x1000);
    CHECK_FALSE(notes_in({note(XEN_ELFNOTE_VIRT_BASE, View(Bytes{1, 2, 3}))}));
    CHECK_FALSE(notes_in({note(XEN_ELFNOTE_ENTRY, View{})}));
}

TEST(XenNotes, notes_of_others_are_not_xens)
{
    CHECK_FALSE(notes_in({note(XEN_ELFNOTE_ENTRY, view_of(uint64_t{1}), "GNU")})->any);
}

TEST(XenNotes, sections_count_when_no_segment_has_them)
{
    const Bytes file = make_elf(0, {load(0, Bytes(16))},
                                {{".notes", SHT_NOTE, 0, 0, note(XEN_ELFNOTE_LOADER, "generic"), 0, in_no_segment}});
    STRCMP_EQUAL("generic", parse_xen_notes(parse_elf(file).value())->loader.c_str());
}

TEST(XenNotes, text_need_not_end_in_a_zero)
{
    STRCMP_EQUAL("linux", notes_in({note(XEN_ELFNOTE_GUEST_OS, View(bytes_of("linux")))})->guest_os.c_str());
}

TEST(XenNotes, an_unknown_required_feature_is_refused_and_an_unknown_wish_is_not)
{
    CHECK_FALSE(notes_in({note(XEN_ELFNOTE_FEATURES, "!teleportation")}));
    CHECK(notes_in({note(XEN_ELFNOTE_FEATURES, "teleportation||")}).has_value());
}

TEST(XenNotes, a_kernel_that_needs_to_be_the_first_domain_or_a_translated_one_is_refused)
{
    auto notes = generic();
    notes.required_features = 1U << XENFEAT_dom0;
    CHECK(mentions(refusal(notes), "requires the feature dom0"));
    notes.required_features = 1U << XENFEAT_auto_translated_physmap;
    CHECK(mentions(refusal(notes), "auto_translated_physmap"));
    notes.required_features = 1U << XENFEAT_writable_page_tables;
    STRCMP_EQUAL("", refusal(notes).c_str());
}

TEST(XenNotes, what_is_missing_is_named)
{
    CHECK(mentions(refusal({}), "no Xen ELF notes"));
    auto notes = generic();
    notes.xen_version.clear();
    CHECK(mentions(refusal(notes), "no ELF note XEN_VERSION"));
    notes = generic();
    notes.loader.clear();
    CHECK(mentions(refusal(notes), "LOADER"));
    notes.guest_os = "linux";
    CHECK(mentions(refusal(notes), "CONFIG_XEN_PV"));
    notes.phys32_entry = 0x1000000;
    CHECK(mentions(refusal(notes), "only PHYS32_ENTRY"));
    CHECK(mentions(refusal(notes), "runs as pvh only"));
}

TEST(XenNotes, paddr_offset_needs_virt_base)
{
    auto notes = generic();
    notes.paddr_offset = 0;
    CHECK(mentions(refusal(notes), "PADDR_OFFSET"));
    notes.virt_base = 0;
    STRCMP_EQUAL("", refusal(notes).c_str());
}

TEST(XenNotes, the_hole_of_the_hypervisor_cannot_begin_higher)
{
    auto notes = generic();
    notes.hv_start_low = 0xffff800000000000;
    STRCMP_EQUAL("", refusal(notes).c_str());
    notes.hv_start_low = 0xffff900000000000;
    CHECK(mentions(refusal(notes), "HV_START_LOW"));
}
