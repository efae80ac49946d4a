// SPDX-License-Identifier: BSD-2-Clause
// AMD-Vi. A table with an entry for every function: those that are not confined reach no memory and send
// no interrupt. Each confined one has an interrupt table of its own, so it cannot use another's entries.
// Source: AMD I/O Virtualization Technology (IOMMU) Specification, "Device Table", "Interrupt Remapping
// Tables", "Commands", "Event Logging", "MMIO Registers".
#include "core/log.hpp"
#include "core/spinlock.hpp"
#include "platform/x86/io_tables.hpp"
#include "platform/x86/iommu_unit.hpp"
#include "platform/x86/iommu_wait.hpp"
#include "platform/x86/ivrs.hpp"
#include "platform/x86/local_apic.hpp"
#include "platform/x86/start_only.hpp"
#include "platform/x86/vectors.hpp"

#include <machine/core_space.hpp>
#include "platform/x86/instructions.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

enum AmdRegister : uint32_t {
    reg_devices = 0x00,
    reg_commands = 0x08,
    reg_events = 0x10,
    reg_control = 0x18,
    reg_exclusion = 0x20,
    reg_extended = 0x30,
    reg_command_head = 0x2000,
    reg_command_tail = 0x2008,
    reg_event_head = 0x2010,
    reg_event_tail = 0x2018,
    reg_status = 0x2020,
};
constexpr uint64_t register_bytes = 0x4000;

constexpr uint64_t control_enabled = 1u << 0;
constexpr uint64_t control_events = 1u << 2;
constexpr uint64_t control_event_interrupt = 1u << 3;
constexpr uint64_t control_commands = 1u << 12;

constexpr uint32_t queue_bytes = 4096;
constexpr uint64_t queue_length = uint64_t{8} << 56;    // 256 entries of 16 bytes
constexpr uint32_t queue_entry_bytes = 16;
constexpr unsigned levels = 4;
constexpr unsigned largest_level = 3;

// Words of an entry of the device table.
constexpr uint64_t entry_valid = 1;
constexpr uint64_t entry_translates = 2;
constexpr unsigned entry_level_shift = 9;
constexpr uint64_t entry_readable_writable = uint64_t{3} << 61;
constexpr uint64_t entry_checks_interrupts = 1;
constexpr uint64_t entry_256_interrupts = 8u << 1;
constexpr uint64_t entry_remaps = uint64_t{2} << 60;

struct DeviceEntry {
    uint64_t memory;
    uint64_t domain;
    uint64_t interrupts;
    uint64_t reserved;
};
static_assert(sizeof(DeviceEntry) == 32);

struct Format {
    static constexpr uint64_t present = 1;
    static uint64_t table(Mfn next, unsigned level)
    {
        return address_of(next).raw() | present | uint64_t{level} << entry_level_shift | entry_readable_writable;
    }
    static uint64_t leaf(HostPhysical to, unsigned) { return to.raw() | present | entry_readable_writable; }
    static HostPhysical target(uint64_t entry) { return HostPhysical(entry & 0x000F'FFFF'FFFF'F000); }
};

struct Unit {
    volatile void* registers;
    const IvrsUnit* facts;
    Mfn commands;
    Mfn events;
    Mfn wait_word;
    uint32_t tail;                  // of the commands, in bytes
    bool broken;
};

constinit IvrsFacts ivrs{};
constinit std::array<Unit, 8> units{};
constinit uint32_t unit_count{0};
constinit std::span<DeviceEntry> devices{};     // by id; one table for all units
constinit uint16_t domains{0};
constinit bool started{false};
constinit Spinlock queue_lock{LockRank::device};

template <class T>
T read(const Unit& unit, uint32_t at) { return x86::read_register<T>(unit.registers, at); }
template <class T>
void write(const Unit& unit, uint32_t at, T value) { x86::write_register<T>(unit.registers, at, value); }

Unit* unit_of(uint16_t id)
{
    for (uint32_t i = 0; i < ivrs.range_count; ++i)
        if (id >= ivrs.ranges[i].first && id <= ivrs.ranges[i].last)
            return &units[ivrs.ranges[i].unit];
    return nullptr;
}

// --- Commands ----------------------------------------------------------------------------------------------

struct Command {
    uint64_t low;
    uint64_t high;
};
constexpr uint64_t operation(uint64_t number) { return number << 60; }
constexpr Command forget_device(uint16_t id) { return {operation(2) | id, 0}; }
constexpr Command forget_pages(uint16_t domain) { return {operation(3) | uint64_t{domain} << 32, 0x7FFF'FFFF'FFFF'F003}; }
constexpr Command forget_interrupts(uint16_t id) { return {operation(5) | id, 0}; }

void put(Unit& unit, Command command)
{
    auto* queue = machine::frame_pointer<Command>(unit.commands);
    queue[unit.tail / queue_entry_bytes] = command;
    unit.tail = (unit.tail + queue_entry_bytes) % queue_bytes;
}

[[nodiscard]] bool flush_commands(Unit& unit)
{
    constexpr uint64_t store = 1;
    constexpr uint64_t done = 0x600d;
    auto* word = machine::frame_pointer<volatile uint64_t>(unit.wait_word);
    *word = 0;
    put(unit, {operation(1) | address_of(unit.wait_word).raw() | store, done});
    asm volatile("mfence" : : : "memory");
    write<uint64_t>(unit, reg_command_tail, unit.tail);
    return iommu_wait([&] { return *word == done; });
}

[[nodiscard]] bool forget(Unit& unit, Command command)
{
    const LockGuard guard(queue_lock);
    if (unit.broken)
        return false;
    put(unit, command);
    unit.broken = !flush_commands(unit);
    return !unit.broken;
}

// What a firmware's use of it may have left. Few at a time: the queue is short.
[[nodiscard]] bool forget_all(Unit& unit)
{
    for (uint16_t domain = 0; domain <= domains; ++domain) {
        if (!forget(unit, forget_pages(domain)))
            return false;
    }
    for (const PciFunction& function : pci_functions()) {
        const uint16_t id = function.address.raw();
        if (!forget(unit, forget_device(id)) || !forget(unit, forget_interrupts(id)))
            return false;
    }
    return true;
}

// --- Start -------------------------------------------------------------------------------------------------

START_ONLY void make_device_table()
{
    constexpr size_t functions_a_bus = 256;
    unsigned last_bus = 0;
    for (const PciFunction& function : pci_functions())
        last_bus = std::max({last_bus, pci_bus(function.address), unsigned{function.secondary_bus}});
    for (uint32_t i = 0; i < ivrs.io_apic_count; ++i)
        last_bus = std::max(last_bus, unsigned{ivrs.io_apics[i].requester} >> 8);
    for (uint32_t i = 0; i < ivrs.alias_count; ++i)
        last_bus = std::max(last_bus, unsigned{ivrs.aliases[i].id} >> 8);
    const size_t entries = (last_bus + 1) * functions_a_bus;
    auto* table = static_cast<DeviceEntry*>(boot_allocate(entries * sizeof(DeviceEntry), page_size));
    devices = {table, entries};
    for (DeviceEntry& entry : devices)
        entry = {entry_valid | entry_translates, 0, entry_checks_interrupts, 0};
    // The core alone tells an I/O APIC what to send.
    for (uint32_t i = 0; i < ivrs.io_apic_count; ++i)
        devices[ivrs.io_apics[i].requester].interrupts = 0;
}

START_ONLY const char* find_amd(const void* table, uint32_t bytes)
{
    read_ivrs(acpi_reader::Bytes({static_cast<const uint8_t*>(table), bytes}), ivrs);
    if (ivrs.problem != nullptr)
        return ivrs.problem;
    // Its lines would be refused as anybody's.
    if (ivrs.io_apic_count == 0)
        return "the firmware does not say where the I/O APIC is";
    for (; unit_count < ivrs.unit_count; ++unit_count) {
        Unit& unit = units[unit_count];
        unit.facts = &ivrs.units[unit_count];
        unit.registers = machine::map_device(unit.facts->base, register_bytes);
        unit.commands = boot_allocate_frame();
        unit.events = boot_allocate_frame();
        unit.wait_word = boot_allocate_frame();
        if (read<uint64_t>(unit, reg_control) == ~uint64_t{0})
            return "a unit does not answer";
    }
    make_device_table();
    return nullptr;
}

bool show(uint16_t id, FrameRange frames)
{
    IoTables<Format> tables;
    if (id >= devices.size() || devices[id].domain != 0)
        return false;
    tables.create(levels, largest_level);
    if (!tables.reaches(frames))
        return false;
    tables.show(frames);
    DeviceEntry& entry = devices[id];
    entry.memory = address_of(tables.top()).raw() | entry_valid | entry_translates | entry_readable_writable |
                   uint64_t{levels} << entry_level_shift;
    entry.domain = ++domains;
    entry.interrupts = address_of(boot_allocate_frame()).raw() | entry_checks_interrupts | entry_256_interrupts |
                       entry_remaps;
    return true;
}

START_ONLY void report_faults_of(const Unit& unit)
{
    constexpr uint32_t message_base = 0xFEE0'0000;
    for (const PciFunction& function : pci_functions()) {
        if (function.address != unit.facts->own || function.msi == 0)
            continue;
        PciDeviceFacts facts{};
        facts.msi_64bit = (pci_read32(function.address, function.msi) & 1u << 23) != 0;
        msi_enable(function, facts, {message_base | (local_apic_id() & 0xFF) << 12, vector_iommu});
        pci_master(function.address, true);
    }
}

START_ONLY bool start_unit(Unit& unit)
{
    // Bits of the block's flags are the control register's, one place higher.
    constexpr uint64_t tunnel = 1u << 1;
    constexpr uint64_t pass_posted = 1u << 8;
    constexpr uint64_t responses_pass = 1u << 9;
    constexpr uint64_t coherent = 1u << 10;
    const uint8_t flags = unit.facts->flags;
    const uint64_t as_told = ((flags & 1) != 0 ? tunnel : 0) | ((flags & 2) != 0 ? pass_posted : 0) |
                             ((flags & 4) != 0 ? responses_pass : 0) | ((flags & 32) != 0 ? coherent : 0);
    write<uint64_t>(unit, reg_control, 0);
    write<uint64_t>(unit, reg_devices,
                    machine::physical_of(devices.data()).raw() | (devices.size_bytes() / page_size - 1));
    write<uint64_t>(unit, reg_commands, address_of(unit.commands).raw() | queue_length);
    write<uint64_t>(unit, reg_events, address_of(unit.events).raw() | queue_length);
    write<uint64_t>(unit, reg_exclusion, 0);
    for (const AmdRegister at : {reg_command_head, reg_command_tail, reg_event_head, reg_event_tail})
        write<uint64_t>(unit, at, 0);
    report_faults_of(unit);
    write<uint64_t>(unit, reg_control, as_told | control_events | control_event_interrupt | control_commands);
    write<uint64_t>(unit, reg_control,
                    as_told | control_events | control_event_interrupt | control_commands | control_enabled);
    return forget_all(unit);
}

START_ONLY const char* start_amd(const BootInfo& info)
{
    for (uint32_t i = 0; i < ivrs.reserved_count; ++i) {
        const IvrsReserved& range = ivrs.reserved[i];
        const FrameRange frames{frame_of(HostPhysical(range.base)), range.bytes >> page_shift};
        const bool free = !iommu_is_usable_memory(info, frames);
        unsigned shown = 0;
        for (const PciFunction& function : pci_functions()) {
            const uint16_t id = function.address.raw();
            if (id >= range.first && id <= range.last && function.header_type == 0 && free)
                shown += show(id, frames) ? 1u : 0u;
        }
        log("    %u devices may reach %#lx to %#lx, which the firmware reserves for them", shown,
            static_cast<unsigned long>(range.base), static_cast<unsigned long>(range.base + range.bytes - 1));
    }
    x86::write_back_caches();
    for (uint32_t i = 0; i < unit_count; ++i) {
        if (!start_unit(units[i])) {
            for (uint32_t other = 0; other <= i; ++other)
                write<uint64_t>(units[other], reg_control, 0);
            return "a unit does not do what it is told";
        }
    }
    started = true;
    return nullptr;
}

// --- What iommu.cpp asks -----------------------------------------------------------------------------------

bool amd_has_registers(uint64_t base, uint64_t bytes)
{
    for (uint32_t i = 0; i < unit_count; ++i) {
        const uint64_t at = units[i].facts->base.raw();
        if (base < at + register_bytes && at < base + bytes)
            return true;
    }
    return false;
}

// The firmware knows of aliases beyond those of bridges.
uint16_t id_of(const Requester& requester)
{
    const uint16_t own = requester.function.raw();
    for (uint32_t i = 0; i < ivrs.alias_count; ++i)
        if (own >= ivrs.aliases[i].first && own <= ivrs.aliases[i].last)
            return ivrs.aliases[i].id;
    return requester.id.raw();
}

bool amd_confine(const Requester& requester, FrameRange frames)
{
    for (uint32_t i = 0; i < ivrs.reserved_count; ++i)
        if (requester.function.raw() >= ivrs.reserved[i].first && requester.function.raw() <= ivrs.reserved[i].last)
            return false;
    return unit_of(requester.function.raw()) != nullptr && show(id_of(requester), frames);
}

bool amd_remaps(PciAddress) { return started; }

// Source: "Interrupt Remapping Table Entry"; 32 bits, without the guests' extension.
bool set_interrupt(const Requester& requester, uint32_t number, uint32_t value)
{
    constexpr unsigned entries = 256;
    constexpr uint64_t table_bits = 0x000F'FFFF'FFFF'FFC0;
    const uint16_t id = id_of(requester);
    Unit* unit = unit_of(requester.function.raw());
    if (unit == nullptr || number >= entries || (devices[id].interrupts & entry_remaps) == 0)
        return false;
    auto* table = machine::physical_pointer<volatile uint32_t>(HostPhysical(devices[id].interrupts & table_bits));
    if (table[number] == value)
        return !unit->broken;
    table[number] = value;
    return forget(*unit, forget_interrupts(id));
}

bool amd_interrupt_message(const Requester& requester, uint32_t number, uint8_t vector, uint32_t apic_id,
                           InterruptMessage& message)
{
    constexpr uint32_t valid = 1;
    constexpr uint32_t message_base = 0xFEE0'0000;
    if (apic_id > 0xFE || !set_interrupt(requester, number, valid | apic_id << 8 | uint32_t{vector} << 16))
        return false;
    message = {message_base, number};
    return true;
}

void amd_forget_interrupt(const Requester& requester, uint32_t number) { (void)set_interrupt(requester, number, 0); }

bool amd_take_fault(IommuFault& fault)
{
    constexpr uint32_t page_fault = 2;
    constexpr uint64_t of_interrupt = uint64_t{1} << 51;
    constexpr uint64_t of_write = uint64_t{1} << 53;
    constexpr uint64_t overflow_and_interrupt = 3;
    for (uint32_t i = 0; i < unit_count; ++i) {
        const Unit& unit = units[i];
        write<uint64_t>(unit, reg_status, overflow_and_interrupt);
        const auto head = static_cast<uint32_t>(read<uint64_t>(unit, reg_event_head)) & (queue_bytes - 1);
        const auto tail = static_cast<uint32_t>(read<uint64_t>(unit, reg_event_tail)) & (queue_bytes - 1);
        if (head == tail)
            continue;
        const Command event = machine::frame_pointer<Command>(unit.events)[head / queue_entry_bytes];
        write<uint64_t>(unit, reg_event_head, (head + queue_entry_bytes) % queue_bytes);
        const auto kind = static_cast<uint8_t>(event.low >> 60);
        fault = {PciAddress(static_cast<uint16_t>(event.low)), event.high, (event.low & of_write) != 0,
                 kind == page_fault && (event.low & of_interrupt) != 0, kind};
        return true;
    }
    return false;
}

}  // namespace

constinit const IommuKind amd_iommu_kind{"AMD-Vi", find_amd, amd_has_registers, amd_confine, start_amd, amd_remaps,
                                         amd_interrupt_message, amd_forget_interrupt, amd_take_fault};

}  // namespace bulkhead
