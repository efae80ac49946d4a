// SPDX-License-Identifier: BSD-2-Clause
// See descriptors.hpp. A descriptor page stays checked until its frame is used as something else, so
// that giving it the type again costs nothing.
#include "core/pv/descriptors.hpp"

#include "core/frame_references.hpp"
#include "core/hypercall.hpp"
#include "core/pv/page_table.hpp"
#include "machine/core_space.hpp"
#include "machine/memory.hpp"
#include "machine/switch.hpp"
#include "machine/tlb.hpp"
#include "platform/x86/layout.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace bulkhead {

namespace {

constexpr int32_t cost_of_check = 4500;
constexpr unsigned window_ldt_page = layout::ldt_offset >> page_shift;

uint64_t window_of(const Vcpu& vcpu)
{
    return layout::descriptor_windows + vcpu.index * layout::descriptor_window_size;
}

// Shows a frame (or nothing) in the vCPU's window. Its CPU, the only one that uses the window, may
// know the former one.
void show(const Vcpu& vcpu, unsigned page, Mfn frame)
{
    TableEntry entry(*machine::descriptor_window_entry(vcpu.index, page));
    const uint64_t value = frame == invalid_mfn ? 0 : machine::window_entry_writable(frame);
    if (entry.exchange(value, std::memory_order_acq_rel) == 0)
        return;
    const GuestVirtual address(window_of(vcpu) + page * page_size);
    machine::flush_page_cpus({uint64_t{1} << vcpu.cpu.raw()}, address);
}

bool admit_page(Mfn number)
{
    uint64_t* descriptors = machine::frame_pointer<uint64_t>(number);
    return std::all_of(descriptors, descriptors + descriptors_per_frame,
                       [](uint64_t& descriptor) { return admit_descriptor(descriptor); });
}

// A typed reference, with the check if it needs one.
Errno take_page(const Partition& partition, Mfn number, WorkBudget& budget)
{
    constexpr uint64_t looked_at = frame::given | frame::type_mask | frame::validated | frame::turning;
    constexpr uint64_t checked = frame::given | frame::type_bits(FrameType::descriptors) | frame::validated;
    FrameEntry* entry = frame::find(number, partition.id);
    if (entry == nullptr)
        return XEN_EINVAL;
    uint64_t state = entry->state.load(std::memory_order_relaxed);
    while ((state & looked_at) == checked && frame::count(state) != frame::count_mask) {
        if (entry->state.compare_exchange_weak(state, state + frame::one + frame::typed_one,
                                               std::memory_order_acquire, std::memory_order_relaxed))
            return frame::ok;
    }
    if (frame::take_typed_slowly(*entry, FrameType::descriptors, frame::changing) != frame::ok)
        return XEN_EINVAL;
    budget.spend(cost_of_check);
    if (!admit_page(number)) {
        frame::put_last_typed(*entry, entry->state.load(std::memory_order_relaxed), frame::changing);
        return XEN_EINVAL;
    }
    entry->state.fetch_xor(frame::changing | frame::validated, std::memory_order_release);
    return frame::ok;
}

void put_page(Mfn number)
{
    FrameEntry& entry = frame::entry_of(number);
    uint64_t state = entry.state.load(std::memory_order_relaxed);
    do {
        if ((state & frame::typed_mask) == frame::typed_one)
            return frame::put_last_typed(entry, state, 0);
    } while (!entry.state.compare_exchange_weak(state, state - frame::one - frame::typed_one,
                                                std::memory_order_release, std::memory_order_relaxed));
}

constexpr unsigned pages_for(uint32_t entries)
{
    return (entries + descriptors_per_frame - 1) / descriptors_per_frame;
}

}  // namespace

bool admit_descriptor(uint64_t& descriptor)
{
    // Source: Intel SDM vol 3, "Segment Descriptors" and "System Descriptor Types".
    constexpr uint64_t present = uint64_t{1} << 47;
    constexpr uint64_t level = uint64_t{3} << 45;
    constexpr uint64_t code_or_data = uint64_t{1} << 44;
    constexpr uint64_t type_mask = uint64_t{15} << 40;
    constexpr uint64_t call_gate = uint64_t{12} << 40;
    if ((descriptor & present) == 0)
        return true;
    if ((descriptor & code_or_data) != 0) {
        // Guests' kernels run in ring 3.
        descriptor |= level;
        return true;
    }
    if ((descriptor & type_mask) == 0)
        return true;
    if ((descriptor & type_mask) != call_gate)
        return false;
    // Nobody may pass through: a call faults, which the guest's kernel sees.
    descriptor &= ~level;
    return true;
}

Result<> set_gdt(Vcpu& target, std::span<const uint64_t> frames, uint32_t entries)
{
    const unsigned pages = pages_for(entries);
    if (entries > guest_gdt_entries || frames.size() < pages)
        return fail(XEN_EINVAL);
    Partition& partition = *target.partition;
    WorkBudget budget;
    const LockGuard guard(partition.memory.lock);
    Errno error = frame::ok;
    unsigned taken = 0;
    for (; taken < pages && error == frame::ok; ++taken) {
        error = budget.is_spent() ? XEN_ERESTART : take_page(partition, Mfn(frames[taken]), budget);
        if (error != frame::ok)
            break;
    }
    if (error != frame::ok) {
        while (taken > 0)
            put_page(Mfn(frames[--taken]));
        return fail(error);
    }
    PvVcpuState& pv = target.pv;
    const unsigned old_pages = pages_for(pv.gdt_entries);
    const auto old_frames = pv.gdt_frames;
    for (unsigned page = 0; page < std::max(pages, old_pages); ++page) {
        const Mfn frame = page < pages ? Mfn(frames[page]) : invalid_mfn;
        pv.gdt_frames[page] = page < pages ? frame : Mfn(0);
        show(target, page, frame);
    }
    pv.gdt_entries = static_cast<uint16_t>(entries);
    for (unsigned page = 0; page < old_pages; ++page)
        put_page(old_frames[page]);
    return {};
}

long do_set_gdt(Vcpu& vcpu, HypercallArguments& arguments)
{
    const auto entries = static_cast<uint32_t>(arguments.value[1]);
    if (entries > guest_gdt_entries)
        return negative(XEN_EINVAL);
    std::array<uint64_t, guest_gdt_frames> frames;
    const unsigned pages = pages_for(entries);
    if (!machine::copy_from_guest(frames.data(), GuestVirtual(arguments.value[0]), pages * sizeof(frames[0])))
        return negative(XEN_EFAULT);
    const Result<> result = set_gdt(vcpu, std::span<const uint64_t>(frames.data(), pages), entries);
    if (!result.has_value() && result.error() == XEN_ERESTART)
        return hypercall_continue;
    return to_return_value(result);
}

long do_update_descriptor(Vcpu& vcpu, HypercallArguments& arguments)
{
    const HostPhysical address(arguments.value[0]);
    uint64_t descriptor = arguments.value[1];
    Partition& partition = *vcpu.partition;
    if ((address.raw() & 7) != 0 || !admit_descriptor(descriptor))
        return negative(XEN_EINVAL);
    const Mfn number = frame_of(address);
    const LockGuard guard(partition.memory.lock);
    FrameEntry* entry = frame::find(number, partition.id);
    if (entry == nullptr)
        return negative(XEN_EINVAL);
    const uint64_t state = entry->state.load(std::memory_order_relaxed);
    const bool in_use = (state & frame::given) != 0 && frame::type_of(state) == FrameType::descriptors
        && frame::typed_count(state) != 0;
    if (!in_use && frame::take_writable(*entry) != frame::ok)
        return negative(XEN_EINVAL);
    TableEntry(*machine::physical_pointer<uint64_t>(address)).store(descriptor, std::memory_order_relaxed);
    if (!in_use)
        frame::put_writable(*entry);
    return 0;
}

bool map_ldt_page(Vcpu& vcpu, uint64_t address)
{
    PvVcpuState& pv = vcpu.pv;
    const uint64_t offset = address - (window_of(vcpu) + layout::ldt_offset);
    if (offset >= pv.ldt_entries * uint64_t{8})
        return false;
    Partition& partition = *vcpu.partition;
    WorkBudget budget;
    const LockGuard guard(partition.memory.lock);
    const auto place = find_l1_entry(vcpu, GuestVirtual(pv.ldt_base + (offset & ~page_mask)));
    if (!place.has_value())
        return false;
    const uint64_t value = TableEntry(*place->entry).load(std::memory_order_relaxed);
    const auto page = static_cast<unsigned>(offset >> page_shift);
    const bool is_mapped = (pv.ldt_mapped >> page & 1) != 0;
    if ((value & (pte::present | pte::foreign)) != pte::present || is_mapped)
        return false;
    if (take_page(partition, pte::frame(value), budget) != frame::ok)
        return false;
    pv.ldt_frames[page] = pte::frame(value);
    pv.ldt_mapped = static_cast<uint16_t>(pv.ldt_mapped | 1u << page);
    show(vcpu, window_ldt_page + page, pte::frame(value));
    return true;
}

std::optional<MissingDescriptor> missing_descriptor(const Vcpu& vcpu, uint64_t address)
{
    // The error code of a selector: its flag bits are clear.
    constexpr uint64_t index_bits = 0xFFF8;
    const uint64_t offset = address - window_of(vcpu);
    if (offset >= layout::ldt_offset + guest_ldt_frames * page_size)
        return {};
    if (offset < layout::ldt_offset)
        return MissingDescriptor{false, offset & index_bits, 0};
    return MissingDescriptor{true, 0, vcpu.pv.ldt_base + (offset - layout::ldt_offset)};
}

Result<> set_ldt(Vcpu& vcpu, uint64_t address, uint64_t entries)
{
    if (entries == 0)
        address = 0;
    constexpr uint64_t most = guest_ldt_frames * descriptors_per_frame;
    if (entries > most || (address & page_mask) != 0 || !layout::guest_range_ok(address, entries * 8))
        return fail(XEN_EINVAL);
    if (vcpu.pv.ldt_base == address && vcpu.pv.ldt_entries == entries)
        return {};
    drop_ldt_pages(vcpu);
    vcpu.pv.ldt_base = address;
    vcpu.pv.ldt_entries = static_cast<uint32_t>(entries);
    machine::load_ldt(vcpu);
    return {};
}

void hide_descriptors(Vcpu& vcpu)
{
    for (unsigned page = 0; page < guest_gdt_frames; ++page)
        show(vcpu, page, invalid_mfn);
    for (unsigned page = 0; page < guest_ldt_frames; ++page)
        show(vcpu, window_ldt_page + page, invalid_mfn);
    vcpu.pv.gdt_frames = {};
    vcpu.pv.gdt_entries = 0;
    vcpu.pv.ldt_entries = 0;
    vcpu.pv.ldt_mapped = 0;
}

void drop_ldt_pages(Vcpu& vcpu)
{
    for (unsigned left = vcpu.pv.ldt_mapped; left != 0; left &= left - 1) {
        const auto page = static_cast<unsigned>(std::countr_zero(left));
        // The CPU's TLB loses the page before its frame may become writable.
        show(vcpu, window_ldt_page + page, invalid_mfn);
        put_page(vcpu.pv.ldt_frames[page]);
    }
    vcpu.pv.ldt_mapped = 0;
}

void drop_ldt_pages(Partition& partition)
{
    for (Vcpu& vcpu : partition.vcpus)
        drop_ldt_pages(vcpu);
}

}  // namespace bulkhead
