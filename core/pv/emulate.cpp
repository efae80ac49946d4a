// SPDX-License-Identifier: BSD-2-Clause
// From a trapped instruction's bytes to what it does. The frequent ones are recognised by their
// first bytes; all others go through the matcher.
#include "core/pv/emulate.hpp"

#include "core/pv/control_bits.hpp"
#include "core/pv/cpuid_policy.hpp"
#include "core/pv/emulate_complete.hpp"
#include "core/pv/emulate_control.hpp"
#include "core/pv/emulate_fetch.hpp"
#include "core/pv/instruction.hpp"
#include "core/pv/io_ports.hpp"
#include "core/pv/msr_policy.hpp"
#include "machine/clock.hpp"
#include "machine/control.hpp"
#include "machine/fpu.hpp"

namespace bulkhead {

namespace {

Emulation emulate_rdmsr(Vcpu& vcpu, GuestFrame& frame, unsigned length)
{
    const std::optional<uint64_t> value = read_guest_msr(vcpu, static_cast<uint32_t>(frame.rcx));
    if (!value.has_value()) [[unlikely]]
        return Emulation::inject_gp;
    frame.rax = static_cast<uint32_t>(*value);
    frame.rdx = *value >> 32;
    return complete(vcpu, frame, length);
}

Emulation emulate_wrmsr(Vcpu& vcpu, GuestFrame& frame, unsigned length)
{
    const uint64_t value = frame.rdx << 32 | (frame.rax & 0xFFFF'FFFF);
    if (!write_guest_msr(vcpu, static_cast<uint32_t>(frame.rcx), value)) [[unlikely]]
        return Emulation::inject_gp;
    return complete(vcpu, frame, length);
}

Emulation emulate_cpuid(Vcpu& vcpu, GuestFrame& frame, unsigned length)
{
    vcpu.pv.emulation.count(Trapped::cpuid);
    const CpuidResult leaf =
        guest_cpuid(vcpu, static_cast<uint32_t>(frame.rax), static_cast<uint32_t>(frame.rcx));
    frame.rax = leaf.eax;
    frame.rbx = leaf.ebx;
    frame.rcx = leaf.ecx;
    frame.rdx = leaf.edx;
    return complete(vcpu, frame, length);
}

// The guest's kernel set CR4.TSD for its users; to itself the clock stays open.
Emulation emulate_rdtsc(Vcpu& vcpu, GuestFrame& frame, const Instruction& instruction)
{
    vcpu.pv.emulation.count(Trapped::rdtsc);
    const uint64_t ticks = machine::read_tsc().raw();
    frame.rax = static_cast<uint32_t>(ticks);
    frame.rdx = ticks >> 32;
    if (instruction.operation == Operation::rdtscp)
        frame.rcx = vcpu.pv.emulation.tsc_aux;
    return complete(vcpu, frame, instruction.length);
}

// An address that cannot be read, or code that is not 64-bit.
Emulation refuse(Vcpu& vcpu, Trapped kind)
{
    vcpu.pv.emulation.count(kind);
    return Emulation::reflect;
}

// Source: xen/include/public/xen.h: interrupts of a PV guest are masked in vcpu_info, not by IF. As
// on Xen these do nothing if IOPL admits them: PUSHF and POPF could not be made to agree with them.
Emulation emulate_cli_sti(Vcpu& vcpu, GuestFrame& frame, unsigned length)
{
    if (!iopl_allows(vcpu))
        return refuse(vcpu, Trapped::forbidden);
    vcpu.pv.emulation.count(Trapped::cli_sti);
    return complete(vcpu, frame, length);
}

Emulation emulate_kernel_only(Vcpu& vcpu, GuestFrame& frame, const Instruction& instruction)
{
    if (!vcpu.pv.kernel_mode)
        return refuse(vcpu, Trapped::forbidden);
    switch (instruction.operation) {
    case Operation::rdmsr:
        return emulate_rdmsr(vcpu, frame, instruction.length);
    case Operation::wrmsr:
        return emulate_wrmsr(vcpu, frame, instruction.length);
    case Operation::read_control:
    case Operation::write_control:
    case Operation::read_debug:
    case Operation::write_debug:
        return emulate_move(vcpu, frame, instruction);
    case Operation::clts:
        return emulate_clts(vcpu, frame, instruction.length);
    case Operation::xsetbv:
        return emulate_xsetbv(vcpu, frame, instruction.length);
    case Operation::rdtsc:
    case Operation::rdtscp:
        return emulate_rdtsc(vcpu, frame, instruction);
    case Operation::wbinvd:
        // No partition owns a device that looks past the caches.
        vcpu.pv.emulation.count(Trapped::wbinvd);
        return complete(vcpu, frame, instruction.length);
    case Operation::refused:
        return refuse(vcpu, Trapped::unmatched);
    default:
        return refuse(vcpu, Trapped::forbidden);
    }
}

[[gnu::noinline]] Emulation emulate_matched(Vcpu& vcpu, GuestFrame& frame)
{
    InstructionBytes bytes;
    if (!fetch(bytes, frame))
        return refuse(vcpu, Trapped::unmatched);
    const Instruction instruction = decode_privileged(bytes);
    switch (instruction.operation) {
    case Operation::in:
    case Operation::out:
        return emulate_port(vcpu, frame, instruction);
    case Operation::ins:
    case Operation::outs:
        return emulate_string_port(vcpu, frame, instruction);
    case Operation::cpuid:
        return emulate_cpuid(vcpu, frame, instruction.length);
    case Operation::cli:
    case Operation::sti:
        return emulate_cli_sti(vcpu, frame, instruction.length);
    default:
        return emulate_kernel_only(vcpu, frame, instruction);
    }
}

}  // namespace

void init_emulation()
{
    init_cpuid_policy(cpuid, machine::fpu_components(), machine::clock_scale().stable);
    init_msr_policy({
        .microcode_revision = machine::microcode_revision(),
        .arch_capabilities = features().arch_capabilities,
    });
}

void load_emulated_registers(const Vcpu& vcpu)
{
    machine::set_time_stamp_disable((vcpu.pv.cr4 & cr4::tsd) != 0);
    if (policy_offers_tsc_aux())
        machine::write_tsc_aux(vcpu.pv.emulation.tsc_aux);
}

Emulation emulate_privileged(Vcpu& vcpu, GuestFrame& frame)
{
    if (!runs_64bit_code(frame)) [[unlikely]]
        return refuse(vcpu, Trapped::unmatched);
    if (const std::optional<uint64_t> head = fetch_head(frame); head.has_value() && vcpu.pv.kernel_mode) [[likely]] {
        switch (*head & 0xFFFF) {
        case 0x320F:
            return emulate_rdmsr(vcpu, frame, 2);
        case 0x300F:
            return emulate_wrmsr(vcpu, frame, 2);
        default:
            break;
        }
        // in %dx and out %dx, bytes and words of 4 bytes
        const auto opcode = static_cast<uint8_t>(*head);
        if ((opcode & 0xFC) == 0xEC)
            return emulate_port(vcpu, frame,
                                {.operation = (opcode & 2) != 0 ? Operation::out : Operation::in,
                                 .length = 1,
                                 .size = static_cast<uint8_t>((opcode & 1) != 0 ? 4 : 1)});
    }
    return emulate_matched(vcpu, frame);
}

Emulation emulate_forced(Vcpu& vcpu, GuestFrame& frame)
{
    // ud2, "xen", cpuid
    constexpr uint64_t forced_cpuid = 0xA2'0F6E'6578'0B0F;
    constexpr uint64_t seven_bytes = 0x00FF'FFFF'FFFF'FFFF;
    constexpr unsigned length = 7;
    std::optional<uint64_t> head = fetch_head(frame);
    if (!head.has_value()) {
        uint64_t bytes = 0;
        if (!machine::copy_from_guest(&bytes, GuestVirtual(frame.rip), length))
            return Emulation::reflect;
        head = bytes;
    }
    if ((*head & seven_bytes) != forced_cpuid)
        return Emulation::reflect;
    return emulate_cpuid(vcpu, frame, length);
}

std::optional<uint8_t> software_interrupt(Vcpu& vcpu, GuestFrame& frame)
{
    constexpr uint32_t from_idt = 2;
    constexpr uint32_t external = 1;
    if ((frame.error_code & (from_idt | external)) != from_idt)
        return std::nullopt;
    // The error code holds the vector times 8; QEMU's software CPU says times 16 in long mode. The
    // instruction decides, if its bytes are still there.
    const auto by_error = static_cast<uint8_t>(frame.error_code >> 3);
    uint8_t vector = by_error;
    uint8_t bytes[2];
    if (machine::copy_from_guest(bytes, GuestVirtual(frame.rip), sizeof(bytes)) && bytes[0] == 0xCD
        && (bytes[1] * 8u == (frame.error_code & ~7u) || bytes[1] * 16u == (frame.error_code & ~7u)))
        vector = bytes[1];
    // To the ABI a guest's kernel runs in ring 1.
    if (vcpu.pv.traps[vector].dpl < (vcpu.pv.kernel_mode ? 1 : 3))
        return std::nullopt;
    vcpu.pv.emulation.count(Trapped::software_interrupt);
    frame.rip += 2;
    return vector;
}

const char* trapped_name(Trapped kind)
{
    constexpr std::array<const char*, static_cast<unsigned>(Trapped::count)> names = {
        "rdmsr", "rdmsr refused", "wrmsr", "wrmsr refused", "control registers", "debug registers",
        "cpuid", "rdtsc", "xsetbv", "ports", "ports refused", "cli, sti", "wbinvd", "int n",
        "page-table stores", "page-table stores refused", "forbidden", "not recognised",
    };
    return names[static_cast<unsigned>(kind)];
}

}  // namespace bulkhead
