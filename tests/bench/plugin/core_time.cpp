// SPDX-License-Identifier: BSD-2-Clause
// A plugin of QEMU that counts the core's instructions from outside, so that the binary that is
// measured is the one that ships. The core runs with interrupts off: a stretch is what it executes on
// a CPU between two guest instructions, halts or openings of its own (sti). Reports, one line each
// as soon as it is known, to the file report=PATH:
//   handover TOTAL NAME=COUNT...   from entry=ADDRESS to the first guest instruction, and its spans
//   stretch COUNT ADDRESS...       a longer one than before: its first address, then samples
//   wait COUNT                     a longer run of span `relax` than before: a wait for a lock
//   panic                          span `panic` was entered: nothing is counted from there on
// A span is span=NAME:FIRST:END. Source: QEMU's plugin API, version 1.
#include "tests/bench/plugin/qemu_plugin.hpp"

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
#include <vector>

namespace {

// platform/x86/layout.hpp: slots 256 to 271 are the core's.
constexpr uint64_t core_begin = 0xFFFF'8000'0000'0000;
constexpr uint64_t core_end = 0xFFFF'8800'0000'0000;
constexpr uint8_t opcode_sti = 0xFB;
constexpr uint64_t sample_every = 4096;
// Between two looks at a lock.
constexpr uint64_t instructions_of_a_look = 60;
constexpr unsigned cpus_at_most = 64;

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
};

struct CpuState {
    uint64_t stretch;
    uint64_t wait;
    uint64_t since_look;
    uint64_t last_sample;
    std::vector<uint64_t> samples;
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
std::atomic<uint64_t> longest;
std::atomic<uint64_t> longest_wait;
std::mutex lock;         // of `blocks` and of lines in the report

void end_stretch(CpuState& cpu)
{
    if (handed_over && !panicked && cpu.stretch > longest) {
        const std::lock_guard guard(lock);
        longest = cpu.stretch;
        std::fprintf(report, "stretch %" PRIu64, cpu.stretch);
        for (uint64_t sample : cpu.samples)
            std::fprintf(report, " %" PRIx64, sample);
        std::fputc('\n', report);
    }
    cpu.stretch = cpu.wait = cpu.last_sample = 0;
    cpu.samples.clear();
}

void note_wait(CpuState& cpu, const Block& block)
{
    cpu.since_look += block.instructions;
    if (block.span == nullptr || block.span->name != "relax")
        return;
    cpu.wait = cpu.since_look <= instructions_of_a_look ? cpu.wait + cpu.since_look : 0;
    cpu.since_look = 0;
    if (handed_over && !panicked && cpu.wait > longest_wait) {
        const std::lock_guard guard(lock);
        longest_wait = cpu.wait;
        std::fprintf(report, "wait %" PRIu64 "\n", cpu.wait);
    }
}

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
    CpuState& cpu = cpus[cpu_number % cpus_at_most];
    note_handover(block);
    if (!block.in_core) {
        if (cpu.stretch != 0)
            end_stretch(cpu);
        return;
    }
    if (block.span != nullptr && block.span->name == "panic" && !panicked.exchange(true)) {
        const std::lock_guard guard(lock);
        std::fputs("panic\n", report);
    }
    if (cpu.stretch == 0 || cpu.stretch - cpu.last_sample >= sample_every) {
        cpu.samples.push_back(block.address);
        cpu.last_sample = cpu.stretch;
    }
    cpu.stretch += block.instructions;
    note_wait(cpu, block);
    if (block.opens)
        end_stretch(cpu);
}

void halted(qemu_plugin_id_t, unsigned cpu_number) { end_stretch(cpus[cpu_number % cpus_at_most]); }

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
    block->opens = *static_cast<const uint8_t*>(qemu_plugin_insn_data(last)) == opcode_sti;
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
