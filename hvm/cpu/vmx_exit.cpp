// SPDX-License-Identifier: BSD-2-Clause
// See vmx_exit.hpp. Source: Intel SDM vol 3, appendix C, "VMX Basic Exit Reasons", and "Exit Qualification".
#include "hvm/cpu/vmx_exit.hpp"

#include "hvm/cpu/vmx_instructions.hpp"
#include "hvm/cpu/xapic.hpp"

namespace bulkhead::vmx {

namespace {

// Source: "Exit Qualification for EPT Violations".
constexpr uint64_t ept_fetch = 1u << 2, ept_linear = 1u << 7, ept_translated = 1u << 8;

ExitReason simple_reason(uint32_t reason)
{
    switch (reason) {
    case reason_interrupt:
    case reason_init:
    case reason_preemption_timer:
        return ExitReason::interrupt;
    case reason_interrupt_window:
    case reason_nmi_window:
        return ExitReason::interrupt_window;
    case reason_triple_fault: return ExitReason::triple_fault;
    case reason_task_switch: return ExitReason::task_switch;
    case reason_cpuid: return ExitReason::cpuid;
    case reason_halt: return ExitReason::halt;
    case reason_vmcall: return ExitReason::hypercall;
    case reason_msr_read: return ExitReason::msr_read;
    case reason_msr_write: return ExitReason::msr_write;
    case reason_xsetbv: return ExitReason::set_xcr0;
    case reason_invd:
    case reason_wbinvd:
        return ExitReason::cache_control;
    case reason_getsec:
    case reason_rdpmc:
    case reason_rsm:
    case reason_mwait:
    case reason_monitor:
    case reason_invept:
    case reason_invvpid:
    case reason_invpcid:
    case reason_vmfunc:
    case reason_encls:
    case reason_xsaves:
    case reason_xrstors:
    case reason_umwait:
    case reason_tpause:
        return ExitReason::no_such_instruction;
    default:
        return reason >= reason_vmclear && reason <= reason_vmxon ? ExitReason::no_such_instruction : ExitReason::unknown;
    }
}

void decode_port(Exit& exit)
{
    const uint64_t info = read(Field::QUALIFICATION);
    exit.reason = ExitReason::port;
    exit.bytes = static_cast<uint8_t>((info & 7) + 1);
    exit.write = (info & 8) == 0;
    exit.string = (info & 16) != 0;
    exit.port = static_cast<uint16_t>(info >> 16);
}

void decode_nested_fault(Exit& exit)
{
    const uint64_t info = read(Field::QUALIFICATION);
    exit.reason = ExitReason::nested_fault;
    exit.address = read(Field::GUEST_PHYSICAL_ADDRESS);
    exit.write = (info & 2) != 0;
    exit.error_code = static_cast<uint32_t>(info);
    exit.by_instruction = (info & (ept_fetch | ept_linear | ept_translated)) == (ept_linear | ept_translated);
}

// Source: "Exit Qualification for APIC-Access VM Exits from Linear Accesses".
void decode_apic_access(Exit& exit)
{
    constexpr unsigned type_shift = 12;
    constexpr uint64_t linear_read = 0, linear_write = 1;
    const uint64_t info = read(Field::QUALIFICATION);
    const uint64_t type = info >> type_shift & 0xF;
    exit.reason = ExitReason::nested_fault;
    exit.address = apic_page | (info & page_mask);
    exit.write = type == linear_write;
    exit.by_instruction = type == linear_read || type == linear_write;
}

void decode_exception(Exit& exit)
{
    const auto event = static_cast<uint32_t>(read(Field::EXIT_EVENT));
    if ((event >> event_type_shift & 7) == event_nmi) {
        exit.reason = ExitReason::interrupt;
        return;
    }
    exit.reason = ExitReason::exception;
    exit.vector = static_cast<uint8_t>(event);
    if ((event & event_error_valid) != 0)
        exit.error_code = static_cast<uint32_t>(read(Field::EXIT_ERROR_CODE));
}

void decode_control_register(Exit& exit)
{
    constexpr unsigned task_priority = 8;
    const ControlAccess access = decode_control_access(read(Field::QUALIFICATION));
    if (access.number != task_priority)
        return;
    exit.reason = ExitReason::task_priority;
    exit.write = access.kind == ControlAccess::Kind::write;
    exit.general_register = static_cast<uint8_t>(access.general_register);
}

}  // namespace

Exit decode_exit(uint32_t reason)
{
    Exit exit{};
    exit.detail = reason;
    if ((reason & reason_entry_failed) != 0) {
        exit.reason = ExitReason::entry_failed;
        return exit;
    }
    exit.reason = simple_reason(reason & reason_mask);
    switch (reason & reason_mask) {
    case reason_exception:
        decode_exception(exit);
        break;
    case reason_port:
        decode_port(exit);
        break;
    case reason_ept_violation:
        decode_nested_fault(exit);
        break;
    case reason_apic_access:
        decode_apic_access(exit);
        break;
    case reason_control_register:
        decode_control_register(exit);
        break;
    default:
        break;
    }
    return exit;
}

uint32_t encode_event(const Injection& next, bool protected_mode)
{
    uint32_t type = event_exception;
    switch (next.type) {
    case Injection::Type::none:
        return 0;
    case Injection::Type::interrupt:
        type = event_interrupt;
        break;
    case Injection::Type::nmi:
        type = event_nmi;
        break;
    case Injection::Type::exception:
        break;
    }
    return event_valid | type << event_type_shift | next.vector |
           (next.has_error_code && protected_mode ? event_error_valid : 0);
}

Injection decode_interrupted(uint32_t event, uint32_t error_code)
{
    const auto vector = static_cast<uint8_t>(event);
    const bool has_error_code = (event & event_error_valid) != 0;
    if ((event & event_valid) == 0)
        return {};
    switch (event >> event_type_shift & 7) {
    case event_interrupt:
        return {Injection::Type::interrupt, vector, false, 0};
    case event_nmi:
        return {Injection::Type::nmi, vector, false, 0};
    case event_exception:
        return {Injection::Type::exception, vector, has_error_code, has_error_code ? error_code : 0};
    default:
        return {};
    }
}

}  // namespace bulkhead::vmx
