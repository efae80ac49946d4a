// SPDX-License-Identifier: BSD-2-Clause
// See svm_exit.hpp. Source: AMD APM vol 2, "VMEXIT" and its codes.
#include "hvm/cpu/svm_exit.hpp"

#include "hvm/cpu/guest_registers.hpp"
#include "hvm/cpu/svm_events.hpp"
#include "machine/switch.hpp"

namespace bulkhead::svm {

namespace {

Exit decode_port(const Vmcb& block, Exit exit)
{
    const uint64_t info = block.exit_info_1;
    exit.reason = ExitReason::port;
    exit.write = (info & 1) == 0;
    exit.string = (info & 4) != 0;
    exit.bytes = static_cast<uint8_t>(info >> 4 & 7);
    exit.port = static_cast<uint16_t>(info >> 16);
    return exit;
}

Exit finish_control_write(Vcpu& vcpu, const GuestFrame& frame, Vmcb& block, Exit exit)
{
    const ControlMove write = control_move(vcpu, block, frame, true);
    if (write.bytes == 0)
        return exit;                    // other code is there by now: that runs
    exit.general_register = write.general_register;
    exit.write = true;
    if (block.exit_code == exit_write_of_cr8) {
        exit.reason = ExitReason::task_priority;
        return exit;
    }
    const uint64_t value = general_register(frame, write.general_register);
    if (write_cr4(vcpu, block, vendor().in_64_bit_code(vcpu) ? value : static_cast<uint32_t>(value)))
        exit.reason = ExitReason::carried_out;
    else
        inject_exception(vcpu, vector::general_protection, 0);
    return exit;
}

Exit finish_read_of_cr4(const Vcpu& vcpu, GuestFrame& frame, const Vmcb& block, Exit exit)
{
    const ControlMove read = control_move(vcpu, block, frame, false);
    if (read.bytes == 0)
        return exit;
    const uint64_t value = read_cr4(block);
    general_register(frame, read.general_register) = vendor().in_64_bit_code(vcpu) ? value : static_cast<uint32_t>(value);
    exit.reason = ExitReason::carried_out;
    return exit;
}

}  // namespace

Exit decode_rare(Vcpu& vcpu, GuestFrame& frame, Vmcb& block)
{
    Exit exit{};
    exit.detail = block.exit_code;
    switch (block.exit_code) {
    case svm::exit_interrupt:
    case exit_nmi:
    case exit_init:
        exit.reason = ExitReason::interrupt;
        return exit;
    case exit_window:
        exit.reason = ExitReason::interrupt_window;
        return exit;
    case exit_port:
        return decode_port(block, exit);
    case exit_xsetbv:
        exit.reason = ExitReason::set_xcr0;
        return exit;
    case exit_wbinvd:
    case exit_invd:
        exit.reason = ExitReason::cache_control;
        return exit;
    case exit_iret:
        at_iret(block);
        return exit;
    case exit_read_of_cr4:
        return finish_read_of_cr4(vcpu, frame, block, exit);
    case exit_write_of_cr4:
    case exit_write_of_cr8:
        return finish_control_write(vcpu, frame, block, exit);
    case exit_exception + vector::machine_check:
        machine::take_machine_check();      // the box's, as on VT-x
        return exit;
    case exit_nested_fault:
        exit.reason = ExitReason::nested_fault;
        exit.address = block.exit_info_2;
        exit.write = (block.exit_info_1 & 2) != 0;
        exit.error_code = static_cast<uint32_t>(block.exit_info_1);
        exit.by_instruction = (block.exit_info_1 & (nested_fetch | nested_walk)) == 0;
        return exit;
    case exit_shutdown:
        exit.reason = ExitReason::triple_fault;
        return exit;
    case exit_invalid:
    case exit_invalid_32:
        exit.reason = ExitReason::entry_failed;
        return exit;
    case exit_rdpmc:
    case exit_rsm:
    case exit_invlpga:
    case exit_vmrun:
    case exit_vmload:
    case exit_vmload + 1:
    case exit_vmload + 2:
    case exit_vmload + 3:
    case exit_skinit:
    case exit_monitor:
    case exit_mwait:
        exit.reason = ExitReason::no_such_instruction;
        return exit;
    default:
        break;
    }
    if (block.exit_code == exit_exception + vector::debug && was_own_step(block))
        return exit;
    if (block.exit_code >= exit_exception && block.exit_code < exit_exception + 32) {
        exit.reason = ExitReason::exception;
        exit.vector = static_cast<uint8_t>(block.exit_code - exit_exception);
        exit.error_code = static_cast<uint32_t>(block.exit_info_1);
        return exit;
    }
    exit.reason = ExitReason::unknown;
    return exit;
}

void keep_interrupted(Vmcb& block, Injection& next)
{
    constexpr uint8_t breakpoint = 3, overflow = 4;
    const uint64_t event = block.exit_interrupt;
    const uint64_t type = event >> event_type_shift & 7;
    const auto vector = static_cast<uint8_t>(event);
    if (type == event_software || (type == event_exception && (vector == breakpoint || vector == overflow)))
        return;
    next.type = type == event_interrupt ? Injection::Type::interrupt
              : type == event_nmi       ? Injection::Type::nmi
                                        : Injection::Type::exception;
    next.vector = vector;
    if (next.type == Injection::Type::nmi)
        forget_nmi(block);
    next.has_error_code = (event & event_error_valid) != 0;
    next.error_code = static_cast<uint32_t>(event >> 32);
}

}  // namespace bulkhead::svm
