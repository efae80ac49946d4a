// SPDX-License-Identifier: BSD-2-Clause
// See xapic.hpp.
#include "hvm/cpu/xapic.hpp"

#include "hvm/cpu/apic_registers.hpp"
#include "hvm/cpu/hardware_vcpu.hpp"

namespace bulkhead {

namespace {

using namespace apic;

constexpr unsigned id_shift = 24;
constexpr uint32_t id_bits = 0xFFu << id_shift;
constexpr uint32_t model_bits = 0xFu << 28;
constexpr uint32_t error_no_register = 1u << 7;
constexpr uint32_t command_bits = ~command_reserved & ~command_pending;

uint32_t number_of(uint32_t offset) { return offset / static_cast<uint32_t>(apic_register_bytes); }

// By MSR a bit that does not exist is refused; here it is ignored.
uint32_t existing_bits(uint32_t reg)
{
    if (is_lvt(reg))
        return lvt_bits[lvt_index(reg)];
    switch (reg) {
    case reg_tpr: return 0xFF;
    case reg_svr: return 0x1FF;
    case reg_timer_divide: return 0xB;
    case reg_timer_initial: return ~0u;
    default: return 0;              // EOI, error status: any write is one of zero
    }
}

bool is_plain(uint32_t reg)
{
    return is_lvt(reg) || reg == reg_tpr || reg == reg_svr || reg == reg_timer_divide || reg == reg_timer_initial ||
           reg == reg_eoi || reg == reg_esr;
}

bool is_read_only(uint32_t reg)
{
    return reg == reg_id || reg == reg_version || reg == reg_ppr || (reg >= reg_isr && reg < reg_esr) ||
           reg == reg_timer_current;
}

}  // namespace

uint32_t read_apic_page(Vcpu& vcpu, uint32_t offset)
{
    LocalApic& own = vcpu.hardware->apic;
    const uint32_t reg = number_of(offset);
    switch (reg) {
    case reg_id: return own.id << id_shift;
    case reg_ldr: return own.logical_destination;
    case reg_dfr: return own.destination_format;
    case reg_icr: return own.command;
    case reg_icr_high: return own.command_destination;
    default: break;
    }
    uint64_t value = 0;
    if (reg != reg_eoi && reg != reg_self_ipi && read_apic(vcpu, first_register + reg, value))
        return static_cast<uint32_t>(value);
    own.error_status |= error_no_register;
    return 0;
}

void write_apic_page(Vcpu& vcpu, uint32_t offset, uint32_t value)
{
    LocalApic& own = vcpu.hardware->apic;
    const uint32_t reg = number_of(offset);
    if (is_plain(reg)) {
        (void)write_apic(vcpu, first_register + reg, value & existing_bits(reg));
        return;
    }
    switch (reg) {
    case reg_ldr:
        own.logical_destination = value & id_bits;
        return;
    case reg_dfr:
        own.destination_format = value | ~model_bits;
        return;
    case reg_icr:
        own.command = value & command_bits;
        (void)write_apic(vcpu, first_register + reg,
                         uint64_t{own.command_destination >> id_shift} << 32 | own.command);
        return;
    case reg_icr_high:
        own.command_destination = value & id_bits;
        return;
    default:
        if (!is_read_only(reg))
            own.error_status |= error_no_register;
        return;
    }
}

// Source: "Logical Destination Mode": the flat model has a bit for each of eight, the cluster model four
// bits in each of fifteen clusters.
bool is_addressed_by_page(const LocalApic& own, uint32_t id, uint32_t destination, bool logical)
{
    constexpr uint32_t everybody = 0xFF;
    destination &= everybody;
    if (destination == everybody)
        return true;
    if (!logical)
        return destination == id;
    const uint32_t mine = own.logical_destination >> id_shift;
    if ((own.destination_format & model_bits) == model_bits)
        return (mine & destination) != 0;
    return (mine & 0xF0) == (destination & 0xF0) && (mine & destination & 0x0F) != 0;
}

}  // namespace bulkhead
