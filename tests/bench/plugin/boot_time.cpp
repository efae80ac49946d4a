// SPDX-License-Identifier: BSD-2-Clause
// A plugin of QEMU that counts what a box executes from the firmware's hand-over to the core's first
// line: our loader's own instructions, wherever the firmware put it, and all from the core's entry on.
// Writes one line to the file report=PATH: first_line TOTAL NAME=COUNT...
//   loader=FIRST:END:START  where a part of the loader's code and its first instruction are linked
//   begins=HEX              its first bytes, if the firmware moves it: found when they are executed
//   entry=ADDRESS           the core's first instruction
//   until=ADDRESS           where the core says its first line
//   span=NAME:FIRST:END     counted by itself too; addresses as linked
// Source: QEMU's plugin API, version 1.
#include "tests/bench/plugin/qemu_plugin.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Span {
    std::string name;
    uint64_t first;
    uint64_t end;
    uint64_t count;
};

struct Block {
    uint64_t address;
    uint32_t instructions;
};

std::FILE* report;
struct Part {
    uint64_t first;
    uint64_t end;
    uint64_t start;
};
std::vector<Part> loader;
std::vector<uint8_t> begins;
uint64_t moved_by;              // what the firmware added to the loader's addresses
bool found;                     // where the loader is
uint64_t entry_address;
uint64_t until_address;
std::vector<Span> spans;
std::vector<std::unique_ptr<Block>> blocks;
bool in_core;
bool done;
uint64_t total;

void finish()
{
    done = true;
    std::fprintf(report, "first_line %" PRIu64, total);
    for (const Span& span : spans)
        std::fprintf(report, " %s=%" PRIu64, span.name.c_str(), span.count);
    std::fputc('\n', report);
    std::fflush(report);
}

void executed(unsigned, void* data)
{
    const Block& block = *static_cast<const Block*>(data);
    if (done)
        return;
    in_core = in_core || block.address == entry_address;
    if (in_core && block.address == until_address)
        return finish();
    const uint64_t linked = in_core ? block.address : block.address - moved_by;
    const auto holds = [linked](const Part& part) { return linked >= part.first && linked < part.end; };
    if (!in_core && (!found || std::ranges::none_of(loader, holds)))
        return;
    total += block.instructions;
    for (Span& span : spans) {
        if (linked >= span.first && linked < span.end)
            span.count += block.instructions;
    }
}

bool begins_here(const qemu_plugin_tb* code)
{
    std::vector<uint8_t> bytes;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(code) && bytes.size() < begins.size(); ++i) {
        const qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(code, i);
        const auto* data = static_cast<const uint8_t*>(qemu_plugin_insn_data(instruction));
        bytes.insert(bytes.end(), data, data + qemu_plugin_insn_size(instruction));
    }
    return bytes.size() >= begins.size() && std::equal(begins.begin(), begins.end(), bytes.begin());
}

void translated(qemu_plugin_id_t, qemu_plugin_tb* code)
{
    const uint64_t address = qemu_plugin_tb_vaddr(code);
    if (!found && begins_here(code)) {
        found = true;
        moved_by = address - loader.front().start;
    }
    blocks.push_back(std::make_unique<Block>(address, static_cast<uint32_t>(qemu_plugin_tb_n_insns(code))));
    qemu_plugin_register_vcpu_tb_exec_cb(code, executed, QEMU_PLUGIN_CB_NO_REGS, blocks.back().get());
}

bool take_bytes(const char* hex)
{
    for (unsigned byte = 0; std::sscanf(hex, "%2x", &byte) == 1; hex += 2)
        begins.push_back(static_cast<uint8_t>(byte));
    return !begins.empty();
}

bool take_part(const char* text)
{
    Part part{};
    if (std::sscanf(text, "%" SCNx64 ":%" SCNx64 ":%" SCNx64, &part.first, &part.end, &part.start) != 3)
        return false;
    loader.push_back(part);
    return true;
}

bool take(const char* argument)
{
    const char* value = std::strchr(argument, '=');
    if (value == nullptr)
        return false;
    const std::string name(argument, value++);
    if (name == "report")
        return (report = std::fopen(value, "w")) != nullptr;
    if (name == "entry")
        return (entry_address = std::strtoull(value, nullptr, 16)) != 0;
    if (name == "until")
        return (until_address = std::strtoull(value, nullptr, 16)) != 0;
    if (name == "begins")
        return take_bytes(value);
    if (name == "loader")
        return take_part(value);
    char title[64];
    Span span{};
    if (name != "span" || std::sscanf(value, "%63[^:]:%" SCNx64 ":%" SCNx64, title, &span.first, &span.end) != 3)
        return false;
    span.name = title;
    spans.push_back(span);
    return true;
}

}  // namespace

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int argc, char** argv)
{
    for (int i = 0; i < argc; ++i) {
        if (!take(argv[i])) {
            std::fprintf(stderr, "boot_time: cannot use %s\n", argv[i]);
            return -1;
        }
    }
    if (report == nullptr || until_address == 0)
        return -1;
    found = begins.empty();
    if (!found && loader.empty())
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
