// SPDX-License-Identifier: BSD-2-Clause
// part NAME regs and bt. A vCPU that runs is held until its CPU has put its registers away, which
// takes as long as that CPU needs to come by; the monitor looks again every millisecond. Then it is
// let go before anything is printed.
#include "core/cpu.hpp"
#include "core/lifecycle.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/monitor/guest_memory.hpp"
#include "core/partition.hpp"
#include "core/schedule.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

constexpr size_t words_a_step = 16;        // of the stack
constexpr size_t words_at_most = 1024;
constexpr size_t calls_at_most = 32;

bool has_registers(const Partition& partition)
{
    switch (partition.state.load(std::memory_order_relaxed)) {
    case PartitionState::running:
    case PartitionState::paused:
    case PartitionState::crashed:
    case PartitionState::shut_down:
        return true;
    case PartitionState::left_out:
    case PartitionState::stopped:
    case PartitionState::building:
        break;
    }
    return false;
}

bool is_put_away(const Vcpu& vcpu)
{
    return __atomic_load_n(&cpu_by_number(vcpu.cpu).current, __ATOMIC_ACQUIRE) != &vcpu;
}

void let_go(CommandRun& run) { release(run.partition->vcpus[run.item], hold_inspected); }

// Copies the registers of vCPU run.item. False: not yet, ask again.
bool take_registers(CommandRun& run, GuestFrame& frame)
{
    Vcpu& vcpu = run.partition->vcpus[run.item];
    hold(vcpu, hold_inspected);
    run.give_up = let_go;
    if (!is_put_away(vcpu)) {
        run.waiting = true;
        return false;
    }
    frame = vcpu.registers;
    let_go(run);
    run.give_up = nullptr;
    return true;
}

void put_title(const Vcpu& vcpu, TextOut& out)
{
    const char* mode = vcpu.pv.kernel_mode ? "kernel" : "user";
    out.print("%s vCPU %u on CPU %u, %s mode, %s\n", vcpu.partition->name(), unsigned{vcpu.number.raw()},
              unsigned{vcpu.cpu.raw()}, mode, hold_text(vcpu).data());
}

void put_registers(const GuestFrame& f, const Vcpu& vcpu, TextOut& out)
{
    const auto three = [&out](const char* a, uint64_t va, const char* b, uint64_t vb, const char* c, uint64_t vc) {
        out.print("  %-4s %016llx  %-4s %016llx  %-4s %016llx\n", a, wide(va), b, wide(vb), c, wide(vc));
    };
    out.print("  rip  %016llx  cs %04x  rsp  %016llx  ss %04x  flags %06llx\n", wide(f.rip), f.cs, wide(f.rsp),
              f.ss, wide(f.rflags));
    three("rax", f.rax, "rbx", f.rbx, "rcx", f.rcx);
    three("rdx", f.rdx, "rsi", f.rsi, "rdi", f.rdi);
    three("rbp", f.rbp, "r8", f.r8, "r9", f.r9);
    three("r10", f.r10, "r11", f.r11, "r12", f.r12);
    three("r13", f.r13, "r14", f.r14, "r15", f.r15);
    three("cr2", vcpu.pv.cr2, "ktab", address_of(vcpu.pv.kernel_table).raw(), "utab",
          address_of(vcpu.pv.user_table).raw());
}

bool next_vcpu(CommandRun& run)
{
    run.inner = 0;
    run.shown = 0;
    return ++run.item < run.end;
}

bool step_registers(CommandRun& run, TextOut& out)
{
    const Vcpu& vcpu = run.partition->vcpus[run.item];
    if (!vcpu.initialised) {
        out.print("%s vCPU %u was never started\n", run.partition->name(), unsigned{vcpu.number.raw()});
        return next_vcpu(run);
    }
    GuestFrame frame;
    if (!take_registers(run, frame))
        return true;
    put_title(vcpu, out);
    put_registers(frame, vcpu, out);
    return next_vcpu(run);
}

// Whether a word of the stack may be a return address: it points behind a call into what the kernel
// was loaded to.
bool is_kernel_text(const Partition& partition, uint64_t value)
{
    const plan::PvStart& start = partition.plan->pv;
    return value > start.virt_base && value < start.virt_base + (start.mapped_end_pfn << page_shift);
}

bool follows_call(const Vcpu& vcpu, uint64_t address)
{
    constexpr uint8_t call_relative = 0xe8;
    constexpr uint8_t group_ff = 0xff;
    const GuestBytes before = find_guest_bytes(vcpu, GuestVirtual(address - 7));
    if (before.bytes == nullptr || before.length < 7)
        return false;
    const uint8_t* bytes = before.bytes;
    return bytes[2] == call_relative || (bytes[5] == group_ff && (bytes[6] & 0x38) == 0x10) ||
           (bytes[1] == group_ff && (bytes[2] & 0x38) == 0x10) || (bytes[4] == group_ff && (bytes[5] & 0x38) == 0x10);
}

bool begin_backtrace(CommandRun& run, TextOut& out)
{
    const Vcpu& vcpu = run.partition->vcpus[run.item];
    if (!vcpu.initialised)
        return false;
    GuestFrame frame;
    if (!take_registers(run, frame))
        return true;
    put_title(vcpu, out);
    out.print("  %016llx\n", wide(frame.rip));
    if (!vcpu.pv.kernel_mode)
        out.put("  (in user mode; its kernel's stack is empty)\n");
    run.address = vcpu.pv.kernel_mode ? frame.rsp & ~uint64_t{7} : 0;
    run.inner = 1;
    return true;
}

// Stock kernels keep no frame pointers: every word of the stack that can be a return address is
// shown, old ones that were left behind included, as the kernel itself does with a '?'.
bool step_backtrace(CommandRun& run, TextOut& out)
{
    if (run.inner == 0) {
        if (begin_backtrace(run, out))
            return true;
        return next_vcpu(run);
    }
    const Vcpu& vcpu = run.partition->vcpus[run.item];
    for (size_t i = 0; i < words_a_step; ++i, ++run.inner, run.address += 8) {
        uint64_t word = 0;
        if (run.address == 0 || run.inner > words_at_most || run.shown >= calls_at_most ||
            !read_guest_word(vcpu, GuestVirtual(run.address), word))
            return next_vcpu(run);
        if (!is_kernel_text(*run.partition, word) || !follows_call(vcpu, word))
            continue;
        out.print("  %016llx ?\n", wide(word));
        ++run.shown;
    }
    return true;
}

void start_for_vcpus(CommandRun& run, const Words& words, CommandStep step, TextOut& out)
{
    const Partition& partition = *run.partition;
    if (!has_registers(partition)) {
        out.print("%s is %s: its vCPUs have no registers\n", partition.name(),
                  state_name(partition.state.load(std::memory_order_relaxed)));
        return;
    }
    run.end = partition.vcpus.size();
    if (words.count > 3) {
        const auto number = parse_number(words[3]);
        if (!number.has_value() || *number >= partition.vcpus.size()) {
            out.print("part: %s has no vCPU '%.*s'; they are 0 to %zu\n", partition.name(),
                      static_cast<int>(words[3].size()), words[3].data(), partition.vcpus.size() - 1);
            return;
        }
        run.item = *number;
        run.end = *number + 1;
    }
    run.step = step;
}

}  // namespace

void start_part_regs(CommandRun& run, const Words& words, TextOut& out)
{
    start_for_vcpus(run, words, step_registers, out);
}

void start_part_backtrace(CommandRun& run, const Words& words, TextOut& out)
{
    start_for_vcpus(run, words, step_backtrace, out);
}

}  // namespace bulkhead
