// SPDX-License-Identifier: BSD-2-Clause
// See mitigations.hpp and machine/speculation.hpp.
#include "platform/x86/mitigations.hpp"

#include "core/cpu.hpp"
#include "core/partition.hpp"
#include "machine/speculation.hpp"
#include "platform/x86/msr.hpp"
#include "platform/x86/start_only.hpp"

#include <cstring>

extern "C" {
extern const uint64_t verw_patch_begin[], verw_patch_end[];
extern char indirect_thunks_begin[], indirect_thunks_end[];
}

namespace bulkhead {

namespace {

constexpr uint64_t spec_ctrl_ibrs = 1;
constexpr uint64_t spec_ctrl_ssbd = 4;
constexpr uint64_t efer_automatic_ibrs = 1u << 21;
constexpr uint64_t pred_cmd_ibpb = 1;

constinit Mitigations chosen{};

// VERW with a selector in memory: the only form that clears the buffers. The operand's displacement is
// the one that the placeholder, a long NOP, has.
START_ONLY void patch_verw()
{
    constexpr uint8_t nop_opcode = 0x1f;
    constexpr uint8_t verw_opcode = 0x00;
    constexpr uint8_t verw_rip_relative = 0x25;
    for (const uint64_t* place = verw_patch_begin; place != verw_patch_end; ++place) {
        auto* code = reinterpret_cast<uint8_t*>(*place);
        if (code[1] != nop_opcode)
            continue;
        code[1] = verw_opcode;
        code[2] = verw_rip_relative;
    }
}

// Every thunk is a retpoline; the plain jump that takes its place lies behind it.
START_ONLY void patch_thunks()
{
    constexpr size_t thunk_bytes = 32;
    constexpr size_t jump_offset = 24;
    constexpr size_t jump_bytes = 3;
    for (char* thunk = indirect_thunks_begin; thunk != indirect_thunks_end; thunk += thunk_bytes)
        memcpy(thunk, thunk + jump_offset, jump_bytes);
}

// Calls that return to where nothing happens: what a guest left on the stack of return predictions goes.
void fill_return_stack()
{
    uint64_t loops = 16;
    asm volatile(
        "1: call 2f\n"
        "3: pause\n"
        "   lfence\n"
        "   jmp 3b\n"
        "2: call 4f\n"
        "5: pause\n"
        "   lfence\n"
        "   jmp 5b\n"
        "4: dec %[loops]\n"
        "   jnz 1b\n"
        "   add $(16 * 2 * 8), %%rsp\n"
        : [loops] "+r"(loops)
        :
        : "memory", "cc");
}

bool is_trusted(const Partition& partition)
{
    return (partition.plan->flags & plan::trusted_speculation) != 0;
}

uint64_t spec_ctrl_for(const Partition& partition)
{
    return (chosen.intel_ibrs ? spec_ctrl_ibrs : 0)
        | (chosen.no_store_bypass && !is_trusted(partition) ? spec_ctrl_ssbd : 0);
}

}  // namespace

START_ONLY void init_mitigations()
{
    chosen = choose_mitigations(features());
    if (chosen.clears_buffers)
        patch_verw();
    if (!chosen.retpolines)
        patch_thunks();
}

const Mitigations& mitigations() { return chosen; }

void set_up_mitigations()
{
    if (chosen.amd_ibrs)
        write_msr(Msr::IA32_EFER, read_msr(Msr::IA32_EFER) | efer_automatic_ibrs);
    if (chosen.intel_ibrs)
        write_msr(Msr::IA32_SPEC_CTRL, spec_ctrl_ibrs);
}

namespace machine {

void change_partition(Cpu& cpu, const Partition& next)
{
    CpuPart& part = cpu.machine;
    const Partition* former = part.trained_by;
    part.trained_by = &next;
    if (const uint64_t wanted = spec_ctrl_for(next); wanted != part.spec_ctrl) {
        part.spec_ctrl = wanted;
        write_msr(Msr::IA32_SPEC_CTRL, wanted);
    }
    if (!chosen.barrier || former == nullptr || is_trusted(*former))
        return;
    write_msr(Msr::IA32_PRED_CMD, pred_cmd_ibpb);
    fill_return_stack();
}

bool absent_entries_leak() { return chosen.safe_absent_entries; }

}  // namespace machine

}  // namespace bulkhead
