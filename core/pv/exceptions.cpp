// SPDX-License-Identifier: BSD-2-Clause
// Exceptions that a PV guest causes: some the core resolves (privileged instructions, stores to page
// tables, lazily mapped LDTs), all others go to the guest's own handlers.
// Vector numbers: Intel SDM vol 3, "Protected-Mode Exceptions and Interrupts".
#include "core/checked.hpp"
#include "core/partition.hpp"
#include "core/partition_fault.hpp"
#include "core/pv/bounce.hpp"
#include "core/pv/debug_registers.hpp"
#include "core/pv/descriptors.hpp"
#include "core/pv/emulate.hpp"
#include "core/pv/entry_points.hpp"
#include "core/trace.hpp"
#include "machine/guest_view.hpp"
#include "machine/registers.hpp"
#include "machine/this_cpu.hpp"
#include "platform/x86/layout.hpp"

namespace bulkhead {

namespace {

enum Vector : uint8_t {
    debug = 1,
    breakpoint = 3,
    overflow = 4,
    invalid_opcode = 6,
    device_not_available = 7,
    general_protection = 13,
    page_fault = 14,
};

constexpr uint32_t fault_present = 1;
constexpr uint32_t fault_write = 2;
constexpr uint32_t fault_user = 4;
constexpr uint32_t fault_reserved = 8;

// `int3` and `into`: RIP is already past the instruction; the gate's privilege level decides.
void reflect_software_trap(Vcpu& vcpu, GuestFrame& frame, uint8_t vector)
{
    constexpr uint32_t from_idt = 2;
    if (!vcpu.pv.kernel_mode && vcpu.pv.traps[vector].dpl < 3) {
        frame.rip -= 1;
        return inject_exception(vcpu, frame, general_protection, vector * 8u + from_idt);
    }
    inject_software_interrupt(vcpu, frame, vector);
}

void reflect_debug(Vcpu& vcpu, GuestFrame& frame)
{
    merge_debug_status(vcpu, machine::read_debug_status());
    inject_exception(vcpu, frame, debug);
}

void general_protection_fault(Vcpu& vcpu, GuestFrame& frame)
{
    if (const auto vector = software_interrupt(vcpu, frame); vector.has_value())
        return inject_software_interrupt(vcpu, frame, *vector);
    if (frame.error_code == 0) {
        switch (emulate_privileged(vcpu, frame)) {
        case Emulation::done:
            return;
        case Emulation::inject_ud:
            return inject_exception(vcpu, frame, invalid_opcode);
        case Emulation::inject_gp:
        case Emulation::reflect:
            break;
        }
    }
    inject_exception(vcpu, frame, general_protection, frame.error_code);
}

void undefined_opcode(Vcpu& vcpu, GuestFrame& frame)
{
    switch (emulate_forced(vcpu, frame)) {
    case Emulation::done:
        return;
    case Emulation::inject_gp:
        return inject_exception(vcpu, frame, general_protection, 0);
    case Emulation::inject_ud:
    case Emulation::reflect:
        return inject_exception(vcpu, frame, invalid_opcode);
    }
}

// The guest's kernel asked for it by HYPERVISOR_fpu_taskswitch; the trap ends it, as on Xen.
void no_device(Vcpu& vcpu, GuestFrame& frame)
{
    if (vcpu.pv.task_switched) {
        vcpu.pv.task_switched = false;
        machine::set_task_switched(false);
    }
    inject_exception(vcpu, frame, device_not_available);
}

// A fault in the core's slots. Those of the CPU's own reads of descriptors do not say "user".
void fault_in_core(Vcpu& vcpu, GuestFrame& frame, uint64_t address)
{
    const uint32_t error = frame.error_code;
    if ((error & (fault_user | fault_reserved)) == 0) {
        if (map_ldt_page(vcpu, address))
            return operation_done(vcpu, checked::Operation::ldt_page);
        if (const auto missing = missing_descriptor(vcpu, address); missing.has_value()) {
            if (!missing->in_ldt)
                return inject_exception(vcpu, frame, general_protection, static_cast<uint32_t>(missing->selector));
            address = missing->address;
        }
    }
    inject_page_fault(vcpu, frame, address, error);
}

uint64_t trap_number(const GuestFrame& frame) { return frame.vector | uint64_t{frame.error_code} << 32; }

}  // namespace

void handle_guest_exception(GuestFrame& frame)
{
    trace(TraceEvent::trap, trap_number(frame), frame.rip);
    Vcpu& vcpu = *this_cpu().current;
    switch (frame.vector) {
    case debug:
        return reflect_debug(vcpu, frame);
    case breakpoint:
    case overflow:
        return reflect_software_trap(vcpu, frame, static_cast<uint8_t>(frame.vector));
    case invalid_opcode:
        return undefined_opcode(vcpu, frame);
    case device_not_available:
        return no_device(vcpu, frame);
    case general_protection:
        return general_protection_fault(vcpu, frame);
    default:
        return inject_exception(vcpu, frame, static_cast<uint8_t>(frame.vector), frame.error_code);
    }
}

void handle_guest_page_fault(GuestFrame& frame)
{
    trace(TraceEvent::trap, trap_number(frame), frame.rip);
    const uint64_t address = machine::read_cr2();
    const uint32_t error = frame.error_code;
    Vcpu& vcpu = *this_cpu().current;
    if (vcpu.pv.kernel_mode && (error & (fault_present | fault_write)) == (fault_present | fault_write)
        && layout::guest_range_ok(address, 1)) {
        switch (emulate_page_table_store(vcpu, frame, GuestVirtual(address))) {
        case Emulation::done:
            return operation_done(vcpu, checked::Operation::store_to_table);
        case Emulation::inject_gp:
            return inject_exception(vcpu, frame, general_protection, 0);
        case Emulation::inject_ud:
        case Emulation::reflect:
            break;
        }
    }
    if ((error & fault_present) == 0 && machine::view_is_behind(vcpu)) [[unlikely]]
        return machine::choose_view(vcpu);
    if (address >= layout::core_begin && address < layout::core_end) [[unlikely]]
        return fault_in_core(vcpu, frame, address);
    inject_page_fault(vcpu, frame, address, error);
}

}  // namespace bulkhead
