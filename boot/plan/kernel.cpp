// SPDX-License-Identifier: BSD-2-Clause
// Source: addresses as Xen 4.17's libelf computes them (elf_xen_addr_calc_check).
#include "boot/plan/kernel.hpp"

#include <algorithm>
#include <elf.h>
#include <numeric>

#include "boot/plan/bzimage.hpp"
#include "boot/plan/decompress.hpp"
#include "boot/plan/elf_file.hpp"
#include "core/types.hpp"

namespace bulkhead::tool {

namespace {

constexpr uint64_t largest_kernel_bytes = uint64_t{512} << 20;
constexpr uint64_t highest_address = uint64_t{1} << 39;
constexpr uint64_t length_bytes = sizeof(uint32_t);

Outcome<Bytes> unpack_bzimage(const BzImage& image)
{
    const auto compression = compression_of(image.payload);
    if (!compression) {
        if (is_elf(image.payload))
            return Bytes(image.payload.begin(), image.payload.end());
        return refuse("is a bzImage whose compression is not known; gzip, bzip2, lzma, xz, lz4 and zstd are");
    }
    auto elf = ATTEMPT(decompress(image.payload, *compression, largest_kernel_bytes));
    // The last four bytes are the unpacked length, in gzip by its own format and else by Linux's.
    const auto length = read_at<uint32_t>(image.payload, image.payload.size() - length_bytes);
    if (length && *length != elf.size())
        return refuse("is damaged: its kernel unpacks to ", elf.size(), " bytes and should have ", *length);
    return elf;
}

Outcome<Bytes> unpack(View file, std::string& version)
{
    if (file.empty())
        return refuse("is empty; Linux's bzImage (vmlinuz) or an ELF file with Xen notes is needed");
    if (is_bzimage(file)) {
        const auto image = ATTEMPT(parse_bzimage(file));
        version = image.version;
        return unpack_bzimage(image);
    }
    if (is_elf(file))
        return Bytes(file.begin(), file.end());
    if (const auto compression = compression_of(file)) {
        auto content = ATTEMPT(decompress(file, *compression, largest_kernel_bytes));
        if (is_elf(content))
            return content;
        return refuse("is not a kernel: it unpacks (", name_of(*compression), ") to something that is no ELF file");
    }
    return refuse("is not a kernel; Linux's bzImage (vmlinuz) or an ELF file with Xen notes is needed");
}

struct Load {
    uint64_t start;  // pseudo-physical
    uint64_t memory_bytes;
    View content;
};

Outcome<std::vector<Load>> loads_of(const ElfFile& elf, uint64_t paddr_offset)
{
    std::vector<Load> loads;
    for (const auto& segment : elf.segments) {
        if (segment.type != PT_LOAD || segment.memory_bytes == 0)
            continue;
        if (segment.physical_address < paddr_offset)
            return refuse("has a segment at ", Hex{segment.physical_address}, ", below its PADDR_OFFSET ",
                          Hex{paddr_offset});
        const uint64_t start = segment.physical_address - paddr_offset;
        if (start > highest_address || segment.memory_bytes > highest_address)
            return refuse("has a segment of ", segment.memory_bytes, " bytes at ", Hex{start},
                          "; a kernel is loaded below ", Hex{highest_address});
        loads.push_back({start, segment.memory_bytes, segment.content});
    }
    if (loads.empty())
        return refuse("has nothing to load: no PT_LOAD program header");
    std::stable_sort(loads.begin(), loads.end(), [](const Load& a, const Load& b) { return a.start < b.start; });
    for (size_t i = 1; i < loads.size(); ++i)
        if (loads[i].start - loads[i - 1].start < loads[i - 1].memory_bytes)
            return refuse("is damaged: two of its segments overlap at ", Hex{loads[i].start});
    const auto& last = loads.back();
    if (last.start + last.memory_bytes - loads.front().start > largest_kernel_bytes)
        return refuse("spreads over ", Size{last.start + last.memory_bytes - loads.front().start},
                      " of memory; at most ", Size{largest_kernel_bytes}, " are possible");
    return loads;
}

void put(KernelPiece& piece, const Load& load)
{
    const uint64_t offset = load.start - (piece.pfn << page_shift);
    if (!load.content.empty()) {
        piece.content.resize(offset);
        append(piece.content, load.content);
    }
    piece.frames = frames_for(offset + load.memory_bytes);
}

// Segments that share a frame become one piece; zeros at a piece's end need not be stored.
std::vector<KernelPiece> pieces_of(const std::vector<Load>& loads)
{
    std::vector<KernelPiece> pieces;
    for (const auto& load : loads) {
        const uint64_t pfn = load.start >> page_shift;
        if (pieces.empty() || pfn >= pieces.back().pfn + pieces.back().frames)
            pieces.push_back({pfn, 0, {}});
        put(pieces.back(), load);
    }
    for (auto& piece : pieces) {
        const auto last = std::find_if(piece.content.rbegin(), piece.content.rend(),
                                       [](uint8_t byte) { return byte != 0; });
        piece.content.resize(static_cast<size_t>(piece.content.rend() - last));
    }
    return pieces;
}

Outcome<void> check_addresses(const Kernel& kernel, uint64_t start, uint64_t bytes)
{
    if (kernel.virt_base % page_size != 0)
        return refuse("has the ELF note VIRT_BASE = ", Hex{kernel.virt_base}, "; a multiple of 0x1000 is needed");
    const uint64_t first = kernel.virt_base + start;
    if (first < kernel.virt_base || first + bytes < first)
        return refuse("does not fit between its VIRT_BASE ", Hex{kernel.virt_base},
                      " and the end of the address space");
    if (kernel.entry < first || kernel.entry - first >= bytes)
        return refuse("has its entry at ", Hex{kernel.entry}, ", outside its own ", Hex{first}, " to ",
                      Hex{first + bytes});
    return {};
}

}  // namespace

Outcome<Kernel> parse_pvh_kernel(View file)
{
    Kernel kernel;
    kernel.file_bytes = file.size();
    const Bytes content = ATTEMPT(unpack(file, kernel.version));
    const auto elf = ATTEMPT(parse_elf(content));
    kernel.notes = ATTEMPT(parse_xen_notes(elf));
    if (!kernel.notes.phys32_entry)
        return refuse("has no ELF note PHYS32_ENTRY: it was built without CONFIG_PVH; Debian's amd64 kernels have it");
    kernel.entry = *kernel.notes.phys32_entry;
    const auto loads = ATTEMPT(loads_of(elf, 0));
    kernel.end_pfn = frames_for(loads.back().start + loads.back().memory_bytes);
    if (kernel.entry < loads.front().start || frames_for(kernel.entry + 1) > kernel.end_pfn)
        return refuse("has its PHYS32_ENTRY at ", Hex{kernel.entry}, ", outside its own segments");
    kernel.pieces = pieces_of(loads);
    return kernel;
}

Outcome<Kernel> parse_pv_kernel(View file)
{
    Kernel kernel;
    kernel.file_bytes = file.size();
    const Bytes content = ATTEMPT(unpack(file, kernel.version));
    const auto elf = ATTEMPT(parse_elf(content));
    kernel.notes = ATTEMPT(parse_xen_notes(elf));
    if (auto fit = check_pv_notes(kernel.notes); !fit)
        return Refusal{fit.error()};
    kernel.virt_base = kernel.notes.virt_base.value_or(0);
    kernel.entry = kernel.notes.entry.value_or(elf.entry);
    const auto loads = ATTEMPT(loads_of(elf, kernel.notes.paddr_offset.value_or(0)));
    const uint64_t start = loads.front().start;
    const uint64_t end = loads.back().start + loads.back().memory_bytes;
    if (auto fit = check_addresses(kernel, start, end - start); !fit)
        return Refusal{fit.error()};
    kernel.end_pfn = frames_for(end);
    kernel.pieces = pieces_of(loads);
    return kernel;
}

}  // namespace bulkhead::tool
