// SPDX-License-Identifier: BSD-2-Clause
// VT-d. Legacy mode: root and context tables, second-level tables with addresses as they are; whatever has
// no context entry cannot reach memory. Source: Intel Virtualization Technology for Directed I/O,
// "Register Descriptions", "Translation Structure Formats", "Invalidation of Translation Caches".
#include "core/log.hpp"
#include "core/spinlock.hpp"
#include "platform/x86/dmar.hpp"
#include "platform/x86/io_apic.hpp"
#include "platform/x86/io_tables.hpp"
#include "platform/x86/iommu_unit.hpp"
#include "platform/x86/iommu_wait.hpp"
#include "platform/x86/local_apic.hpp"
#include "platform/x86/start_only.hpp"
#include "platform/x86/vectors.hpp"

#include <machine/core_space.hpp>
#include "platform/x86/instructions.hpp"

namespace bulkhead {

namespace {

enum VtdRegister : uint32_t {
    reg_capability = 0x08,
    reg_extended = 0x10,
    reg_command = 0x18,
    reg_status = 0x1C,
    reg_root = 0x20,
    reg_context_command = 0x28,
    reg_fault_status = 0x34,
    reg_fault_control = 0x38,
    reg_fault_data = 0x3C,
    reg_fault_address = 0x40,
    reg_fault_upper = 0x44,
    reg_protected = 0x64,
    reg_queue_head = 0x80,
    reg_queue_tail = 0x88,
    reg_queue_base = 0x90,
    reg_remap_base = 0xB8,
};

// Bits of the command and status registers.
constexpr uint32_t bit_translate = 1u << 31;
constexpr uint32_t bit_root = 1u << 30;
constexpr uint32_t bit_queue = 1u << 26;
constexpr uint32_t bit_remap = 1u << 25;
constexpr uint32_t bit_remap_root = 1u << 24;
constexpr uint32_t bit_compatible = 1u << 23;
constexpr uint32_t lasting_bits = bit_translate | bit_queue | bit_remap | bit_compatible;

constexpr unsigned remap_entries = 256;
constexpr unsigned queue_entries = 256;
constexpr unsigned first_line_entry = 192;      // handles below are of functions' interrupts

struct Format {
    static constexpr uint64_t readable_writable = 3;
    static constexpr uint64_t large = 1u << 7;
    static uint64_t table(Mfn next, unsigned) { return address_of(next).raw() | readable_writable; }
    static uint64_t leaf(HostPhysical to, unsigned level) { return to.raw() | readable_writable | (level > 1 ? large : 0); }
    static HostPhysical target(uint64_t entry) { return HostPhysical(entry & 0x000F'FFFF'FFFF'F000); }
};

struct Unit {
    volatile void* registers;
    const DmarUnit* facts;
    uint64_t capability;
    uint64_t extended;
    Mfn root;
    Mfn queue;
    Mfn wait_word;
    Mfn remap;                      // invalid_mfn: interrupts are not checked
    uint32_t tail;
    uint16_t domains;               // given out
    bool broken;                    // it did not answer in time
};

constinit DmarFacts dmar{};
constinit std::array<Unit, 16> units{};
constinit uint32_t unit_count{0};
constinit bool started{false};
constinit Spinlock queue_lock{LockRank::device};

template <class T>
T read(const Unit& unit, uint32_t at) { return x86::read_register<T>(unit.registers, at); }
template <class T>
void write(const Unit& unit, uint32_t at, T value) { x86::write_register<T>(unit.registers, at, value); }

bool is_coherent(const Unit& unit) { return (unit.extended & 1) != 0; }
bool has_queue(const Unit& unit) { return (unit.extended & 2) != 0; }
bool can_remap(const Unit& unit) { return has_queue(unit) && (unit.extended & 8) != 0 && dmar.interrupt_remapping; }
bool takes_wide_ids(const Unit& unit) { return (unit.extended & 16) != 0; }

// What a unit that does not look into the caches is to see.
void publish(const Unit& unit, const void* at)
{
    if (!is_coherent(unit))
        asm volatile("clflush (%0)" : : "r"(at) : "memory");
    asm volatile("mfence" : : : "memory");
}

// --- Which unit ------------------------------------------------------------------------------------------

// Itself, or behind a bridge of the scope.
bool is_in_scope(const DmarScope& scope, PciAddress address)
{
    const PciAddress target = dmar_target(scope, pci_read32);
    if (scope.kind == DmarScope::endpoint)
        return target == address;
    if (scope.kind != DmarScope::bridge)
        return false;
    for (unsigned depth = 0; depth < 16; ++depth) {
        if (address == target)
            return true;
        const PciFunction* bridge = pci_bridge_to(pci_bus(address));
        if (bridge == nullptr)
            return false;
        address = bridge->address;
    }
    return false;
}

bool is_in_scopes(uint32_t first, uint32_t count, PciAddress address)
{
    for (uint32_t i = 0; i < count; ++i)
        if (is_in_scope(dmar.scopes[first + i], address))
            return true;
    return false;
}

Unit* unit_of(PciAddress address)
{
    Unit* others = nullptr;
    for (uint32_t i = 0; i < unit_count; ++i) {
        if (is_in_scopes(units[i].facts->first_scope, units[i].facts->scopes, address))
            return &units[i];
        if (units[i].facts->all_others)
            others = &units[i];
    }
    return others;
}

// --- Invalidation ----------------------------------------------------------------------------------------

struct Descriptor {
    uint64_t low;
    uint64_t high;
};
constexpr Descriptor forget_contexts{0x1 | 1u << 4, 0};
constexpr Descriptor forget_translations{0x2 | 1u << 4 | 3u << 6, 0};
constexpr Descriptor forget_remapping{0x4, 0};
constexpr Descriptor forget_entry(uint32_t handle) { return {0x4 | 1u << 4 | uint64_t{handle} << 32, 0}; }

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

// --- Tables ----------------------------------------------------------------------------------------------

// The format's widths of addresses that the unit can walk, and its largest pages.
unsigned levels_of(const Unit& unit)
{
    const uint64_t widths = unit.capability >> 8 & 0x1F;
    return (widths & 4) != 0 ? 4 : (widths & 2) != 0 ? 3 : 0;
}
unsigned largest_of(const Unit& unit)
{
    const uint64_t large = unit.capability >> 34 & 3;
    return large == 3 ? 3 : (large & 1) != 0 ? 2 : 1;
}

uint64_t* context_entry(const Unit& unit, PciAddress id)
{
    constexpr uint64_t present = 1;
    uint64_t* root = machine::frame_pointer<uint64_t>(unit.root) + pci_bus(id) * 2;
    if (*root == 0)
        *root = address_of(boot_allocate_frame()).raw() | present;
    const Mfn contexts = frame_of(HostPhysical(*root & ~page_mask));
    return machine::frame_pointer<uint64_t>(contexts) + (id.raw() & 0xFFu) * 2;
}

// False: the id has memory already, or the unit cannot tell it.
bool show(Unit& unit, PciAddress id, FrameRange frames)
{
    constexpr uint64_t present = 1;
    constexpr unsigned domain_shift = 8;
    const unsigned levels = levels_of(unit);
    uint64_t* entry = context_entry(unit, id);
    IoTables<Format> tables;
    if (levels == 0 || entry[0] != 0)
        return false;
    tables.create(levels, largest_of(unit));
    if (!tables.reaches(frames))
        return false;
    tables.show(frames);
    entry[1] = (levels - 2) | uint64_t{++unit.domains} << domain_shift;
    entry[0] = address_of(tables.top()).raw() | present;
    return true;
}

// --- Starting ----------------------------------------------------------------------------------------------

[[nodiscard]] bool command(const Unit& unit, uint32_t bit, bool on)
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

START_ONLY const char* find_vtd(const void* table, uint32_t bytes)
{
    read_dmar(acpi_reader::Bytes({static_cast<const uint8_t*>(table), bytes}), dmar);
    if (dmar.problem != nullptr)
        return dmar.problem;
    for (; unit_count < dmar.unit_count; ++unit_count) {
        make_unit(units[unit_count], dmar.units[unit_count]);
        if (units[unit_count].capability == ~uint64_t{0} || levels_of(units[unit_count]) == 0)
            return "a unit does not answer, or has no tables that the core knows";
    }
    return nullptr;
}

// Firmware may go on using what it reserved. Nothing of it may be memory that is used otherwise, which
// the map of memory says; a line tells.
START_ONLY void show_reserved(const BootInfo& info)
{
    for (uint32_t i = 0; i < dmar.reserved_count; ++i) {
        const DmarReserved& range = dmar.reserved[i];
        const FrameRange frames{frame_of(HostPhysical(range.base)), (range.last - range.base + 1) >> page_shift};
        for (uint32_t s = 0; s < range.scopes; ++s) {
            const PciAddress address = dmar_target(dmar.scopes[range.first_scope + s], pci_read32);
            Unit* unit = unit_of(address);
            const bool free = !iommu_is_usable_memory(info, frames);
            const bool shown = free && unit != nullptr && show(*unit, address, frames);
            log("    %02x:%02x.%x may reach %#lx to %#lx, which the firmware reserves for it%s", pci_bus(address),
                pci_device(address), pci_function(address), static_cast<unsigned long>(range.base),
                static_cast<unsigned long>(range.last), shown ? "" : ": REFUSED");
        }
    }
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

// --- Interrupts --------------------------------------------------------------------------------------------

struct Source {
    PciAddress id;
    bool by_bus;
};

uint64_t remap_low(const Unit& unit, uint8_t vector, uint32_t apic_id, bool level)
{
    constexpr uint64_t present = 1;
    const bool wide = local_apic_is_x2() && takes_wide_ids(unit);
    const uint64_t target = wide ? uint64_t{apic_id} << 32 : uint64_t{apic_id & 0xFF} << 40;
    return present | (level ? 1u << 4 : 0) | uint64_t{vector} << 16 | target;
}

// Who else sends it is refused.
uint64_t remap_high(Source source)
{
    constexpr uint64_t whole_id = uint64_t{1} << 18;
    constexpr uint64_t by_bus = uint64_t{2} << 18;
    if (!source.by_bus)
        return whole_id | source.id.raw();
    return by_bus | uint64_t{pci_bus(source.id)} << 8 | pci_bus(source.id);
}

// The entry changes while it is absent.
bool set_entry(Unit& unit, uint32_t handle, uint64_t low, uint64_t high)
{
    auto* entry = machine::frame_pointer<volatile uint64_t>(unit.remap) + size_t{handle} * 2;
    const LockGuard guard(queue_lock);
    if (entry[0] == low && entry[1] == high)
        return !unit.broken;
    entry[0] = 0;
    entry[1] = high;
    asm volatile("" : : : "memory");
    entry[0] = low;
    publish(unit, const_cast<const uint64_t*>(entry));
    put(unit, forget_entry(handle));
    if (!unit.broken && !flush_queue(unit))
        unit.broken = true;
    return !unit.broken;
}

struct LineSource {
    Unit* unit;
    PciAddress id;
};
LineSource source_of_lines(uint32_t io_apic_id)
{
    for (uint32_t i = 0; i < unit_count; ++i) {
        const DmarUnit& facts = *units[i].facts;
        for (uint32_t s = 0; s < facts.scopes; ++s) {
            const DmarScope& scope = dmar.scopes[facts.first_scope + s];
            if (scope.kind == DmarScope::io_apic && scope.id == io_apic_id)
                return {&units[i], dmar_target(scope, pci_read32)};
        }
    }
    return {nullptr, PciAddress(0)};
}

// Source: "Interrupt Requests in Remappable Format", of I/O APIC entries.
bool line_entry(const LineRoute& route, uint32_t& low, uint32_t& high)
{
    constexpr uint32_t remappable = 1u << 16;
    constexpr uint32_t level = 1u << 15;
    const LineSource source = source_of_lines(route.io_apic_id);
    const uint32_t handle = first_line_entry + route.line;
    if (source.unit == nullptr || source.unit->remap == invalid_mfn || handle >= remap_entries)
        return false;
    const auto vector = static_cast<uint8_t>(route.low);
    if (!set_entry(*source.unit, handle, remap_low(*source.unit, vector, route.apic_id, (route.low & level) != 0),
                   remap_high({source.id, false})))
        return false;
    low = route.low;
    high = handle << 17 | remappable;
    return true;
}

// All units check interrupts, or none does: a line's entry has one form.
START_ONLY bool start_remapping()
{
    for (uint32_t i = 0; i < unit_count; ++i) {
        if (units[i].remap == invalid_mfn)
            return false;
    }
    for (uint32_t i = 0; i < acpi().io_apic_count; ++i) {
        if (source_of_lines(acpi().io_apics[i].id).unit == nullptr)
            return false;
    }
    if (!compose_lines(line_entry))
        return false;
    for (uint32_t i = 0; i < unit_count; ++i) {
        if (!command(units[i], bit_remap, true))
            return false;
    }
    return true;
}

START_ONLY void forgo_remapping()
{
    for (uint32_t i = 0; i < unit_count; ++i) {
        if (units[i].remap != invalid_mfn)
            (void)command(units[i], bit_remap, false);
        units[i].remap = invalid_mfn;
    }
    (void)compose_lines(nullptr);
}

START_ONLY const char* start_vtd(const BootInfo& info)
{
    show_reserved(info);
    for (uint32_t i = 0; i < unit_count; ++i) {
        if (!start_unit(units[i])) {
            for (uint32_t other = 0; other <= i; ++other)
                (void)command(units[other], bit_translate, false);
            return "a unit does not do what it is told";
        }
    }
    if (!start_remapping())
        forgo_remapping();
    for (uint32_t i = 0; i < unit_count; ++i)
        report_faults_of(units[i]);
    started = true;
    return nullptr;
}

// --- What iommu.cpp asks -------------------------------------------------------------------------------------

bool vtd_has_registers(uint64_t base, uint64_t bytes)
{
    for (uint32_t i = 0; i < unit_count; ++i) {
        const uint64_t at = units[i].facts->base.raw();
        if (base < at + page_size && at < base + bytes)
            return true;
    }
    return false;
}

bool vtd_confine(const Requester& requester, FrameRange frames)
{
    Unit* unit = unit_of(requester.function);
    if (unit == nullptr)
        return false;
    for (uint32_t i = 0; i < dmar.reserved_count; ++i) {
        if (is_in_scopes(dmar.reserved[i].first_scope, dmar.reserved[i].scopes, requester.function))
            return false;
    }
    const PciAddress bridge = requester.id;
    return show(*unit, requester.function, frames) &&
           (bridge == requester.function || show(*unit, bridge, frames));
}

bool vtd_remaps(PciAddress function)
{
    const Unit* unit = unit_of(function);
    return unit != nullptr && unit->remap != invalid_mfn && started;
}

// Source: "Interrupt Requests in Remappable Format".
bool vtd_interrupt_message(const Requester& requester, uint32_t number, uint8_t vector, uint32_t apic_id,
                           InterruptMessage& message)
{
    constexpr uint32_t message_base = 0xFEE0'0000;
    constexpr uint32_t remappable = 1u << 4;
    Unit* unit = unit_of(requester.function);
    const bool wide = local_apic_is_x2() && takes_wide_ids(*unit);
    if (number >= first_line_entry || (!wide && apic_id > 0xFE))
        return false;
    if (!set_entry(*unit, number, remap_low(*unit, vector, apic_id, false), remap_high({requester.id, requester.by_bus})))
        return false;
    message = {message_base | remappable | number << 5, 0};
    return true;
}

void vtd_forget_interrupt(const Requester& requester, uint32_t number)
{
    if (Unit* unit = unit_of(requester.function); unit != nullptr)
        (void)set_entry(*unit, number, 0, 0);
}

// Source: "Fault Recording Registers".
bool vtd_take_fault(IommuFault& fault)
{
    constexpr uint32_t recorded = 1u << 31;
    constexpr uint32_t overflow = 1u << 0;
    for (uint32_t i = 0; i < unit_count; ++i) {
        const Unit& unit = units[i];
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

}  // namespace

constinit const IommuKind vtd_kind{"VT-d", find_vtd, vtd_has_registers, vtd_confine, start_vtd, vtd_remaps,
                                   vtd_interrupt_message, vtd_forget_interrupt, vtd_take_fault};

}  // namespace bulkhead
