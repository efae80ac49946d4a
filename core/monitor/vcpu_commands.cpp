// SPDX-License-Identifier: BSD-2-Clause
// part NAME regs and bt. A vCPU that runs is held for the moment that it takes to have its registers, and let go before
// anything is printed.
#include "core/lifecycle.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/monitor/guest_memory.hpp"
#include "core/monitor/inspection.hpp"
#include "core/partition.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

constexpr size_t words_a_step = 8;         // of the stack: a hardware guest's takes two walks of four tables
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

// PV vCPUs say it themselves, of a hardware one its paging does.
bool in_kernel_mode(const CommandRun& run, const Vcpu& vcpu)
{
    constexpr uint8_t user = 3;
    return vcpu.hardware == nullptr ? vcpu.pv.kernel_mode : run.paging.cpl != user;
}

void put_title(const CommandRun& run, const Vcpu& vcpu, TextOut& out)
{
    const char* mode = in_kernel_mode(run, vcpu) ? "kernel" : "user";
    out.print("%s vCPU %u on CPU %u, %s mode, %s\n", vcpu.partition->name(), unsigned{vcpu.number.raw()},
              unsigned{vcpu.cpu.raw()}, mode, hold_text(vcpu).data());
}

void put_registers(const CommandRun& run, const GuestFrame& f, const Vcpu& vcpu, TextOut& out)
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
    if (vcpu.hardware != nullptr)
        return three("cr0", run.paging.cr0, "cr3", run.paging.cr3, "cr4", run.paging.cr4);
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
    put_title(run, vcpu, out);
    put_registers(run, frame, vcpu, out);
    return next_vcpu(run);
}

// Whether a word of the stack may be a return address: it points behind a call into what the kernel
// was loaded to. Where a hardware guest has its kernel is not known, so all executable pages count.
bool is_kernel_text(const Partition& partition, uint64_t value)
{
    if (partition.hardware != nullptr)
        return true;
    const plan::PvStart& start = partition.plan->pv;
    return value > start.virt_base && value < start.virt_base + (start.mapped_end_pfn << page_shift);
}

bool follows_call(const CommandRun& run, const Vcpu& vcpu, uint64_t address)
{
    constexpr uint8_t call_relative = 0xe8;
    constexpr uint8_t group_ff = 0xff;
    const GuestBytes before = find_guest_bytes(vcpu, run.paging, GuestVirtual(address - 7));
    if (before.bytes == nullptr || before.length < 7 || !before.executable)
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
    put_title(run, vcpu, out);
    out.print("  %016llx\n", wide(frame.rip));
    run.address = frame.rsp & ~uint64_t{7};
    if (!in_kernel_mode(run, vcpu)) {
        out.put("  (in user mode; its kernel's stack is empty)\n");
        run.address = 0;
    } else if (vcpu.hardware != nullptr && (run.paging.efer & efer_long_mode_active) == 0) {
        out.put("  (not in long mode; its stack is not shown)\n");
        run.address = 0;
    }
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
            !read_guest_word(vcpu, run.paging, GuestVirtual(run.address), word))
            return next_vcpu(run);
        if (!is_kernel_text(*run.partition, word) || !follows_call(run, vcpu, word))
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
