// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: a guest traps with any bytes at RIP and any registers, in either mode, several
// times in a row. RIP stays or goes on by at most an instruction's length, nothing is read or written
// but the guest's memory, and no register of the CPU gets what a guest may not put there.
//
// Input: code (15 bytes), then one trap after the other: a byte of what and registers from the rest.
#include "core/pv/emulate.hpp"

#include "fake_core.hpp"
#include "machine/clock.hpp"
#include "machine/control.hpp"
#include "machine/fpu.hpp"
#include "machine/registers.hpp"

#include "core/pv/cpuid_policy.cpp"
#include "core/pv/debug_registers.cpp"
#include "core/pv/emulate.cpp"
#include "core/pv/emulate_control.cpp"
#include "core/pv/emulate_store.cpp"
#include "core/pv/fpu.cpp"
#include "core/pv/instruction.cpp"
#include "core/pv/instruction_store.cpp"
#include "core/pv/io_ports.cpp"
#include "core/pv/msr_policy.cpp"
#include "core/pv/physdev_op.cpp"
#include "core/pv/segments.cpp"
#include "core/pv/xen_leaves.cpp"

namespace bulkhead {

void inject_exception(Vcpu&, GuestFrame&, uint8_t, uint32_t) {}
void inject_page_fault(Vcpu&, GuestFrame&, uint64_t, uint32_t) {}
const Features& features()
{
    static const Features none = {};
    return none;
}
bool is_page_table_address(const Vcpu&, GuestVirtual) { return true; }
PageTableWriteOutcome emulate_page_table_write(Vcpu&, const PageTableWrite& write, PageTableWriteResult& result)
{
    if ((write.operand & ~size_mask(write.size)) != 0)
        __builtin_trap();
    result = {write.operand, write.operand, (write.operand & 1) != 0};
    return static_cast<PageTableWriteOutcome>(write.operand % 3);
}

}  // namespace bulkhead

namespace {

using namespace bulkhead;

void require(bool condition, const char* what)
{
    if (condition)
        return;
    std::fprintf(stderr, "broken: %s\n", what);
    __builtin_trap();
}

constexpr uint64_t code_at = 0xFFFF'FFFF'8100'0000;
constexpr uint64_t data_at = 0xFFFF'C900'0000'0000;

CpuidResult any_host(uint32_t leaf, uint32_t)
{
    constexpr uint32_t all = 0xFFFF'FFFF;
    if (leaf == 0)
        return {0x1F, 0x68747541, 0, 0};
    if (leaf == 0x8000'0000)
        return {0x8000'0023, 0, 0, 0};
    return {all, all, all, all};
}

struct World {
    Partition partition = {};
    plan::Partition plan = {};
    Vcpu vcpu = {};
    vcpu_info_t info = {};
    GuestFrame frame = {};
    std::array<uint8_t, 4096> code = {};
    std::array<uint8_t, 4096> data = {};

    World()
    {
        fake::reset_core();
        fake::registers = {};
        plan.name = {"fuzz"};
        partition.plan = &plan;
        partition.vcpus = std::span(&vcpu, 1);
        vcpu.partition = &partition;
        vcpu.info = &info;
        vcpu.pv.xcr0 = 1;
        vcpu.pv.io_bitmap = data_at;
        fake::map_guest(GuestVirtual(code_at), code.data(), code.size());
        fake::map_guest(GuestVirtual(data_at), data.data(), data.size());
        init_cpuid_policy(any_host, 0xE7, true);
        init_msr_policy({.microcode_revision = 1, .arch_capabilities = ~uint64_t{0}});
    }

    void check(uint64_t rip_before) const
    {
        require(frame.rip - rip_before <= max_instruction_bytes, "RIP jumps");
        require(fake::log_lines.size() <= vcpu.pv.emulation.told_msrs.size(), "the log can be filled");
        for (unsigned i = 0; i < 4; ++i)
            require(layout::guest_range_ok(fake::registers.debug.address[i], 1), "breakpoint on the core");
        const uint64_t control = fake::registers.debug.control;
        require((control >> 32) == 0 && (control & 0x2000) == 0, "DR7");
        for (unsigned i = 0; i < 4; ++i)
            require(((control >> (16 + 4 * i)) & 3) != 2, "I/O breakpoint in the CPU");
        require((vcpu.pv.xcr0 & 1) != 0 && (vcpu.pv.xcr0 & ~uint64_t{0xE7}) == 0, "XCR0");
        require(layout::is_canonical(fake::registers.fs_base) && layout::is_canonical(fake::registers.gs_base)
                    && layout::is_canonical(fake::registers.kernel_gs_base), "segment base");
        require(vcpu.pv.iopl <= 3, "IOPL");
        require((fake::tsc_aux >> 32) == 0, "TSC_AUX");
    }

    void trap(uint8_t what)
    {
        const uint64_t rip = frame.rip;
        switch (what & 7) {
        case 0:
            (void)emulate_forced(vcpu, frame);
            break;
        case 1:
            (void)software_interrupt(vcpu, frame);
            break;
        case 2: {
            Instruction instruction;
            InstructionBytes bytes;
            uint64_t address = frame.rdi;
            if (fetch(bytes, frame) && decode_store(bytes, instruction))
                address = effective_address(frame, instruction, {fake::registers.fs_base, fake::registers.gs_base});
            (void)emulate_page_table_store(vcpu, frame, GuestVirtual(address));
            break;
        }
        case 3: {
            HypercallArguments arguments = {{frame.rdi, frame.rsi, 0, 0, 0, 0}};
            (void)do_set_debugreg(vcpu, arguments);
            break;
        }
        case 4: {
            HypercallArguments arguments = {{frame.rdi & 63, frame.rsi, 0, 0, 0, 0}};
            (void)do_physdev_op(vcpu, arguments);
            break;
        }
        default:
            (void)emulate_privileged(vcpu, frame);
            break;
        }
        check(rip);
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    World world;
    const size_t code_bytes = std::min<size_t>(size, max_instruction_bytes);
    // At the end of the page, so that a longer instruction meets a hole, or at its beginning.
    const uint64_t offset = size > 0 && (data[size - 1] & 1) != 0 ? 4096 - code_bytes : 0;
    std::copy(data, data + code_bytes, world.code.begin() + static_cast<ptrdiff_t>(offset));
    const uint8_t* at = data + code_bytes;
    size_t left = size - code_bytes;
    while (left >= 2) {
        const uint8_t what = at[0];
        const uint8_t which = at[1];
        at += 2;
        left -= 2;
        const size_t bytes = std::min<size_t>(left, 8);
        uint64_t value = 0;
        std::memcpy(&value, at, bytes);
        at += bytes;
        left -= bytes;
        register_of(world.frame, which) = (which & 0x10) != 0 ? data_at + (value & 0xFFF) : value;
        world.frame.rip = code_at + offset;
        world.frame.rflags = (what & 8) != 0 ? rflags::tf | 2 : 2;
        world.frame.error_code = static_cast<uint32_t>(value) & 0xFFFF;
        world.frame.cs = (what & 0x10) != 0 ? FLAT_RING3_CS32 : FLAT_RING3_CS64;
        world.vcpu.pv.kernel_mode = (what & 0x20) == 0;
        world.trap(what);
    }
    return 0;
}
