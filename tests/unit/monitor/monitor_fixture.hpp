// SPDX-License-Identifier: BSD-2-Clause
// The monitor from key to output, over a made-up box with two partitions. One test program includes it once.
#pragma once

#include "core/monitor/monitor.hpp"

#include "fake_machine.hpp"

#include "core/console/sanitizer.cpp"
#include "core/console/text_log.cpp"
#include "core/console/text_out.cpp"
#include "core/monitor/command_table.cpp"
#include "core/monitor/completion.cpp"
#include "core/monitor/console_commands.cpp"
#include "core/monitor/cpu_commands.cpp"
#include "core/monitor/dump_command.cpp"
#include "core/monitor/events_command.cpp"
#include "core/monitor/exits_command.cpp"
#include "core/monitor/format.cpp"
#include "core/monitor/grants_command.cpp"
#include "core/monitor/guest_memory.cpp"
#include "core/monitor/help_command.cpp"
#include "core/monitor/inspection.cpp"
#include "core/monitor/line_editor.cpp"
#include "core/monitor/machine_commands.cpp"
#include "core/monitor/memory_command.cpp"
#include "core/monitor/monitor.cpp"
#include "core/monitor/partition_commands.cpp"
#include "core/monitor/partition_info.cpp"
#include "core/monitor/pci_command.cpp"
#include "core/monitor/slots_command.cpp"
#include "core/monitor/store_command.cpp"
#include "core/monitor/trace_command.cpp"
#include "core/monitor/vcpu_commands.cpp"
#include "core/monitor/words.cpp"

#include "tests/unit/store/store_box.hpp"
#include "tests/unit/store/units.hpp"

#include <string>
#include <vector>

#include <CppUTest/TestHarness.h>

namespace bulkhead {
constinit std::atomic<bool> trace_enabled{false};

struct HardwarePartition {};
struct HardwareVcpu {};

namespace fake {
// Of hardware guests: what they have left with, by vCPU, and their pages by address.
inline GuestPaging paging[2];
inline std::map<uint64_t, GuestPlace> pages;
inline uint64_t walked_from;
}  // namespace fake

extern const HardwareOperations hardware_operations = [] {
    HardwareOperations made{};
    made.exit_name = [](size_t reason) -> const char* { return reason == 0 ? "CPUID" : reason == 1 ? "HLT" : nullptr; };
    made.exit_count = [](const Vcpu& vcpu, size_t reason) -> uint64_t { return reason == 0 ? 40 + vcpu.number.raw() : 0; };
    made.paging = [](const Vcpu& vcpu) { return fake::paging[vcpu.number.raw()]; };
    made.look = [](const Partition&, const GuestPaging& paging, uint64_t address) {
        fake::walked_from = paging.cr3;
        const auto found = fake::pages.find(address & ~page_mask);
        return found == fake::pages.end() ? GuestPlace{invalid_mfn, false, "not mapped"} : found->second;
    };
    return made;
}();
}

using namespace bulkhead;

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

size_t longest_line(const std::string& text)
{
    size_t longest = 0;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find("\r\n", begin), text.size());
        longest = std::max(longest, end - begin);
        begin = end + 2;
    }
    return longest;
}

}  // namespace

#define CHECK_SHOWS(text, part)                                             \
    do {                                                                    \
        const std::string shown_ = (text);                                  \
        CHECK_TEXT(contains(shown_, part), shown_.c_str());                 \
    } while (false)

TEST_GROUP(Monitor)
{
    int slices = 0;

    void setup() override
    {
        fake::reset_memory();
        fake::make_world({"gateway", "logger"});
        monitor.run = CommandRun{};
        std::destroy_at(&monitor.editor);
        std::construct_at(&monitor.editor);
        core_source().log = TextLog();
    }
    std::string keys(std::string_view text)
    {
        std::string shown;
        for (const char key : text) {
            TextOut out;
            monitor_key(static_cast<uint8_t>(key), out);
            CHECK(out.size() <= 1024);
            shown += out.view();
        }
        return shown;
    }
    std::string rest(int at_most = 100'000)
    {
        std::string shown;
        slices = 0;
        for (int i = 0; i < at_most && monitor.run.step != nullptr; ++i) {
            TextOut out;
            if (!monitor_fill(out))
                break;
            CHECK(out.size() <= step_bytes);
            shown += out.view();
            ++slices;
        }
        return shown;
    }
    // The output of a command, without the echo of the line and the prompt at the end.
    std::string run(std::string_view line)
    {
        keys("\x15");
        keys(line);
        std::string shown = keys("\r");
        shown += rest();
        CHECK(monitor.run.step == nullptr || monitor_waits());
        shown.erase(0, 2);
        const size_t prompt = shown.rfind("\rbulkhead> ");
        if (prompt != std::string::npos && fake::turned.empty())
            shown.erase(prompt);
        // Sentences may be longer than tables.
        CHECK_TEXT(longest_line(shown) <= 80 || contains(shown, "there are: "), shown.c_str());
        return shown;
    }
    void map_page(size_t partition, uint64_t address, Mfn frame);
    Mfn own_frame(size_t partition)
    {
        const Mfn frame = fake::new_frame();
        fake::owners[frame.raw()] = static_cast<uint16_t>(partition + 1);
        return frame;
    }
};

void TEST_GROUP_CppUTestGroupMonitor::map_page(size_t partition, uint64_t address, Mfn frame)
{
    Vcpu& vcpu = fake::vcpus[partition][0];
    if (vcpu.pv.kernel_table == Mfn(0))
        vcpu.pv.kernel_table = own_frame(partition);
    fake::vcpus[partition][1].pv.kernel_table = vcpu.pv.kernel_table;
    Mfn table = vcpu.pv.kernel_table;
    for (unsigned level = 4; level > 1; --level) {
        uint64_t& entry = machine::frame_pointer<uint64_t>(table)[address >> (12 + 9 * (level - 1)) & 511];
        if (entry == 0)
            entry = pte::make(own_frame(partition), pte::present | pte::user);
        table = pte::frame(entry);
    }
    machine::frame_pointer<uint64_t>(table)[address >> 12 & 511] = pte::make(frame, pte::present | pte::user);
}
