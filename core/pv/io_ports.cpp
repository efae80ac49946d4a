// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel SDM vol 1, "I/O Privilege Level" and "I/O Permission Bit Map";
// xen/include/public/physdev.h, PHYSDEVOP_set_iopl, PHYSDEVOP_set_iobitmap.
#include "core/pv/io_ports.hpp"

#include "core/partition.hpp"
#include "core/pv/bounce.hpp"
#include "core/pv/emulate_complete.hpp"
#include "core/pv/segments.hpp"
#include "machine/memory.hpp"
#include "machine/registers.hpp"
#include "platform/x86/layout.hpp"

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

namespace {

// About 40 instructions each.
constexpr unsigned string_elements_a_trap = 256;
constexpr uint32_t fault_write = 2;

// The bitmap lies in the kernel's part of memory, which a user's page tables need not show.
bool read_bitmap(const Vcpu& vcpu, void* to, GuestVirtual from, size_t bytes)
{
    if (vcpu.pv.kernel_mode)
        return machine::copy_from_guest(to, from, bytes);
    machine::switch_table(vcpu.pv.kernel_table.raw());
    const bool ok = machine::copy_from_guest(to, from, bytes);
    machine::switch_table(vcpu.pv.user_table.raw());
    return ok;
}

bool bitmap_allows(const Vcpu& vcpu, uint16_t port, unsigned size)
{
    if (uint32_t{port} + size > vcpu.pv.io_bitmap_ports)
        return false;
    // The bits of one access lie in at most two bytes; the second one only if it is needed.
    const unsigned shift = port & 7;
    const unsigned bytes = shift + size > 8 ? 2 : 1;
    uint16_t bits = 0;
    if (!read_bitmap(vcpu, &bits, GuestVirtual(vcpu.pv.io_bitmap + (port >> 3)), bytes))
        return false;
    return ((uint32_t{bits} >> shift) & ((1u << size) - 1)) == 0;
}

// The guest's memory could not be accessed at an address: what the CPU would have raised.
Emulation memory_fault(Vcpu& vcpu, GuestFrame& frame, uint64_t address, uint32_t error_code)
{
    if (!layout::is_canonical(address))
        return Emulation::inject_gp;
    inject_page_fault(vcpu, frame, address, error_code);
    return Emulation::done;
}

}  // namespace

bool iopl_allows(const Vcpu& vcpu)
{
    // To the ABI a guest's kernel runs in ring 1, unless it asked for the architecture's view.
    const bool architectural =
        (vcpu.partition->vm_assist & (uint64_t{1} << VMASST_TYPE_architectural_iopl)) != 0;
    const unsigned ring = !vcpu.pv.kernel_mode ? 3 : architectural ? 0 : 1;
    return ring <= vcpu.pv.iopl;
}

bool io_allowed(Vcpu& vcpu, uint16_t port, unsigned size)
{
    return iopl_allows(vcpu) || bitmap_allows(vcpu, port, size);
}

uint32_t read_port(Vcpu&, uint16_t port, unsigned size)
{
    // Kernels that look for a PIT count ticks for as long as a counter holds the 0xFF that they put
    // there: a hundred thousand reads. Zeros tell them at once that nothing counts.
    constexpr uint16_t first_counter = 0x40;
    constexpr uint16_t last_counter = 0x42;
    if (port >= first_counter && port <= last_counter)
        return 0;
    return static_cast<uint32_t>(size_mask(size));
}

void write_port(Vcpu&, uint16_t, unsigned, uint32_t) {}

Emulation emulate_port(Vcpu& vcpu, GuestFrame& frame, const Instruction& instruction)
{
    const auto port = static_cast<uint16_t>(instruction.has_immediate ? instruction.immediate : frame.rdx);
    const unsigned size = instruction.size;
    if (!io_allowed(vcpu, port, size)) {
        vcpu.pv.emulation.count(Trapped::port_refused);
        return Emulation::inject_gp;
    }
    vcpu.pv.emulation.count(Trapped::port);
    if (instruction.operation == Operation::in)
        write_register(frame, 0, size, false, read_port(vcpu, port, size));
    else
        write_port(vcpu, port, size, static_cast<uint32_t>(frame.rax & size_mask(size)));
    return complete(vcpu, frame, instruction.length, io_breakpoint_status(vcpu, port, size));
}

Emulation emulate_string_port(Vcpu& vcpu, GuestFrame& frame, const Instruction& instruction)
{
    const auto port = static_cast<uint16_t>(frame.rdx);
    const unsigned size = instruction.size;
    if (!io_allowed(vcpu, port, size)) {
        vcpu.pv.emulation.count(Trapped::port_refused);
        return Emulation::inject_gp;
    }
    vcpu.pv.emulation.count(Trapped::port);

    const bool is_in = instruction.operation == Operation::ins;
    const uint64_t segment = is_in || instruction.memory.segment == SegmentBase::none ? 0
                             : instruction.memory.segment == SegmentBase::fs        ? read_fs_base(vcpu)
                                                                                     : read_gs_base(vcpu);
    uint64_t& index = is_in ? frame.rdi : frame.rsi;
    const uint64_t step = (frame.rflags & rflags::df) != 0 ? 0 - uint64_t{size} : size;
    // Single steps and I/O breakpoints trap after each element.
    const uint64_t breakpoint = io_breakpoint_status(vcpu, port, size);
    const bool one = breakpoint != 0 || (frame.rflags & rflags::tf) != 0;
    for (unsigned i = 0; i < (one ? 1 : string_elements_a_trap); ++i) {
        if (instruction.repeat && frame.rcx == 0)
            break;
        const GuestVirtual address(segment + index);
        uint32_t value = 0;
        if (is_in) {
            value = read_port(vcpu, port, size);
            if (!machine::copy_to_guest(address, &value, size))
                return memory_fault(vcpu, frame, address.raw(), fault_write);
        } else {
            if (!machine::copy_from_guest(&value, address, size))
                return memory_fault(vcpu, frame, address.raw(), 0);
            write_port(vcpu, port, size, value);
        }
        index += step;
        if (!instruction.repeat)
            return complete(vcpu, frame, instruction.length, breakpoint);
        --frame.rcx;
    }
    const bool finished = frame.rcx == 0;
    return complete(vcpu, frame, finished ? instruction.length : 0, breakpoint);
}

}  // namespace bulkhead
