// SPDX-License-Identifier: BSD-2-Clause
// Small kernels, bzImages and cores for the host tool's tests, built byte by byte.
#pragma once

#include <bzlib.h>
#include <elf.h>
#include <lz4hc.h>
#include <lzma.h>
#include <string>
#include <zlib.h>
#include <zstd.h>

#include "boot/plan/bytes.hpp"
#include "core/plan.hpp"

extern "C" {
#include <xen/elfnote.h>
}

namespace bulkhead::test {

using tool::append;
using tool::Bytes;
using tool::pad_to;
using tool::View;
using tool::view_of;

inline constexpr uint64_t linux_virt_base = 0xffffffff80000000;

inline Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

inline Bytes note(uint32_t type, View description, std::string_view name = "Xen")
{
    Bytes out;
    append(out, view_of(Elf64_Nhdr{static_cast<uint32_t>(name.size() + 1), static_cast<uint32_t>(description.size()), type}));
    append(out, bytes_of(name));
    out.push_back(0);
    pad_to(out, 4);
    append(out, description);
    pad_to(out, 4);
    return out;
}

inline Bytes note(uint32_t type, std::string_view text)
{
    Bytes description = bytes_of(text);
    description.push_back(0);
    return note(type, View(description));
}

inline Bytes note(uint32_t type, uint64_t number) { return note(type, view_of(number)); }

struct Segment {
    uint32_t type;
    uint64_t virtual_address;
    uint64_t physical_address;
    Bytes content;
    uint64_t memory_bytes;
};

inline Segment load(uint64_t physical_address, Bytes content, uint64_t memory_bytes = 0)
{
    const uint64_t size = memory_bytes == 0 ? content.size() : memory_bytes;
    return {PT_LOAD, linux_virt_base + physical_address, physical_address, std::move(content), size};
}

inline Segment notes_of(std::initializer_list<Bytes> all)
{
    Bytes content;
    for (const auto& one : all)
        append(content, one);
    const uint64_t size = content.size();
    return {PT_NOTE, 0, 0, std::move(content), size};
}

struct Section {
    std::string name;
    uint32_t type;
    uint64_t flags;
    uint64_t address;
    Bytes content;
    uint32_t link;
    uint32_t in_segment;  // index of the segment whose content it is; then `content` is not used
};
inline constexpr uint32_t in_no_segment = ~uint32_t{0};

inline Elf64_Ehdr elf_header(uint64_t entry, size_t segments)
{
    Elf64_Ehdr header{};
    const std::string_view ident{"\x7f" "ELF\x02\x01\x01", 7};
    std::copy(ident.begin(), ident.end(), header.e_ident);
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_entry = entry;
    header.e_phoff = sizeof(Elf64_Ehdr);
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<uint16_t>(segments);
    header.e_shentsize = sizeof(Elf64_Shdr);
    return header;
}

template <class T>
void overwrite(Bytes& bytes, uint64_t offset, const T& record)
{
    const auto view = view_of(record);
    std::copy(view.begin(), view.end(), bytes.begin() + static_cast<ptrdiff_t>(offset));
}

// A linked program; `gap` is left between its program headers and its first content.
inline Bytes make_elf(uint64_t entry, const std::vector<Segment>& segments, std::vector<Section> sections = {},
                      uint64_t gap = 512)
{
    Elf64_Ehdr header = elf_header(entry, segments.size());
    Bytes out(sizeof(Elf64_Ehdr) + segments.size() * sizeof(Elf64_Phdr) + gap);
    std::vector<uint64_t> offsets;
    for (size_t i = 0; i < segments.size(); ++i) {
        const auto& segment = segments[i];
        pad_to(out, 16);
        offsets.push_back(out.size());
        overwrite(out, header.e_phoff + i * sizeof(Elf64_Phdr),
                  Elf64_Phdr{segment.type, PF_R, out.size(), segment.virtual_address, segment.physical_address,
                             segment.content.size(), segment.memory_bytes, 16});
        append(out, segment.content);
    }
    if (!sections.empty()) {
        Bytes names(1);
        sections.insert(sections.begin(), Section{"", SHT_NULL, 0, 0, {}, 0, in_no_segment});
        sections.push_back({".shstrtab", SHT_STRTAB, 0, 0, {}, 0, in_no_segment});
        std::vector<uint32_t> name_offsets;
        for (const auto& section : sections) {
            name_offsets.push_back(static_cast<uint32_t>(names.size()));
            append(names, bytes_of(section.name));
            names.push_back(0);
        }
        sections.back().content = names;
        std::vector<Elf64_Shdr> headers;
        for (size_t i = 0; i < sections.size(); ++i) {
            const auto& section = sections[i];
            const bool shared = section.in_segment != in_no_segment;
            const uint64_t offset = shared ? offsets[section.in_segment] : out.size();
            const uint64_t size = shared ? segments[section.in_segment].content.size() : section.content.size();
            headers.push_back({name_offsets[i], section.type, section.flags, section.address, i == 0 ? 0 : offset, size,
                               section.link, 0, 1, 0});
            append(out, section.content);
        }
        pad_to(out, 8);
        header.e_shoff = out.size();
        header.e_shnum = static_cast<uint16_t>(sections.size());
        header.e_shstrndx = static_cast<uint16_t>(sections.size() - 1);
        append(out, view_of(headers));
    }
    overwrite(out, 0, header);
    return out;
}

inline Segment linux_notes()
{
    return notes_of({note(XEN_ELFNOTE_GUEST_OS, "linux"), note(XEN_ELFNOTE_GUEST_VERSION, "2.6"),
                     note(XEN_ELFNOTE_XEN_VERSION, "xen-3.0"), note(XEN_ELFNOTE_LOADER, "generic"),
                     note(XEN_ELFNOTE_VIRT_BASE, linux_virt_base), note(XEN_ELFNOTE_INIT_P2M, uint64_t{0x8000000000}),
                     note(XEN_ELFNOTE_ENTRY, linux_virt_base + 0x1000000),
                     note(XEN_ELFNOTE_FEATURES, "!writable_page_tables|pae_pgdir_above_4gb"),
                     note(XEN_ELFNOTE_MOD_START_PFN, uint64_t{1}),
                     note(XEN_ELFNOTE_HV_START_LOW, uint64_t{0xffff800000000000})});
}

// As Linux lays itself out: 16 MiB up, text and data with zeros behind.
inline Bytes linux_kernel()
{
    return make_elf(0x1000000, {load(0x1000000, Bytes(5000, 0x90)), load(0x1200000, Bytes(100, 0x11), 0x3000),
                                linux_notes()});
}

// Nothing but what the ABI asks for.
inline Bytes tiny_kernel()
{
    return make_elf(0x10, {load(0, Bytes(64, 0xf4)), notes_of({note(XEN_ELFNOTE_GUEST_OS, "test"),
                                                               note(XEN_ELFNOTE_XEN_VERSION, "xen-3.0"),
                                                               note(XEN_ELFNOTE_LOADER, "generic")})});
}

// A program on the runtime: the same with the note that its link puts in.
inline Bytes runtime_program()
{
    return make_elf(0x10, {load(0, Bytes(64, 0xf4)), notes_of({note(XEN_ELFNOTE_GUEST_OS, "bulkhead"),
                                                               note(XEN_ELFNOTE_XEN_VERSION, "xen-3.0"),
                                                               note(XEN_ELFNOTE_LOADER, "generic"),
                                                               note(1, {}, "Bulkhead")})});
}

inline Bytes gzip(View data)
{
    Bytes out(compressBound(data.size()) + 64);
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    stream.next_in = const_cast<Bytef*>(data.data());
    stream.avail_in = static_cast<uInt>(data.size());
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

inline Bytes bzip2(View data)
{
    Bytes in(data.begin(), data.end());
    Bytes out(data.size() + data.size() / 100 + 600);
    auto size = static_cast<unsigned>(out.size());
    BZ2_bzBuffToBuffCompress(reinterpret_cast<char*>(out.data()), &size, reinterpret_cast<char*>(in.data()),
                             static_cast<unsigned>(in.size()), 1, 0, 0);
    out.resize(size);
    return out;
}

// With the x86 filter, as Linux's build uses it.
inline Bytes xz(View data)
{
    lzma_options_lzma options;
    lzma_lzma_preset(&options, 0);
    Bytes out(lzma_stream_buffer_bound(data.size()));
    size_t size = 0;
    lzma_filter filters[] = {{LZMA_FILTER_X86, nullptr}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
    const auto result = lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, nullptr, data.data(), data.size(), out.data(), &size, out.size());
    out.resize(result == LZMA_OK ? size : 0);
    return out;
}

inline Bytes lzma(View data)
{
    lzma_options_lzma options;
    lzma_lzma_preset(&options, 0);
    lzma_stream stream = LZMA_STREAM_INIT;
    Bytes out(data.size() * 2 + 1000);
    if (lzma_alone_encoder(&stream, &options) != LZMA_OK)
        return {};
    stream.next_in = data.data();
    stream.avail_in = data.size();
    stream.next_out = out.data();
    stream.avail_out = out.size();
    while (lzma_code(&stream, LZMA_FINISH) == LZMA_OK) {
    }
    out.resize(stream.total_out);
    lzma_end(&stream);
    return out;
}

inline Bytes lz4_legacy(View data)
{
    Bytes out{0x02, 0x21, 0x4c, 0x18};
    Bytes packed(static_cast<size_t>(LZ4_compressBound(static_cast<int>(data.size()))));
    const int size = LZ4_compress_HC(reinterpret_cast<const char*>(data.data()), reinterpret_cast<char*>(packed.data()),
                                     static_cast<int>(data.size()), static_cast<int>(packed.size()), 9);
    append(out, view_of(static_cast<uint32_t>(size)));
    append(out, View(packed).first(static_cast<size_t>(size)));
    return out;
}

inline Bytes zstd(View data)
{
    Bytes out(ZSTD_compressBound(data.size()));
    out.resize(ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 19));
    return out;
}

// Linux's build appends the unpacked length to everything but gzip, which has it already.
inline Bytes with_length(Bytes packed, uint64_t length)
{
    append(packed, view_of(static_cast<uint32_t>(length)));
    return packed;
}

inline Bytes make_bzimage(View payload, uint16_t protocol = 0x020f,
                          std::string_view version = "6.1.0-test (somebody) #1")
{
    static constexpr uint64_t setup_bytes = 2 * 512;
    Bytes out(setup_bytes);
    out[0x1f1] = 1;
    overwrite(out, 0x1fe, uint16_t{0xaa55});
    append(out, View{});
    const std::string_view magic = "HdrS";
    std::copy(magic.begin(), magic.end(), out.begin() + 0x202);
    overwrite(out, 0x206, protocol);
    overwrite(out, 0x20e, uint16_t{0x300 - 512});
    std::copy(version.begin(), version.end(), out.begin() + 0x300);
    overwrite(out, 0x248, uint32_t{16});
    overwrite(out, 0x24c, static_cast<uint32_t>(payload.size()));
    out.resize(setup_bytes + 16);
    append(out, payload);
    out.resize(out.size() + 40);
    pad_to(out, 16);
    overwrite(out, 0x1f4, static_cast<uint32_t>((out.size() - setup_bytes) / 16));
    return out;
}

// A core as boot/core.lds makes it, with as much as the tool looks at.
inline Bytes make_core(uint64_t gap = 512, const std::vector<Segment>& more = {}, const std::vector<Section>& first = {})
{
    plan::Anchor anchor{{'B', 'U', 'L', 'K', 'H', 'E', 'A', 'D', '-', 'P', 'L', 'A', 'N', '-', 'A', 'T'}, 0, 0};
    Bytes strings(1);
    std::vector<Elf64_Sym> symbols(1);
    const auto text_index = static_cast<uint16_t>(first.size() + 1);
    const auto add = [&](std::string_view name, uint64_t value, uint64_t size, unsigned char type, uint16_t section) {
        symbols.push_back({static_cast<uint32_t>(strings.size()), static_cast<unsigned char>(ELF64_ST_INFO(STB_GLOBAL, type)),
                           0, section, value, size});
        append(strings, bytes_of(name));
        strings.push_back(0);
    };
    add("_ZN8bulkhead2pv3mapEm", 0x200020, 16, STT_FUNC, text_index);
    add("start", 0x200000, 0, STT_NOTYPE, text_index);
    add("some_data", 0x201000, 8, STT_OBJECT, static_cast<uint16_t>(text_index + 1));
    const auto symbol_bytes = view_of(symbols);
    std::vector<Segment> segments{{PT_LOAD, 0x200000, 0x200000, Bytes(64, 0x90), 64},
                                  {PT_LOAD, 0x201000, 0x201000, Bytes(view_of(anchor).begin(), view_of(anchor).end()), 0x5000}};
    segments.insert(segments.end(), more.begin(), more.end());
    std::vector<Section> sections = first;
    sections.push_back({".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0x200000, {}, 0, 0});
    sections.push_back({".plan_anchor", SHT_PROGBITS, SHF_ALLOC, 0x201000, {}, 0, 1});
    sections.push_back({".symtab", SHT_SYMTAB, 0, 0, Bytes(symbol_bytes.begin(), symbol_bytes.end()),
                        static_cast<uint32_t>(text_index + 3), in_no_segment});
    sections.push_back({".strtab", SHT_STRTAB, 0, 0, strings, 0, in_no_segment});
    return make_elf(0x200000, segments, sections, gap);
}

}  // namespace bulkhead::test
