// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/kernel.hpp"

#include "boot/plan/bzimage.cpp"
#include "boot/plan/decompress.cpp"
#include "boot/plan/elf_file.cpp"
#include "boot/plan/kernel.cpp"
#include "boot/plan/text.cpp"
#include "boot/plan/value.cpp"
#include "boot/plan/xen_notes.cpp"
#include "tests/unit/plan/images.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;
using namespace bulkhead::test;

namespace {

std::string refusal(const Bytes& file)
{
    const auto kernel = parse_pv_kernel(file);
    return kernel ? "" : kernel.error();
}

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Bytes with_notes(std::vector<Segment> segments)
{
    segments.push_back(linux_notes());
    return make_elf(0x1000000, segments);
}

}  // namespace

TEST_GROUP(Kernel) {};

TEST(Kernel, an_elf_kernel_is_laid_out_by_its_physical_addresses)
{
    const auto kernel = parse_pv_kernel(linux_kernel()).value();
    CHECK(kernel.virt_base == linux_virt_base);
    CHECK(kernel.entry == linux_virt_base + 0x1000000);
    CHECK(kernel.end_pfn == 0x1203);
    LONGS_EQUAL(2, kernel.pieces.size());
    CHECK(kernel.pieces[0].pfn == 0x1000 && kernel.pieces[0].frames == 2);
    LONGS_EQUAL(5000, kernel.pieces[0].content.size());
    CHECK(kernel.pieces[1].pfn == 0x1200 && kernel.pieces[1].frames == 3);
    LONGS_EQUAL(100, kernel.pieces[1].content.size());
}

TEST(Kernel, the_least_that_the_abi_asks_for_is_enough)
{
    const auto kernel = parse_pv_kernel(tiny_kernel()).value();
    CHECK(kernel.virt_base == 0);
    CHECK(kernel.entry == 0x10);
    CHECK(kernel.end_pfn == 1);
}

TEST(Kernel, every_compression_of_a_bzimage_works)
{
    const Bytes elf = linux_kernel();
    for (const auto& payload : {gzip(elf), with_length(bzip2(elf), elf.size()), with_length(lzma(elf), elf.size()),
                                with_length(xz(elf), elf.size()), with_length(lz4_legacy(elf), elf.size()),
                                with_length(zstd(elf), elf.size())}) {
        const auto kernel = parse_pv_kernel(make_bzimage(payload));
        CHECK(kernel.has_value());
        CHECK(kernel->end_pfn == 0x1203);
        STRCMP_EQUAL("6.1.0-test (somebody) #1", kernel->version.c_str());
    }
}

TEST(Kernel, a_compressed_elf_file_without_a_boot_header_works_too)
{
    CHECK(parse_pv_kernel(gzip(linux_kernel())).has_value());
    CHECK(parse_pv_kernel(xz(linux_kernel())).has_value());
}

TEST(Kernel, a_wrong_appended_length_is_damage)
{
    const Bytes elf = linux_kernel();
    CHECK(mentions(refusal(make_bzimage(with_length(xz(elf), elf.size() + 1))), "and should have"));
}

TEST(Kernel, what_is_no_kernel_is_refused_with_what_is_one)
{
    CHECK(mentions(refusal(bytes_of("hello")), "is not a kernel; Linux's bzImage"));
    CHECK(mentions(refusal({}), "is empty"));
    CHECK(mentions(refusal(gzip(bytes_of("hello"))), "unpacks (gzip) to something that is no ELF file"));
    CHECK(mentions(refusal(make_bzimage(bytes_of("abcdefgh"))), "compression is not known"));
    CHECK(mentions(refusal(make_bzimage(bytes_of("\x89LZO...."))), "lzo"));
    CHECK(mentions(refusal(make_bzimage({})), "without a compressed kernel"));
    CHECK(mentions(refusal(make_bzimage(bytes_of("abcdefgh"), 0x0207)), "boot protocol 2.7"));
}

TEST(Kernel, every_truncation_of_a_bzimage_is_refused)
{
    const Bytes elf = tiny_kernel();
    const Bytes file = make_bzimage(gzip(elf));
    // The header counts in units of 16 bytes, so the last few may be missing.
    for (size_t length = 0; length <= file.size() - 16; ++length)
        CHECK_FALSE(parse_pv_kernel(View(file).first(length)));
    CHECK(parse_pv_kernel(file).has_value());
}

TEST(Kernel, every_truncation_of_an_elf_kernel_is_refused_or_harmless)
{
    const Bytes file = linux_kernel();
    for (size_t length = 0; length < file.size(); ++length)
        CHECK_FALSE(parse_pv_kernel(View(file).first(length)));
}

TEST(Kernel, any_byte_may_be_wrong_without_a_crash)
{
    const Bytes good = linux_kernel();
    for (size_t at = 0; at < good.size(); ++at) {
        for (const uint8_t value : Bytes{0x00, 0x7f, 0xff}) {
            Bytes file = good;
            file[at] = value;
            (void)parse_pv_kernel(file).has_value();
        }
    }
}

TEST(Kernel, segments_that_share_a_frame_become_one_piece)
{
    const auto kernel = parse_pv_kernel(with_notes({load(0x1000000, Bytes(100, 1)), load(0x1000800, Bytes(100, 2), 0x1000),
                                                    load(0x1001900, Bytes(100, 3))})).value();
    LONGS_EQUAL(1, kernel.pieces.size());
    CHECK(kernel.pieces[0].frames == 2);
    LONGS_EQUAL(0x1900 + 100, kernel.pieces[0].content.size());
    LONGS_EQUAL(1, kernel.pieces[0].content[99]);
    LONGS_EQUAL(0, kernel.pieces[0].content[100]);
    LONGS_EQUAL(2, kernel.pieces[0].content[0x800]);
    LONGS_EQUAL(0, kernel.pieces[0].content[0x864]);
    LONGS_EQUAL(3, kernel.pieces[0].content[0x1900]);
}

TEST(Kernel, a_segment_that_begins_inside_a_frame_keeps_its_place)
{
    const auto kernel = parse_pv_kernel(with_notes({load(0x1000000, Bytes(1, 1)), load(0x1005123, Bytes(1, 7))})).value();
    LONGS_EQUAL(2, kernel.pieces.size());
    CHECK(kernel.pieces[1].pfn == 0x1005);
    LONGS_EQUAL(0x124, kernel.pieces[1].content.size());
    LONGS_EQUAL(7, kernel.pieces[1].content[0x123]);
}

TEST(Kernel, zeros_at_the_end_of_a_piece_are_not_stored)
{
    Bytes content(5000, 1);
    content.resize(100'000);
    const auto kernel = parse_pv_kernel(with_notes({load(0x1000000, content)})).value();
    LONGS_EQUAL(5000, kernel.pieces[0].content.size());
    LONGS_EQUAL(25, kernel.pieces[0].frames);
}

TEST(Kernel, segments_in_any_order_are_sorted_and_overlaps_are_refused)
{
    CHECK(parse_pv_kernel(with_notes({load(0x1200000, Bytes(10, 1)), load(0x1000000, Bytes(10, 1))})).has_value());
    CHECK(mentions(refusal(with_notes({load(0x1000000, Bytes(4097, 1)), load(0x1001000, Bytes(10, 1))})), "overlap"));
}

TEST(Kernel, an_entry_outside_the_kernel_is_refused)
{
    CHECK(mentions(refusal(with_notes({load(0x2000000, Bytes(10, 1))})), "has its entry at 0xffffffff81000000"));
}

TEST(Kernel, a_kernel_without_segments_or_spread_too_far_is_refused)
{
    CHECK(mentions(refusal(make_elf(0, {linux_notes()})), "nothing to load"));
    CHECK(mentions(refusal(with_notes({load(0x1000000, Bytes(10, 1)), load(0x51000000, Bytes(10, 1))})), "spreads over"));
    CHECK(mentions(refusal(with_notes({load(uint64_t{1} << 60, Bytes(10, 1))})), "is loaded below"));
}

TEST(Kernel, paddr_offset_is_taken_from_physical_addresses)
{
    const Bytes file = make_elf(0, {{PT_LOAD, 0, linux_virt_base + 0x2000, Bytes(10, 1), 10},
                                    notes_of({note(XEN_ELFNOTE_XEN_VERSION, "xen-3.0"), note(XEN_ELFNOTE_LOADER, "generic"),
                                              note(XEN_ELFNOTE_VIRT_BASE, linux_virt_base),
                                              note(XEN_ELFNOTE_PADDR_OFFSET, linux_virt_base),
                                              note(XEN_ELFNOTE_ENTRY, linux_virt_base + 0x2000)})});
    const auto kernel = parse_pv_kernel(file);
    CHECK(kernel.has_value());
    CHECK(kernel->pieces[0].pfn == 2);
}
