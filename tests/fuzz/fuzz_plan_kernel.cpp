// SPDX-License-Identifier: BSD-2-Clause
// Kernel files: whatever the bytes, the host tool refuses them with a sentence or understands them so
// that the pieces are in order, inside their bounds, and can be laid out. The first byte chooses a
// kernel that is sound, and what follows spoils it: offset (two bytes) and value; or the bytes are
// the file themselves. Links with -llz4 -lzstd -llzma -lz -lbz2.
#include "tests/fuzz/plan_clang.hpp"

#include "boot/plan/bzimage.cpp"
#include "boot/plan/decompress.cpp"
#include "boot/plan/elf_file.cpp"
#include "boot/plan/kernel.cpp"
#include "boot/plan/pv_layout.cpp"
#include "boot/plan/text.cpp"
#include "boot/plan/value.cpp"
#include "boot/plan/xen_notes.cpp"
#include "tests/unit/plan/images.hpp"

#include <cstdlib>

using namespace bulkhead::tool;

namespace {

void must(bool holds)
{
    if (!holds)
        std::abort();
}

void check_pieces(const Kernel& kernel)
{
    uint64_t next = 0;
    for (const auto& piece : kernel.pieces) {
        must(piece.pfn >= next && piece.frames != 0);
        must(piece.content.size() <= piece.frames << 12);
        next = piece.pfn + piece.frames;
    }
    must(next == kernel.end_pfn);
}

void check_layout(const Kernel& kernel)
{
    const auto layout = lay_out_pv(kernel, {12345, 65536, true});
    if (!layout)
        return;
    const auto& pv = layout->start;
    must(pv.start_info_pfn >= kernel.end_pfn && pv.stack_pfn < pv.mapped_end_pfn);
    must(pv.tables_pfn + pv.tables_frames <= pv.mapped_end_pfn && layout->used_frames >= pv.mapped_end_pfn);
    must(least_memory_frames(kernel, {12345, 0, true}).has_value());
}

std::vector<Bytes> sound_files()
{
    using namespace bulkhead::test;
    const Bytes elf = linux_kernel();
    return {tiny_kernel(),
            elf,
            make_bzimage(gzip(elf)),
            make_bzimage(with_length(bzip2(elf), elf.size())),
            make_bzimage(with_length(lzma(elf), elf.size())),
            make_bzimage(with_length(xz(elf), elf.size())),
            make_bzimage(with_length(lz4_legacy(elf), elf.size())),
            make_bzimage(with_length(zstd(elf), elf.size())),
            make_core()};
}

Bytes file_of(View input)
{
    static const std::vector<Bytes> sound = sound_files();
    if (input.empty() || input[0] >= sound.size())
        return {input.begin(), input.end()};
    Bytes file = sound[input[0]];
    for (size_t i = 1; i + 3 <= input.size(); i += 3)
        file[(input[i] | size_t{input[i + 1]} << 8) % file.size()] = input[i + 2];
    return file;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    const auto kernel = parse_pv_kernel(file_of({data, size}));
    if (!kernel) {
        must(!kernel.error().empty());
        return 0;
    }
    check_pieces(*kernel);
    check_layout(*kernel);
    return 0;
}
