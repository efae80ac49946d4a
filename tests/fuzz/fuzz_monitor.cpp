// SPDX-License-Identifier: BSD-2-Clause
// libFuzzer target: any keys at the monitor's prompt. No key or line crashes it, and each call puts
// out no more than its share.
#include "core/monitor/monitor.hpp"

#include "tests/unit/monitor/fake_machine.hpp"

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

namespace bulkhead {
constinit std::atomic<bool> trace_enabled{false};
}

using namespace bulkhead;

namespace {

void require(bool condition)
{
    if (!condition)
        __builtin_trap();
}

// Output of whatever runs, at most so many slices.
void drain(int slices)
{
    for (int i = 0; i < slices; ++i) {
        TextOut out;
        if (!monitor_fill(out))
            return;
        require(out.size() <= 1024);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    fake::reset_memory();
    fake::make_world({"gateway", "logger"});
    monitor.run = CommandRun{};
    monitor.typed_ahead.clear();
    std::destroy_at(&monitor.editor);
    std::construct_at(&monitor.editor);
    try {
        for (const uint8_t key : std::span(data, size)) {
            TextOut out;
            monitor_key(key, out);
            require(out.size() <= 1024);
            drain(3);
        }
        monitor_close();
    } catch (const fake::BoxEnded&) {
        // `reboot` or `poweroff`, typed whole or completed.
    }
    return 0;
}
