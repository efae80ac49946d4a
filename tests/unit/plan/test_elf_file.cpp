// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/elf_file.hpp"

#include "boot/plan/elf_file.cpp"
#include "boot/plan/text.cpp"
#include "tests/unit/plan/images.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;
using namespace bulkhead::test;

namespace {

std::string error_of(const Bytes& file)
{
    const auto elf = parse_elf(file);
    return elf ? "" : elf.error();
}

}  // namespace

TEST_GROUP(ElfFile) {};

TEST(ElfFile, segments_and_sections_are_found)
{
    const Bytes file = make_core();
    const auto elf = parse_elf(file);
    CHECK(elf.has_value());
    CHECK(elf->entry == 0x200000);
    LONGS_EQUAL(2, elf->segments.size());
    CHECK(elf->segments[1].memory_bytes == 0x5000);
    CHECK(elf->section(".plan_anchor") != nullptr);
    CHECK(elf->section(".plan_anchor")->content.size() == sizeof(bulkhead::plan::Anchor));
    CHECK(elf->section(".nothing") == nullptr);
}

TEST(ElfFile, a_32_bit_file_is_refused_as_such)
{
    Bytes file = tiny_kernel();
    file[EI_CLASS] = ELFCLASS32;
    STRCMP_EQUAL("is a 32-bit ELF file; a 64-bit one (x86-64) is needed", error_of(file).c_str());
}

TEST(ElfFile, another_machine_byte_order_or_kind_is_refused)
{
    Bytes arm = tiny_kernel();
    overwrite(arm, offsetof(Elf64_Ehdr, e_machine), uint16_t{EM_AARCH64});
    STRCMP_EQUAL("is an ELF file for machine type 183; x86-64 (62) is needed", error_of(arm).c_str());
    Bytes big = tiny_kernel();
    big[EI_DATA] = ELFDATA2MSB;
    CHECK_FALSE(parse_elf(big));
    Bytes object = tiny_kernel();
    overwrite(object, offsetof(Elf64_Ehdr, e_type), uint16_t{ET_REL});
    CHECK_FALSE(parse_elf(object));
}

TEST(ElfFile, every_truncation_is_refused_and_none_crashes)
{
    const Bytes file = make_core();
    for (size_t length = 0; length < file.size(); ++length) {
        const Bytes part(file.begin(), file.begin() + static_cast<ptrdiff_t>(length));
        CHECK_FALSE(parse_elf(part));
    }
}

TEST(ElfFile, every_byte_of_the_headers_may_be_anything_without_a_crash)
{
    const Bytes good = make_core();
    for (size_t at = 0; at < good.size(); ++at) {
        for (const uint8_t value : Bytes{0x00, 0x01, 0x7f, 0x80, 0xff}) {
            Bytes file = good;
            file[at] = value;
            (void)parse_elf(file).has_value();
        }
    }
}

TEST(ElfFile, offsets_that_overflow_are_refused)
{
    Bytes file = tiny_kernel();
    overwrite(file, offsetof(Elf64_Ehdr, e_phoff), ~uint64_t{0} - 10);
    CHECK_FALSE(parse_elf(file));
    file = tiny_kernel();
    overwrite(file, sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_offset), ~uint64_t{0} - 10);
    CHECK_FALSE(parse_elf(file));
    file = tiny_kernel();
    overwrite(file, sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_memsz), ~uint64_t{0} - 10);
    overwrite(file, sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_paddr), uint64_t{4096});
    CHECK_FALSE(parse_elf(file));
}

TEST(ElfFile, more_in_the_file_than_in_memory_is_refused)
{
    Bytes file = tiny_kernel();
    overwrite(file, sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_memsz), uint64_t{1});
    STRCMP_EQUAL("is damaged: program header 0 has more bytes in the file than in memory", error_of(file).c_str());
}

TEST_GROUP(ElfNotes) {};

TEST(ElfNotes, names_and_descriptions_are_padded_to_four)
{
    Bytes content = note(7, View(Bytes{1, 2, 3}), "ab");
    append(content, note(8, View(Bytes{4}), "Xen"));
    const auto notes = parse_notes(content).value();
    LONGS_EQUAL(2, notes.size());
    STRCMP_EQUAL("ab", notes[0].name.c_str());
    LONGS_EQUAL(3, notes[0].description.size());
    LONGS_EQUAL(8, notes[1].type);
    LONGS_EQUAL(4, notes[1].description[0]);
}

TEST(ElfNotes, every_truncation_inside_a_note_is_refused)
{
    const Bytes content = note(7, View(Bytes{1, 2, 3, 4}), "Xen");
    for (size_t length = 1; length < content.size(); ++length)
        CHECK_FALSE(parse_notes(View(content).first(length)));
    LONGS_EQUAL(0, parse_notes({}).value().size());
}

TEST(ElfNotes, sizes_that_run_away_are_refused)
{
    for (const uint32_t size : {uint32_t{100}, ~uint32_t{0}, ~uint32_t{3}}) {
        Bytes content;
        append(content, view_of(Elf64_Nhdr{size, 4, 1}));
        content.resize(64);
        CHECK_FALSE(parse_notes(content));
        content.clear();
        append(content, view_of(Elf64_Nhdr{4, size, 1}));
        content.resize(64);
        CHECK_FALSE(parse_notes(content));
    }
}

TEST(ElfNotes, a_flood_of_notes_is_refused)
{
    CHECK_FALSE(parse_notes(Bytes(12 * 5000)));
}
