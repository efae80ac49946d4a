// SPDX-License-Identifier: BSD-2-Clause
// A plugin of QEMU that counts the core's instructions from outside, so that the binary that is
// measured is the one that ships. The core runs with interrupts off: a stretch is what it executes on
// a CPU between two guest instructions, halts or openings of its own (sti). Where it waits for another
// CPU, in turns that begin with PAUSE, not these count, which depend on the host, but what the other one
// executes meanwhile for which it waits: up to its answer to a request, or the release of a lock.
// Reports, one line each as soon as it is known, to the file report=PATH:
//   handover TOTAL NAME=COUNT...   from entry=ADDRESS to the first guest instruction, and its spans
//   start COUNT                    a longer one that ends where a CPU enters span `ready`: its start,
//                                  when no guest has run there and nothing of the box waits for it
//   stretch COUNT ADDRESS...       a longer one than before: its first address, then samples
//   hold COUNT ADDRESS ADDRESS...  a lock was held longer than any before; who took it, and samples
//                                  of that CPU's stretch
//   shared COUNT ADDRESS           the same of a lock that several CPUs take; who took it
//   wait COUNT ADDRESS             a CPU waited longer for one than before (lock_watch.hpp)
//   panic                          span `panic` was entered: nothing is counted from there on
// A span is span=NAME:FIRST:END. Source: QEMU's plugin API, version 1.
#include "tests/bench/plugin/lock_watch.hpp"
#include "tests/bench/plugin/qemu_plugin.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace {

// platform/x86/layout.hpp: slots 256 to 271 are the core's.
constexpr uint64_t core_begin = 0xFFFF'8000'0000'0000;
constexpr uint64_t core_end = 0xFFFF'8800'0000'0000;
constexpr uint8_t opcode_sti = 0xFB;
constexpr uint64_t sample_every = 4096;
constexpr unsigned cpus_at_most = 64;
// At most, between two turns of waiting: a look, and an answer to another CPU's request.
constexpr uint64_t turn_at_most = 200;

struct Span {
    std::string name;
    uint64_t first;
    uint64_t end;
    uint64_t count;
};

struct Block {
    uint64_t address;
    uint32_t instructions;
    Span* span;
    bool in_core;
    bool opens;          // ends with interrupts on
    bool leaves;         // ends with an instruction that may go to a guest
    bool turns;          // a turn of waiting for a lock or another CPU begins
};

// A CPU polls a word that another one writes.
struct Waiting {
    std::atomic<uint64_t> address;                     // 0: it does not
    std::array<uint64_t, cpus_at_most> others_at;      // what they had executed when it began
    std::atomic<uint64_t> answered;                    // since then, by who wrote
    uint64_t counted;                                  // of that, as its own
};

struct CpuState {
    bool ready;          // its start is over
    uint64_t stretch;
    uint64_t began_at;   // what it had executed then
    uint64_t turn;                   // since the last turn of waiting
    uint64_t last_loads[2];          // the last and the one before
    Waiting waiting;
    uint64_t last_sample;
    std::vector<uint64_t> samples;
    bool leaving;        // the last block of the core was one that may go to a guest
    uint64_t guest_blocks;   // as of then
    LockWatch::Cpu locks;
};

std::FILE* report;
uint64_t entry_address;
std::vector<Span> spans;
std::vector<std::unique_ptr<Block>> blocks;
std::array<CpuState, cpus_at_most> cpus;
bool entered;            // the box's entry was executed
bool high;               // and the core's own address
uint64_t handover_count;
// Several CPUs may run at once from here on.
std::atomic<bool> handed_over;
std::atomic<bool> panicked;
std::atomic<int> waiting_cpus;
std::atomic<uint64_t> longest;
std::atomic<uint64_t> longest_start;
std::atomic<uint64_t> longest_hold;
std::atomic<uint64_t> longest_shared;
std::atomic<uint64_t> longest_wait;
// Counts up where anything but the core runs, on whichever CPU, and misses some when several do at once.
// That costs a guest's blocks less than a call, and an instruction that leaves the core tells which CPU it was.
uint64_t guest_blocks;
std::mutex lock;         // of `blocks` and of lines in the report
LockWatch locks;

CpuState& state_of(unsigned cpu_number) { return cpus[cpu_number % cpus_at_most]; }

void begin_stretch(CpuState& cpu)
{
    cpu.stretch = cpu.last_sample = 0;
    cpu.began_at = cpu.locks.executed;
    cpu.samples.clear();
}

// --- Waiting for others -----------------------------------------------------------------------------

void begin_wait(CpuState& cpu)
{
    for (unsigned other = 0; other < cpus_at_most; ++other)
        cpu.waiting.others_at[other] = cpus[other].locks.executed;
    cpu.waiting.answered = cpu.waiting.counted = 0;
    ++waiting_cpus;
}

void end_wait(CpuState& cpu)
{
    if (cpu.waiting.address.exchange(0) != 0)
        --waiting_cpus;
}

// A lock's word: that wait is in LockWatch's result.
bool waits_for_lock(const CpuState& cpu)
{
    return !cpu.locks.held.empty() && LockWatch::serving(cpu.locks.held.back()) == cpu.waiting.address;
}

// What others have written since the last look, if it was for this one.
void count_answers(CpuState& cpu)
{
    const uint64_t answered = cpu.waiting.answered;
    const uint64_t more = answered - cpu.waiting.counted;
    cpu.waiting.counted = answered;
    if (more == 0 || waits_for_lock(cpu))
        return;
    cpu.stretch += more;
    cpu.locks.executed += more;
}

// A turn of waiting begins. If the last thing was one, too, it does not count.
void turn(CpuState& cpu)
{
    if (cpu.waiting.address != 0 && cpu.turn <= turn_at_most) {
        cpu.stretch -= std::min(cpu.turn, cpu.stretch);
        cpu.last_sample = std::min(cpu.last_sample, cpu.stretch);
        // But for what was done with a lock that was taken in between.
        const uint64_t floor = cpu.locks.held.empty() ? 0 : cpu.locks.held.back().held_from;
        cpu.locks.executed = std::max(cpu.locks.executed - cpu.turn, floor);
    } else {
        end_wait(cpu);
        begin_wait(cpu);
    }
    cpu.turn = 0;
    // machine::relax() looks for requests last, before that its caller has looked at what it waits for.
    cpu.waiting.address = cpu.last_loads[1];
    LockWatch::waits(cpu.locks);
}

void written(const CpuState& by, unsigned by_number, uint64_t address)
{
    for (CpuState& cpu : cpus) {
        if (&cpu == &by || cpu.waiting.address != address)
            continue;
        const uint64_t since = std::max(cpu.waiting.others_at[by_number % cpus_at_most], by.began_at);
        const uint64_t took = by.locks.executed > since ? by.locks.executed - since : 0;
        if (took > cpu.waiting.answered)
            cpu.waiting.answered = took;
    }
}

void tell(const char* what, std::atomic<uint64_t>& most, uint64_t count, uint64_t address,
          const std::vector<uint64_t>& samples = {})
{
    if (panicked || count <= most)
        return;
    const std::lock_guard guard(lock);
    most = count;
    std::fprintf(report, "%s %" PRIu64 " %" PRIx64, what, count, address);
    for (uint64_t sample : samples)
        std::fprintf(report, " %" PRIx64, sample);
    std::fputc('\n', report);
}

void end_stretch(CpuState& cpu)
{
    if (cpu.waiting.address != 0) {
        count_answers(cpu);
        end_wait(cpu);
    }
    cpu.turn = turn_at_most + 1;
    if (cpu.ready && !panicked && cpu.stretch > longest) {
        const std::lock_guard guard(lock);
        longest = cpu.stretch;
        std::fprintf(report, "stretch %" PRIu64, cpu.stretch);
        for (uint64_t sample : cpu.samples)
            std::fprintf(report, " %" PRIx64, sample);
        std::fputc('\n', report);
    }
    begin_stretch(cpu);
}

void end_start(CpuState& cpu, const Block& block)
{
    tell("start", longest_start, cpu.stretch, block.address);
    begin_stretch(cpu);
    cpu.ready = true;
    cpu.locks.held.clear();
}

// --- Locks ----------------------------------------------------------------------------------------

// Of the two accesses of the instruction that takes a ticket, the last.
void ticket_taken(unsigned cpu_number, uint32_t info, uint64_t address, void* data)
{
    CpuState& cpu = state_of(cpu_number);
    if (cpu.ready && qemu_plugin_mem_is_store(info))
        locks.add(cpu.locks, address, reinterpret_cast<uint64_t>(data));
}

void accessed(unsigned cpu_number, uint32_t info, uint64_t address, void*)
{
    CpuState& cpu = state_of(cpu_number);
    if (!qemu_plugin_mem_is_store(info)) {
        cpu.last_loads[1] = std::exchange(cpu.last_loads[0], address);
        locks.load(cpu.locks, address);
        return;
    }
    if (waiting_cpus != 0)
        written(cpu, cpu_number, address);
    LockWatch::Result result{};
    if (cpu.locks.held.empty() || !locks.store(cpu.locks, address, result))
        return;
    cpu.stretch += result.wait;
    tell("hold", longest_hold, result.hold, result.taken_by, cpu.samples);
    tell("shared", longest_shared, result.shared, result.shared_taken_by);
    tell("wait", longest_wait, result.wait, result.taken_by);
}

// String instructions store no ticket numbers, and there are many.
bool is_string_instruction(const uint8_t* code) { return code[0] == 0xF3 || code[0] == 0xF2; }

void watch_locks(qemu_plugin_tb* code, size_t instructions)
{
    for (size_t i = 0; i < instructions; ++i) {
        qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(code, i);
        const auto* bytes = static_cast<const uint8_t*>(qemu_plugin_insn_data(instruction));
        const bool ticket = takes_ticket(bytes, qemu_plugin_insn_size(instruction));
        if (ticket || !is_string_instruction(bytes))
            qemu_plugin_register_vcpu_mem_cb(instruction, ticket ? ticket_taken : accessed, QEMU_PLUGIN_CB_NO_REGS,
                                             QEMU_PLUGIN_MEM_RW,
                                             reinterpret_cast<void*>(qemu_plugin_insn_vaddr(instruction)));
    }
}

// --- Blocks ---------------------------------------------------------------------------------------

void note_handover(const Block& block)
{
    if (!entered && block.address == entry_address)
        entered = true;
    if (!entered || handed_over)
        return;
    if (block.in_core)
        high = true;
    if (high && !block.in_core) {
        handed_over = true;
        std::fprintf(report, "handover %" PRIu64, handover_count);
        for (const Span& span : spans)
            std::fprintf(report, " %s=%" PRIu64, span.name.c_str(), span.count);
        std::fputc('\n', report);
        return;
    }
    handover_count += block.instructions;
    if (block.span != nullptr)
        block.span->count += block.instructions;
}

void executed(unsigned cpu_number, void* data)
{
    const Block& block = *static_cast<const Block*>(data);
    CpuState& cpu = state_of(cpu_number);
    note_handover(block);
    if (!block.in_core)
        return;
    if (cpu.leaving && cpu.ready && guest_blocks != cpu.guest_blocks)
        end_stretch(cpu);
    cpu.leaving = false;
    if (block.span != nullptr && block.span->name == "boot") {
        // The box starts, perhaps again.
        for (CpuState& each : cpus)
            each.ready = false;
        locks.forget();
        end_wait(cpu);
    }
    if (block.span != nullptr && block.span->name == "panic" && !panicked.exchange(true)) {
        const std::lock_guard guard(lock);
        std::fputs("panic\n", report);
    }
    if (!cpu.ready && block.span != nullptr && block.span->name == "ready")
        end_start(cpu, block);
    if (cpu.stretch == 0 || cpu.stretch - cpu.last_sample >= sample_every) {
        cpu.samples.push_back(block.address);
        cpu.last_sample = cpu.stretch;
    }
    if (cpu.waiting.address != 0) {
        count_answers(cpu);
        if (cpu.turn > turn_at_most)
            end_wait(cpu);
    }
    if (block.turns)
        turn(cpu);
    LockWatch::look(cpu.locks);
    cpu.stretch += block.instructions;
    cpu.turn += block.instructions;
    cpu.locks.executed += block.instructions;
    if (block.opens && cpu.ready)
        end_stretch(cpu);
    if (block.leaves) {
        cpu.leaving = true;
        cpu.guest_blocks = guest_blocks;
    }
}

void halted(qemu_plugin_id_t, unsigned cpu_number)
{
    CpuState& cpu = state_of(cpu_number);
    if (cpu.ready)
        end_stretch(cpu);
}

// IRET, SYSRET and VMRUN; VMLAUNCH and VMRESUME no CPU of QEMU's has.
bool may_leave(const uint8_t* code, size_t bytes)
{
    const size_t prefix = bytes != 0 && (code[0] & 0xF0) == 0x40 ? 1 : 0;
    code += prefix;
    bytes -= prefix;
    return (bytes == 1 && code[0] == 0xCF) || (bytes == 2 && code[0] == 0x0F && code[1] == 0x07) ||
           (bytes == 3 && code[0] == 0x0F && code[1] == 0x01 && code[2] == 0xD8);
}

void translated(qemu_plugin_id_t, qemu_plugin_tb* code)
{
    auto block = std::make_unique<Block>();
    block->address = qemu_plugin_tb_vaddr(code);
    block->instructions = static_cast<uint32_t>(qemu_plugin_tb_n_insns(code));
    block->in_core = block->address >= core_begin && block->address < core_end;
    for (Span& span : spans) {
        if (block->address >= span.first && block->address < span.end)
            block->span = &span;
    }
    const qemu_plugin_insn* last = qemu_plugin_tb_get_insn(code, block->instructions - 1);
    const auto* bytes = static_cast<const uint8_t*>(qemu_plugin_insn_data(last));
    block->opens = bytes[0] == opcode_sti;
    block->leaves = may_leave(bytes, qemu_plugin_insn_size(last));
    block->turns = qemu_plugin_insn_size(last) == 2 && bytes[0] == 0xF3 && bytes[1] == 0x90;
    if (block->in_core)
        watch_locks(code, block->instructions);
    else
        qemu_plugin_register_vcpu_tb_exec_inline(code, QEMU_PLUGIN_INLINE_ADD_U64, &guest_blocks, 1);
    if (!block->in_core && handed_over)
        return;
    qemu_plugin_register_vcpu_tb_exec_cb(code, executed, QEMU_PLUGIN_CB_NO_REGS, block.get());
    const std::lock_guard guard(lock);
    blocks.push_back(std::move(block));
}

bool take_span(const char* text)
{
    char name[64];
    Span span{};
    if (std::sscanf(text, "%63[^:]:%" SCNx64 ":%" SCNx64, name, &span.first, &span.end) != 3)
        return false;
    span.name = name;
    spans.push_back(span);
    return true;
}

bool take(const char* argument)
{
    const char* value = std::strchr(argument, '=');
    if (value == nullptr)
        return false;
    const std::string name(argument, value++);
    if (name == "report") {
        report = std::fopen(value, "w");
        if (report != nullptr)
            std::setvbuf(report, nullptr, _IOLBF, 0);
        return report != nullptr;
    }
    if (name == "entry") {
        entry_address = std::strtoull(value, nullptr, 16);
        return true;
    }
    return name == "span" && take_span(value);
}

}  // namespace

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int argc, char** argv)
{
    for (int i = 0; i < argc; ++i) {
        if (!take(argv[i])) {
            std::fprintf(stderr, "core_time: cannot use %s\n", argv[i]);
            return -1;
        }
    }
    if (report == nullptr)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_idle_cb(id, halted);
    return 0;
}
