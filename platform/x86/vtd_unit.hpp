// SPDX-License-Identifier: BSD-2-Clause
// Between the files about VT-d: its units, their registers and what was told them of memory. Source: Intel
// Virtualization Technology for Directed I/O, "Register Descriptions".
#pragma once

#include "core/boot_info.hpp"
#include "platform/x86/dmar.hpp"
#include "platform/x86/instructions.hpp"
#include "platform/x86/iommu_unit.hpp"

#include <array>
#include <span>

namespace bulkhead::vtd {

enum Register : uint32_t {
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
inline constexpr uint32_t bit_translate = 1u << 31;
inline constexpr uint32_t bit_root = 1u << 30;
inline constexpr uint32_t bit_queue = 1u << 26;
inline constexpr uint32_t bit_remap = 1u << 25;
inline constexpr uint32_t bit_remap_root = 1u << 24;
inline constexpr uint32_t bit_compatible = 1u << 23;
inline constexpr uint32_t lasting_bits = bit_translate | bit_queue | bit_remap | bit_compatible;

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

extern DmarFacts dmar;
extern std::array<Unit, 16> all_units;
extern uint32_t unit_count;
[[nodiscard]] inline std::span<Unit> units() { return std::span(all_units).first(unit_count); }

template <class T>
T read(const Unit& unit, uint32_t at) { return x86::read_register<T>(unit.registers, at); }
template <class T>
void write(const Unit& unit, uint32_t at, T value) { x86::write_register<T>(unit.registers, at, value); }

inline bool is_coherent(const Unit& unit) { return (unit.extended & 1) != 0; }
inline bool has_queue(const Unit& unit) { return (unit.extended & 2) != 0; }
inline bool can_remap(const Unit& unit) { return has_queue(unit) && (unit.extended & 8) != 0 && dmar.interrupt_remapping; }
inline bool takes_wide_ids(const Unit& unit) { return (unit.extended & 16) != 0; }


// --- vtd_unit.cpp ------------------------------------------------------------------------------------------

// What a unit that does not look into the caches is to see.
void publish(const Unit& unit, const void* at);
// Sets or clears a bit of the command register. False: the unit does not answer.
[[nodiscard]] bool command(const Unit& unit, uint32_t bit, bool on);
// Nothing of the entry of that handle is remembered. The caller keeps others from the queue.
[[nodiscard]] bool forget_entry(Unit& unit, uint32_t handle);
// Maps its registers and takes the frames that it needs.
void make_unit(Unit& unit, const DmarUnit& facts);
// From whatever the firmware has left to translation of everything. False: it does not do what it is told.
[[nodiscard]] bool start_unit(Unit& unit);
void report_faults_of(const Unit& unit);
[[nodiscard]] bool take_fault(IommuFault& fault);

// --- vtd_tables.cpp ----------------------------------------------------------------------------------------

// The levels of tables that the unit can walk and the core makes; 0: none.
[[nodiscard]] unsigned levels_of(const Unit& unit);
[[nodiscard]] Unit* unit_of(PciAddress address);
[[nodiscard]] bool is_in_scopes(uint32_t first, uint32_t count, PciAddress address);
// False: the id has memory already, or the unit cannot tell it.
[[nodiscard]] bool show(Unit& unit, PciAddress id, FrameRange frames);

// --- vtd_interrupts.cpp ------------------------------------------------------------------------------------

bool interrupt_message(const Requester& requester, uint32_t number, uint8_t vector, uint32_t apic_id,
                       InterruptMessage& message);
void forget_interrupt(const Requester& requester, uint32_t number);
// All units check interrupts, or none does: a line's entry has one form.
void start_remapping();

}  // namespace bulkhead::vtd
