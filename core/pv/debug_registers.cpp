// SPDX-License-Identifier: BSD-2-Clause
// Source: Intel SDM vol 3, "Debug Registers"; xen/include/public/xen.h, HYPERVISOR_set_debugreg.
#include "core/pv/debug_registers.hpp"

#include "core/hypercall.hpp"
#include "core/pv/control_bits.hpp"
#include "machine/registers.hpp"
#include "platform/x86/layout.hpp"

namespace bulkhead {

namespace {

constexpr uint64_t status_fixed = 0xFFFF0FF0;       // bits of DR6 that read as one
constexpr uint64_t status_settable = 0xE00F;        // B0..B3, BD, BS, BT
constexpr uint64_t control_fixed = 0x400;
constexpr uint64_t control_settable = 0xFFFF03FF;   // L0..G3, LE, GE, conditions and lengths
constexpr uint64_t control_general_detect = 1u << 13;
constexpr uint64_t control_enables = 0xFF;
constexpr unsigned breakpoints = 4;
constexpr uint64_t condition_io = 2;

constexpr uint64_t condition_of(uint64_t control, unsigned number) { return (control >> (16 + 4 * number)) & 3; }
constexpr uint64_t enables_of(unsigned number) { return uint64_t{3} << (2 * number); }

// What the CPU has while the guest runs; its own DR6 starts empty.
void load(const Vcpu& vcpu)
{
    const auto& debug = vcpu.pv.debug;
    machine::write_debug({{debug[0], debug[1], debug[2], debug[3]}, status_fixed, debug[7]});
}

void apply(Vcpu& vcpu)
{
    const bool active = (vcpu.pv.debug[7] & control_enables) != 0;
    if (active)
        load(vcpu);
    else if (vcpu.pv.debug_active)
        machine::disable_breakpoints();
    vcpu.pv.debug_active = active;
}

Result<> write_control(Vcpu& vcpu, uint64_t value)
{
    if ((value >> 32) != 0 || (value & control_general_detect) != 0)
        return fail(XEN_EPERM);
    value = (value & control_settable) | control_fixed;
    uint64_t emulated = 0;
    for (unsigned i = 0; i < breakpoints; ++i) {
        if ((value & enables_of(i)) == 0 || condition_of(value, i) != condition_io)
            continue;
        if ((vcpu.pv.cr4 & cr4::de) == 0)
            return fail(XEN_EPERM);
        emulated |= value & enables_of(i);
    }
    vcpu.pv.emulation.io_breakpoints = emulated;
    // The condition goes too: without CR4.DE the CPU does not know it.
    vcpu.pv.debug[7] = value & ~emulated;
    for (unsigned i = 0; i < breakpoints; ++i) {
        if (condition_of(value, i) == condition_io) {
            vcpu.pv.emulation.io_breakpoints |= uint64_t{0xF} << (16 + 4 * i) & value;
            vcpu.pv.debug[7] &= ~(uint64_t{0xF} << (16 + 4 * i));
        }
    }
    apply(vcpu);
    return {};
}

Result<unsigned> canonical_number(const Vcpu& vcpu, uint64_t number)
{
    if (number > 7)
        return fail(XEN_EINVAL);
    if (number != 4 && number != 5)
        return static_cast<unsigned>(number);
    if ((vcpu.pv.cr4 & cr4::de) != 0)
        return fail(XEN_ENODEV);
    return static_cast<unsigned>(number + 2);
}

}  // namespace

Result<uint64_t> read_debug_register(const Vcpu& vcpu, uint64_t number)
{
    switch (TRY(canonical_number(vcpu, number))) {
    case 6:
        return vcpu.pv.debug[6] | status_fixed;
    case 7:
        return vcpu.pv.debug[7] | vcpu.pv.emulation.io_breakpoints | control_fixed;
    default:
        return vcpu.pv.debug[number];
    }
}

Result<> write_debug_register(Vcpu& vcpu, uint64_t number, uint64_t value)
{
    switch (const unsigned which = TRY(canonical_number(vcpu, number)); which) {
    case 6:
        if ((value >> 32) != 0)
            return fail(XEN_EPERM);
        vcpu.pv.debug[6] = value & status_settable;
        return {};
    case 7:
        return write_control(vcpu, value);
    default:
        if (!layout::guest_range_ok(value, 1))
            return fail(XEN_EPERM);
        vcpu.pv.debug[which] = value;
        apply(vcpu);
        return {};
    }
}

void merge_debug_status(Vcpu& vcpu, uint64_t status)
{
    vcpu.pv.debug[6] |= status & status_settable;
}

uint64_t io_breakpoint_status(const Vcpu& vcpu, uint16_t port, unsigned size)
{
    const uint64_t control = vcpu.pv.emulation.io_breakpoints;
    if ((control & control_enables) == 0) [[likely]]
        return 0;
    uint64_t status = 0;
    for (unsigned i = 0; i < breakpoints; ++i) {
        if ((control & enables_of(i)) == 0)
            continue;
        const uint64_t length = ((control >> (18 + 4 * i)) & 3) + 1;
        const uint64_t first = vcpu.pv.debug[i] & ~(length - 1);
        if (port < first + length && first < uint64_t{port} + size)
            status |= uint64_t{1} << i;
    }
    return status;
}

long do_set_debugreg(Vcpu& vcpu, HypercallArguments& arguments)
{
    return to_return_value(write_debug_register(vcpu, arguments.value[0], arguments.value[1]));
}

long do_get_debugreg(Vcpu& vcpu, HypercallArguments& arguments)
{
    const Result<uint64_t> value = read_debug_register(vcpu, arguments.value[0]);
    return value.has_value() ? static_cast<long>(*value) : negative(value.error());
}

}  // namespace bulkhead
