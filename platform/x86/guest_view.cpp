// SPDX-License-Identifier: BSD-2-Clause
// See machine/guest_view.hpp; guest_view.S has the ways in and out. What stays mapped beside the guest's
// own: the entry code, the table of interrupts, descriptor windows, and of each CPU's block the SYSCALL
// stub, the page that begins with the TSS, and the pages that exceptions push to.
#include "machine/guest_view.hpp"

#include "core/boot_allocator.hpp"
#include "core/cpu.hpp"
#include "core/panic.hpp"
#include "core/partition.hpp"
#include "machine/core_space.hpp"
#include "machine/memory.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/core_space.hpp"
#include "platform/x86/cpu_setup.hpp"
#include "platform/x86/mitigations.hpp"
#include "platform/x86/page_tables.hpp"
#include "platform/x86/start_only.hpp"

#include <cstring>

extern "C" {
extern char image_text_begin[], image_entry_end[];
void choose_guest_view(bulkhead::Vcpu& vcpu);
}

namespace bulkhead {

namespace {

constexpr unsigned slot_shift = 39;
constexpr unsigned m2p_slot = (layout::m2p_guest >> slot_shift) & 511;
constexpr unsigned image_slot = (layout::core_image >> slot_shift) & 511;
static_assert(((layout::descriptor_windows >> slot_shift) & 511) == image_slot);

constinit CoreTables shared{};

// Maps what the core's tables map there, with the same rights but for global: it must not outlive a
// change of tables.
START_ONLY void show(uint64_t address, uint64_t bytes)
{
    for (uint64_t at = address & ~page_mask; at < address + bytes; at += page_size)
        *shared.entry(at, shift_4k) = machine::core_entry(at) & ~uint64_t{page_global};
}

START_ONLY void make_shared_part()
{
    constexpr unsigned cpu_pages[] = {0, 1, 5, 7, 9, 11, 15};
    shared.create();
    const auto text = reinterpret_cast<uint64_t>(image_text_begin);
    show(text, reinterpret_cast<uint64_t>(image_entry_end) - text);
    show(interrupt_table_address(), page_size);
    for (uint16_t number = 0; number < cpu_count(); ++number) {
        for (const unsigned page : cpu_pages)
            show(cpu_block(CpuNumber(number)) + page * page_size, page_size);
    }
    *shared.entry(layout::descriptor_windows, shift_1g) = machine::core_directory(layout::descriptor_windows);
}

[[gnu::cold, gnu::noinline]] void renew(machine::CpuPart& cpu, machine::GuestView& view, Mfn table, uint32_t changes)
{
    ASSERT(view.copy != Mfn(0));
    uint64_t* copy = machine::frame_pointer<uint64_t>(view.copy);
    memcpy(copy, machine::frame_pointer(table), page_size);
    memset(copy + layout::core_first_slot, 0, machine::core_slot_count * sizeof(*copy));
    copy[m2p_slot] = machine::frame_pointer<uint64_t>(table)[m2p_slot];      // a user's table may hide it
    copy[image_slot] = machine::frame_pointer<uint64_t>(shared.top())[image_slot];
    view.of = table;
    view.changes = changes;
    cpu.guest_cr3 = address_of(view.copy).raw();
}

}  // namespace

namespace machine {

START_ONLY void make_guest_views(std::span<Partition> partitions)
{
    if (!mitigations().hides_core)
        return;
    guests_have_views = true;
    make_shared_part();
    for (Partition& partition : partitions) {
        if (partition.hardware != nullptr)
            continue;
        for (Vcpu& vcpu : partition.vcpus) {
            for (GuestView& view : vcpu.pv.views)
                view.copy = boot_allocate_frame();
        }
    }
}

constinit bool guests_have_views{false};

bool copy_is_behind(const Vcpu& vcpu)
{
    if (vcpu.partition->is_trusted(plan::trust_meltdown))
        return false;
    const GuestView& view = vcpu.pv.views[vcpu.pv.kernel_mode ? 0 : 1];
    return view.changes != vcpu.partition->memory.top_level_changes.load(std::memory_order_acquire);
}

// Acquire: an entry that was written before the change was counted is in the copy.
void load_any_view(Vcpu& vcpu)
{
    CpuPart& cpu = this_cpu().machine;
    GuestView* view = &vcpu.pv.views[0];
    Mfn table = vcpu.pv.kernel_table;
    if (!vcpu.pv.kernel_mode) {
        ++view;
        table = vcpu.pv.user_table;
    }
    cpu.core_cr3 = address_of(table).raw();
    if (vcpu.partition->is_trusted(plan::trust_meltdown)) [[unlikely]] {
        cpu.guest_cr3 = cpu.core_cr3;
        return;
    }
    const uint32_t changes = vcpu.partition->memory.top_level_changes.load(std::memory_order_acquire);
    if (view->of != table || view->changes != changes) [[unlikely]]
        return renew(cpu, *view, table, changes);
    cpu.guest_cr3 = address_of(view->copy).raw();
}

void renew_views(Partition& partition)
{
    partition.memory.top_level_changes.fetch_add(1, std::memory_order_seq_cst);
    if (!guests_have_views)
        return;
    uint64_t cpus = partition.memory.running_on.load(std::memory_order_seq_cst);
    for (; cpus != 0; cpus &= cpus - 1)
        cpu_by_number(CpuNumber(static_cast<uint16_t>(__builtin_ctzll(cpus)))).work.fetch_or(work_view, std::memory_order_seq_cst);
}

}  // namespace machine

}  // namespace bulkhead

void choose_guest_view(bulkhead::Vcpu& vcpu) { bulkhead::machine::load_any_view(vcpu); }
