// SPDX-License-Identifier: BSD-2-Clause
// Source: xen/include/public/xen.h, "Start-of-day memory layout"; the order behind the mapped region,
// and which p2m addresses count, as Xen 4.17's domain builder has them (xc_dom_build_image).
#include "boot/plan/pv_layout.hpp"

#include <algorithm>

#include "core/types.hpp"

namespace bulkhead::tool {

namespace {

constexpr uint64_t mapping_boundary_bytes = uint64_t{4} << 20;
constexpr uint64_t slack_bytes = uint64_t{512} << 10;
constexpr uint64_t low_half_end = uint64_t{1} << 47;
constexpr uint64_t high_half_start = 0xffff800000000000;
constexpr uint64_t hypervisor_end = 0xffff880000000000;  // top-level slots 256 to 271 are the core's
constexpr unsigned l1_span_bits = 21;
constexpr unsigned l2_span_bits = 30;
constexpr unsigned l3_span_bits = 39;

uint64_t spans(uint64_t from, uint64_t to, unsigned bits)
{
    return from == to ? 0 : ((to - 1) >> bits) - (from >> bits) + 1;
}

// Spans that both ranges touch.
uint64_t common_spans(uint64_t a, uint64_t a_end, uint64_t b, uint64_t b_end, unsigned bits)
{
    const uint64_t first = std::max(a >> bits, b >> bits);
    const uint64_t last = std::min((a_end - 1) >> bits, (b_end - 1) >> bits);
    return first > last ? 0 : last - first + 1;
}

bool usable(uint64_t from, uint64_t bytes)
{
    const uint64_t last = from + bytes - 1;
    if (bytes == 0 || last < from)
        return false;
    return last < low_half_end || from >= hypervisor_end;
}

// Hands out frames one after the other.
class Frames {
public:
    explicit Frames(uint64_t next) : next_(next) {}
    uint64_t take(uint64_t count)
    {
        const uint64_t first = next_;
        next_ += count;
        return first;
    }
    [[nodiscard]] uint64_t next() const { return next_; }

private:
    uint64_t next_;
};

// Page tables and the end of the initial mapping depend on each other: tables are mapped too.
Outcome<void> size_mapping(plan::PvStart& start, uint64_t tables_pfn, uint64_t limit)
{
    static constexpr uint64_t largest = uint64_t{1} << 39;
    const uint64_t base = start.virt_base;
    uint64_t tables = 0;
    for (;;) {
        if (tables_pfn > largest >> page_shift)
            return refuse("does not fit into ", Size{largest}, " of address space");
        const uint64_t bytes = ((tables_pfn + tables + 1) << page_shift) + slack_bytes;
        if (bytes > largest || base + bytes < base || base + bytes > ~uint64_t{0} - mapping_boundary_bytes)
            return refuse("does not fit, with what is mapped behind it, between its VIRT_BASE ", Hex{base},
                          " and the end of the address space");
        uint64_t end = align_up(base + bytes, mapping_boundary_bytes);
        if (limit < largest >> page_shift && limit << page_shift >= bytes)
            end = std::min(end, base + (limit << page_shift));
        const uint64_t needed = 1 + tables_for(base, end).sum();
        if (needed <= tables) {
            start.tables_frames = needed;
            start.mapped_end_pfn = (end - base) >> page_shift;
            return {};
        }
        tables = needed;
    }
}

// Below the initial mapping and page-aligned, or the list goes where it would without the note.
uint64_t own_p2m_base(const Kernel& kernel)
{
    const uint64_t base = kernel.notes.init_p2m.value_or(0);
    return base < kernel.virt_base && base % page_size == 0 ? base : 0;
}

Outcome<void> place_p2m(plan::PvStart& start, Frames& frames)
{
    const uint64_t bytes = start.p2m_frames << page_shift;
    const uint64_t mapped_bytes = start.mapped_end_pfn << page_shift;
    if (!usable(start.p2m_base, bytes) || (start.p2m_base < start.virt_base + mapped_bytes &&
                                           start.virt_base < start.p2m_base + bytes))
        return refuse("wants its p2m list at ", Hex{start.p2m_base}, " (ELF note INIT_P2M), where ", Size{bytes},
                      " of it collide with something else");
    const uint64_t end = start.p2m_base + bytes;
    const uint64_t mapped_end = start.virt_base + mapped_bytes;
    uint64_t tables = tables_for(start.p2m_base, end).sum();
    for (const unsigned bits : {l1_span_bits, l2_span_bits, l3_span_bits})
        tables -= common_spans(start.p2m_base, end, start.virt_base, mapped_end, bits);
    start.p2m_pfn = frames.take(start.p2m_frames);
    start.p2m_tables_frames = tables;
    start.p2m_tables_pfn = frames.take(tables);
    return {};
}

plan::PvStart started(const Kernel& kernel, const PvNeeds& needs)
{
    plan::PvStart start{};
    start.virt_base = kernel.virt_base;
    start.entry = kernel.entry;
    start.hypercall_page = kernel.notes.hypercall_page.value_or(~uint64_t{0});
    start.p2m_base = own_p2m_base(kernel);
    start.ramdisk_pfn = plan::no_pfn;
    start.ramdisk_bytes = needs.ramdisk_bytes;
    start.store_pfn = plan::no_pfn;
    start.p2m_frames = frames_for(needs.memory_frames * sizeof(uint64_t));
    start.features = kernel.notes.required_features;
    start.ramdisk_by_pfn = kernel.notes.mod_start_pfn && needs.ramdisk_bytes != 0 ? 1 : 0;
    return start;
}

}  // namespace

TableCounts tables_for(uint64_t from, uint64_t to)
{
    return {spans(from, to, l3_span_bits), spans(from, to, l2_span_bits), spans(from, to, l1_span_bits)};
}

Outcome<PvLayout> lay_out_pv(const Kernel& kernel, const PvNeeds& needs)
{
    plan::PvStart start = started(kernel, needs);
    const uint64_t ramdisk_frames = frames_for(needs.ramdisk_bytes);
    Frames frames(kernel.end_pfn);
    if (ramdisk_frames != 0 && start.ramdisk_by_pfn == 0)
        start.ramdisk_pfn = frames.take(ramdisk_frames);
    if (start.p2m_base == 0)
        start.p2m_pfn = frames.take(start.p2m_frames);
    start.start_info_pfn = frames.take(1);
    if (needs.has_store)
        start.store_pfn = frames.take(1);
    start.console_pfn = frames.take(1);
    if (auto sized = size_mapping(start, frames.next(), needs.mapping_limit); !sized)
        return Refusal{sized.error()};
    start.tables_pfn = frames.take(start.tables_frames);
    start.stack_pfn = frames.take(1);
    if (!usable(start.virt_base, start.mapped_end_pfn << page_shift))
        return refuse("wants ", Hex{start.virt_base}, " (ELF note VIRT_BASE) to ",
                      Hex{start.virt_base + (start.mapped_end_pfn << page_shift)},
                      "; addresses from ", Hex{high_half_start}, " to ", Hex{hypervisor_end},
                      " are the hypervisor's");
    Frames behind(start.mapped_end_pfn);
    if (start.ramdisk_by_pfn != 0)
        start.ramdisk_pfn = behind.take(ramdisk_frames);
    if (start.p2m_base != 0)
        if (auto placed = place_p2m(start, behind); !placed)
            return Refusal{placed.error()};
    return PvLayout{start, behind.next()};
}

Outcome<uint64_t> least_memory_frames(const Kernel& kernel, PvNeeds needs)
{
    needs.memory_frames = 1;
    for (;;) {
        const auto layout = ATTEMPT(lay_out_pv(kernel, needs));
        if (layout.used_frames <= needs.memory_frames)
            return needs.memory_frames;
        needs.memory_frames = layout.used_frames;
    }
}

}  // namespace bulkhead::tool
