// SPDX-License-Identifier: BSD-2-Clause
// One unit of VT-d: starting it, telling it what to forget, and what faults it has seen. Source: Intel
// Virtualization Technology for Directed I/O, "Register Descriptions", "Invalidation of Translation Caches".
#include "platform/x86/vtd_unit.hpp"

#include "core/boot_allocator.hpp"
#include "platform/x86/iommu_wait.hpp"
#include "platform/x86/local_apic.hpp"
#include "platform/x86/start_only.hpp"
#include "platform/x86/vectors.hpp"

#include <machine/core_space.hpp>
#include <machine/memory.hpp>

namespace bulkhead::vtd {

constinit DmarFacts dmar{};
constinit std::array<Unit, 16> all_units{};
constinit uint32_t unit_count{0};

void publish(const Unit& unit, const void* at)
{
    if (!is_coherent(unit))
        asm volatile("clflush (%0)" : : "r"(at) : "memory");
    asm volatile("mfence" : : : "memory");
}

namespace {

constexpr unsigned queue_entries = 256;

struct Descriptor {
    uint64_t low;
    uint64_t high;
};
constexpr Descriptor forget_contexts{0x1 | 1u << 4, 0};
constexpr Descriptor forget_translations{0x2 | 1u << 4 | 3u << 6, 0};
constexpr Descriptor forget_remapping{0x4, 0};
constexpr Descriptor forget_one(uint32_t handle) { return {0x4 | 1u << 4 | uint64_t{handle} << 32, 0}; }

void put(Unit& unit, Descriptor descriptor)
{
    auto* queue = machine::frame_pointer<Descriptor>(unit.queue);
    queue[unit.tail] = descriptor;
    publish(unit, queue + unit.tail);
    unit.tail = (unit.tail + 1) % queue_entries;
}

// Whatever was put has been done.
[[nodiscard]] bool flush_queue(Unit& unit)
{
    constexpr uint32_t done = 1;
    constexpr unsigned tail_shift = 4;
    auto* word = machine::frame_pointer<volatile uint32_t>(unit.wait_word);
    *word = 0;
    publish(unit, machine::frame_pointer(unit.wait_word));
    put(unit, {0x5 | 1u << 5 | uint64_t{done} << 32, address_of(unit.wait_word).raw()});
    write<uint64_t>(unit, reg_queue_tail, uint64_t{unit.tail} << tail_shift);
    return iommu_wait([&] { return *word == done; });
}

[[nodiscard]] bool forget_by_registers(const Unit& unit)
{
    constexpr uint64_t busy = uint64_t{1} << 63;
    constexpr uint64_t global_contexts = uint64_t{1} << 61;
    constexpr uint64_t global_translations = uint64_t{1} << 60 | uint64_t{3} << 48;
    const auto at = static_cast<uint32_t>((unit.extended >> 8 & 0x3FF) * 16 + 8);
    write<uint64_t>(unit, reg_context_command, busy | global_contexts);
    if (!iommu_wait([&] { return (read<uint64_t>(unit, reg_context_command) & busy) == 0; }))
        return false;
    write<uint64_t>(unit, at, busy | global_translations);
    return iommu_wait([&] { return (read<uint64_t>(unit, at) & busy) == 0; });
}

[[nodiscard]] bool forget_all(Unit& unit)
{
    if (!has_queue(unit))
        return forget_by_registers(unit);
    put(unit, forget_contexts);
    put(unit, forget_translations);
    if (unit.remap != invalid_mfn)
        put(unit, forget_remapping);
    return flush_queue(unit);
}

}  // namespace

bool forget_entry(Unit& unit, uint32_t handle)
{
    put(unit, forget_one(handle));
    return flush_queue(unit);
}

bool command(const Unit& unit, uint32_t bit, bool on)
{
    const uint32_t lasting = read<uint32_t>(unit, reg_status) & lasting_bits;
    write<uint32_t>(unit, reg_command, on ? lasting | bit : lasting & ~bit);
    return iommu_wait([&] { return ((read<uint32_t>(unit, reg_status) & bit) != 0) == on; });
}

START_ONLY void make_unit(Unit& unit, const DmarUnit& facts)
{
    constexpr uint64_t most_registers = 4096;
    unit.facts = &facts;
    unit.registers = machine::map_device(facts.base, most_registers);
    unit.capability = read<uint64_t>(unit, reg_capability);
    unit.extended = read<uint64_t>(unit, reg_extended);
    unit.root = boot_allocate_frame();
    unit.remap = invalid_mfn;
    if (has_queue(unit)) {
        unit.queue = boot_allocate_frame();
        unit.wait_word = boot_allocate_frame();
    }
    if (can_remap(unit))
        unit.remap = boot_allocate_frame();
}

START_ONLY bool start_unit(Unit& unit)
{
    constexpr uint32_t protected_on = 1u << 31;
    // As a firmware may have left it.
    const uint32_t before = read<uint32_t>(unit, reg_status);
    for (const uint32_t bit : {bit_translate, bit_remap, bit_queue})
        if ((before & bit) != 0 && !command(unit, bit, false))
            return false;
    x86::write_back_caches();
    write<uint64_t>(unit, reg_root, address_of(unit.root).raw());
    if (!command(unit, bit_root, true))
        return false;
    if (has_queue(unit)) {
        write<uint64_t>(unit, reg_queue_tail, 0);
        write<uint64_t>(unit, reg_queue_base, address_of(unit.queue).raw());
        if (!command(unit, bit_queue, true))
            return false;
    }
    if (unit.remap != invalid_mfn) {
        constexpr uint64_t size_256 = 7;
        constexpr uint64_t wide_ids = 1u << 11;
        const bool wide = local_apic_is_x2() && takes_wide_ids(unit);
        write<uint64_t>(unit, reg_remap_base, address_of(unit.remap).raw() | size_256 | (wide ? wide_ids : 0));
        if (!command(unit, bit_remap_root, true))
            return false;
    }
    if (!forget_all(unit) || !command(unit, bit_translate, true))
        return false;
    if ((read<uint32_t>(unit, reg_protected) & 1) != 0)
        write<uint32_t>(unit, reg_protected, read<uint32_t>(unit, reg_protected) & ~protected_on);
    return true;
}

START_ONLY void report_faults_of(const Unit& unit)
{
    constexpr uint32_t message_base = 0xFEE0'0000;
    constexpr uint32_t all_errors = 0x7F;
    write<uint32_t>(unit, reg_fault_status, all_errors);
    write<uint32_t>(unit, reg_fault_data, vector_iommu);
    write<uint32_t>(unit, reg_fault_address, message_base | (local_apic_id() & 0xFF) << 12);
    write<uint32_t>(unit, reg_fault_upper, local_apic_is_x2() ? local_apic_id() & ~0xFFu : 0);
    write<uint32_t>(unit, reg_fault_control, 0);
}

// Source: "Fault Recording Registers".
bool take_fault(IommuFault& fault)
{
    constexpr uint32_t recorded = 1u << 31;
    constexpr uint32_t overflow = 1u << 0;
    for (const Unit& unit : units()) {
        const auto records = static_cast<uint32_t>((unit.capability >> 40 & 0xFF) + 1);
        const auto first = static_cast<uint32_t>((unit.capability >> 24 & 0x3FF) * 16);
        for (uint32_t record = 0; record < records && first + record * 16 + 16 <= page_size; ++record) {
            const uint32_t at = first + record * 16;
            const auto top = read<uint32_t>(unit, at + 12);
            if ((top & recorded) == 0)
                continue;
            const auto reason = static_cast<uint8_t>(top);
            constexpr uint8_t first_interrupt_reason = 0x20;
            constexpr uint8_t last_interrupt_reason = 0x26;
            fault = {PciAddress(static_cast<uint16_t>(read<uint32_t>(unit, at + 8))), read<uint64_t>(unit, at) & ~page_mask,
                     (top & 1u << 30) == 0, reason >= first_interrupt_reason && reason <= last_interrupt_reason, reason};
            write<uint32_t>(unit, at + 12, recorded);
            return true;
        }
        write<uint32_t>(unit, reg_fault_status, overflow);
    }
    return false;
}

}  // namespace bulkhead::vtd
