// SPDX-License-Identifier: BSD-2-Clause
// A plugin of QEMU that counts, between two markers in a guest, who executed how many instructions: the
// core, programs of the runtime (services), or the guests themselves. Told apart by address, so that
// the binaries that are measured are the ones that ship. Reports to the file report=PATH, a line for each
// pair of markers: shares core=COUNT services=COUNT guests=COUNT. One CPU.
//
// A marker is NOPL with the displacement 0x42554c01 (begin) or 0x42554c02 (end). Source: QEMU's plugin
// API, version 1; pvdrivers/runtime/layout.hpp and platform/x86/layout.hpp for the addresses.
#include "tests/bench/plugin/qemu_plugin.hpp"

#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace {

constexpr uint64_t core_begin = 0xFFFF'8000'0000'0000;
constexpr uint64_t core_end = 0xFFFF'8800'0000'0000;
constexpr uint64_t services_begin = 0x4000'0000;
constexpr uint64_t services_end = 0x41'0000'0000;
// Opcode and ModRM, then the displacement without its lowest byte, which says begin or end.
constexpr std::array<uint8_t, 3> marker_code{0x0f, 0x1f, 0x80};
constexpr std::array<uint8_t, 3> marker_number{0x4c, 0x55, 0x42};

enum Owner { core, services, guests, owners };
enum class Mark : uint8_t { none, begin = 1, end = 2 };

struct Block {
    uint32_t instructions;
    Owner owner;
    Mark mark;
};

std::FILE* report;
std::vector<std::unique_ptr<Block>> blocks;
std::mutex lock;         // of `blocks`
std::array<uint64_t, owners> counts;
bool counting;

void executed(unsigned, void* data)
{
    const Block& block = *static_cast<const Block*>(data);
    counts[block.owner] += block.instructions;
    if (block.mark == Mark::begin) {
        counts = {};
        counting = true;
    } else if (block.mark == Mark::end && counting) {
        counting = false;
        std::fprintf(report, "shares core=%" PRIu64 " services=%" PRIu64 " guests=%" PRIu64 "\n", counts[core],
                     counts[services], counts[guests]);
    }
}

Owner owner_of(uint64_t address)
{
    if (address >= core_begin && address < core_end)
        return core;
    return address >= services_begin && address < services_end ? services : guests;
}

Mark mark_in(const qemu_plugin_tb* code, size_t instructions)
{
    for (size_t i = 0; i < instructions; ++i) {
        const qemu_plugin_insn* instruction = qemu_plugin_tb_get_insn(code, i);
        const auto* bytes = static_cast<const uint8_t*>(qemu_plugin_insn_data(instruction));
        if (qemu_plugin_insn_size(instruction) != 7 || std::memcmp(bytes, marker_code.data(), 3) != 0 ||
            std::memcmp(bytes + 4, marker_number.data(), 3) != 0)
            continue;
        if (bytes[3] == 1 || bytes[3] == 2)
            return Mark{bytes[3]};
    }
    return Mark::none;
}

void translated(qemu_plugin_id_t, qemu_plugin_tb* code)
{
    const size_t instructions = qemu_plugin_tb_n_insns(code);
    auto block = std::make_unique<Block>(Block{static_cast<uint32_t>(instructions), owner_of(qemu_plugin_tb_vaddr(code)),
                                               mark_in(code, instructions)});
    qemu_plugin_register_vcpu_tb_exec_cb(code, executed, QEMU_PLUGIN_CB_NO_REGS, block.get());
    const std::lock_guard guard(lock);
    blocks.push_back(std::move(block));
}

}  // namespace

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int argc, char** argv)
{
    constexpr std::string_view name = "report=";
    for (int i = 0; i < argc; ++i) {
        if (std::strncmp(argv[i], name.data(), name.size()) == 0)
            report = std::fopen(argv[i] + name.size(), "w");
    }
    if (report == nullptr) {
        std::fputs("shares: report=PATH is missing or cannot be written\n", stderr);
        return -1;
    }
    std::setvbuf(report, nullptr, _IOLBF, 0);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
