// SPDX-License-Identifier: BSD-2-Clause
// See mitigations.hpp and machine/speculation.hpp.
#include "platform/x86/mitigations.hpp"

#include "core/cpu.hpp"
#include "core/panic.hpp"
#include "core/partition.hpp"
#include "machine/speculation.hpp"
#include "platform/x86/msr.hpp"
#include "platform/x86/start_only.hpp"

#include <cstring>

extern "C" {
extern const uint64_t verw_patch_begin[], verw_patch_end[];
extern const char view_patch_begin[], view_patch_end[];
extern char view_leave_verw[];
extern char clear_buffers_unless_trusted[], clear_buffers_verw[];
extern char indirect_thunks_begin[], indirect_thunks_end[];
}

namespace bulkhead {

namespace {

struct ViewPatch {
    uint64_t place;
    uint64_t bytes;
    uint64_t target;
};

constexpr uint64_t spec_ctrl_ibrs = 1;
constexpr uint64_t spec_ctrl_ssbd = 4;
constexpr uint64_t efer_automatic_ibrs = 1u << 21;
constexpr uint64_t pred_cmd_ibpb = 1;

constinit Mitigations chosen{};

// VERW with a selector in memory: the only form that clears the buffers. The operand's displacement is
// the one that the placeholder, a long NOP, has.
START_ONLY void patch_verw(uint8_t* code)
{
    constexpr uint8_t nop_opcode = 0x1f;
    constexpr uint8_t verw_opcode = 0x00;
    constexpr uint8_t verw_rip_relative = 0x2d;     // VERW is 0F 00 /5
    ASSERT(code[1] == nop_opcode);
    code[1] = verw_opcode;
    code[2] = verw_rip_relative;
}

// A call in place of an instruction, and a NOP of two bytes behind it where that leaves room.
START_ONLY void patch_call(uint64_t place, uint64_t bytes, uint64_t target)
{
    constexpr uint8_t call_opcode = 0xe8;
    constexpr uint8_t nop2[] = {0x66, 0x90};
    constexpr uint64_t call_bytes = 5;
    ASSERT(bytes == call_bytes || bytes == call_bytes + sizeof(nop2));
    auto* code = reinterpret_cast<uint8_t*>(place);
    const auto displacement = static_cast<int32_t>(target - (place + call_bytes));
    code[0] = call_opcode;
    memcpy(code + 1, &displacement, sizeof(displacement));
    memcpy(code + call_bytes, nop2, bytes - call_bytes);
}

// The way back to a guest asks whose turn it is: VERW itself takes hundreds of cycles, the question ten.
START_ONLY void patch_buffers()
{
    constexpr uint64_t placeholder_bytes = 7;
    const auto target = reinterpret_cast<uint64_t>(clear_buffers_unless_trusted);
    patch_verw(reinterpret_cast<uint8_t*>(clear_buffers_verw));
    patch_call(reinterpret_cast<uint64_t>(view_leave_verw), placeholder_bytes, target);
    for (const uint64_t* place = verw_patch_begin; place != verw_patch_end; ++place)
        patch_call(*place, placeholder_bytes, target);
}

START_ONLY void patch_views()
{
    for (const auto* patch = reinterpret_cast<const ViewPatch*>(view_patch_begin);
         patch != reinterpret_cast<const ViewPatch*>(view_patch_end); ++patch) {
        patch_call(patch->place, patch->bytes, patch->target);
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

uint64_t spec_ctrl_for(const Partition& partition)
{
    return (chosen.intel_ibrs ? spec_ctrl_ibrs : 0)
        | (chosen.no_store_bypass && !partition.is_trusted(plan::trust_ssb) ? spec_ctrl_ssbd : 0);
}

}  // namespace

START_ONLY void init_mitigations()
{
    chosen = choose_mitigations(features());
    machine::partitions_change_speculation = chosen.barrier || chosen.no_store_bypass || chosen.intel_ibrs
        || chosen.clears_buffers;
    if (chosen.clears_buffers)
        patch_buffers();
    if (!chosen.retpolines)
        patch_thunks();
    if (chosen.hides_core)
        patch_views();
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

constinit bool partitions_change_speculation{false};

void change_speculation(CpuPart& part, const Partition& next)
{
    const Partition* former = part.trained_by;
    if (former == &next)
        return;
    part.trained_by = &next;
    part.leaves_buffers = next.is_trusted(plan::trust_mds);
    if (const uint64_t wanted = spec_ctrl_for(next); wanted != part.spec_ctrl) {
        part.spec_ctrl = wanted;
        write_msr(Msr::IA32_SPEC_CTRL, wanted);
    }
    if (!chosen.barrier || former == nullptr || former->is_trusted(plan::trust_spectre_v2))
        return;
    write_msr(Msr::IA32_PRED_CMD, pred_cmd_ibpb);
    fill_return_stack();
}

bool absent_entries_leak() { return chosen.safe_absent_entries; }

}  // namespace machine

}  // namespace bulkhead
