// SPDX-License-Identifier: BSD-2-Clause
// irq, pci, acpi, version, reboot and poweroff: the box itself.
#include "core/cpu.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/slot_health.hpp"
#include "machine/clock.hpp"
#include "machine/power.hpp"
#include "platform/x86/acpi.hpp"
#include "platform/x86/clock.hpp"
#include "platform/x86/interrupts.hpp"
#include "platform/x86/uart.hpp"
#include "platform/x86/vectors.hpp"

#include <bulkhead/build_info.hpp>

namespace bulkhead {

namespace {

constexpr size_t first_vector = 0x20;
constexpr size_t vectors = 256;
constexpr size_t vectors_a_step = 8;              // each is a sum over all CPUs

const char* vector_name(size_t vector)
{
    switch (vector) {
    case vector_uart:
        return "serial port";
    case vector_clock:
        return "real-time clock";
    case vector_timer:
        return "timers of all CPUs";
    case vector_poke:
        return "one CPU to another: look at your work";
    case vector_flush:
        return "one CPU to another: flush your TLB";
    case vector_apic_error:
        return "local APIC error";
    case vector_spurious:
        return "spurious";
    default:
        return "unexpected";
    }
}

bool step_irq(CommandRun& run, TextOut& out)
{
    if (run.item == 0) {
        run.item = first_vector;
        out.put("vector        count  what\n");
    }
    for (size_t i = 0; i < vectors_a_step && run.item < vectors; ++i, ++run.item) {
        const uint64_t count = interrupt_count(static_cast<uint8_t>(run.item));
        if (count != 0)
            out.print("  0x%02zx  %11llu  %s\n", run.item, wide(count), vector_name(run.item));
    }
    if (run.item < vectors)
        return true;
    for (uint32_t cpu = 0; cpu < cpu_count() && out.room() > 100; ++cpu) {
        out.print("%sCPU %u: %llu", cpu % 4 == 0 ? "" : ", ", cpu,
                  wide(cpu_by_number(CpuNumber(static_cast<uint16_t>(cpu))).interrupts));
        if (cpu % 4 == 3 || cpu + 1 == cpu_count())
            out.put("\n");
    }
    return false;
}

void put_acpi_facts(const AcpiFacts& facts, TextOut& out)
{
    out.print("local APIC %#llx, %u CPU%s enabled, %u I/O APIC%s, %s\n", wide(facts.local_apic.raw()), facts.cpu_count,
              facts.cpu_count == 1 ? "" : "s", facts.io_apic_count, facts.io_apic_count == 1 ? "" : "s",
              facts.has_pic ? "with 8259s" : "no 8259s");
    for (uint32_t i = 0; i < facts.override_count; ++i) {
        const AcpiOverride& entry = facts.overrides[i];
        out.print("ISA line %u is line %u, %s, active %s\n", entry.isa_line, entry.line,
                  entry.level ? "level" : "edge", entry.active_low ? "low" : "high");
    }
    for (uint32_t i = 0; i < facts.pci_segment_count; ++i) {
        const AcpiPciSegment& segment = facts.pci_segments[i];
        out.print("PCI segment %u: buses %u to %u at %#llx\n", unsigned{segment.segment}, unsigned{segment.first_bus},
                  unsigned{segment.last_bus}, wide(segment.base.raw()));
    }
    out.print("PM timer at %#llx, HPET at %#llx, power-off %s, IOMMU tables: %s\n", wide(facts.pm_timer.address),
              wide(facts.hpet.raw()), facts.can_power_off ? "possible" : "not possible",
              facts.has_dmar ? "DMAR" : facts.has_ivrs ? "IVRS" : "none");
}

bool step_acpi(CommandRun& run, TextOut& out)
{
    const AcpiFacts& facts = acpi();
    if (run.item == 0) {
        if (facts.problem != nullptr)
            out.print("problem: %s\n", facts.problem);
        if (!facts.present) {
            out.put("The firmware has no ACPI tables.\n");
            return false;
        }
        out.put("table  OEM     revision       address    bytes\n");
    }
    if (run.item < facts.table_count) {
        const AcpiTable& table = facts.tables[run.item++];
        out.print("%-5s  %-6s  %8u  %#12llx  %7u%s\n", table.signature.data(), table.oem.data(), table.revision,
                  wide(table.address.raw()), table.length, table.usable ? "" : "  damaged, not used");
        return true;
    }
    put_acpi_facts(facts, out);
    return false;
}

bool step_reboot(CommandRun&, TextOut&) { machine::reboot(); }
bool step_poweroff(CommandRun&, TextOut&) { machine::power_off(); }

}  // namespace

void start_irq(CommandRun& run, const Words&, TextOut&) { run.step = step_irq; }
void start_acpi(CommandRun& run, const Words&, TextOut&) { run.step = step_acpi; }

void start_version(CommandRun&, const Words&, TextOut& out)
{
    out.print("Bulkhead %s, compiled with GCC %s\n", BULKHEAD_VERSION, __VERSION__);
    out.print("up for %s; clock by %s, TSC %llu.%03llu MHz, %s on all CPUs\n",
              duration_text(machine::now().raw()).data(), reference_clock_name(), wide(machine::tsc_hz() / 1'000'000),
              wide(machine::tsc_hz() / 1000 % 1000), machine::clock_scale().stable ? "the same" : "not the same");
    out.print("serial port: %s\n", uart_description());
}

// The step comes when the text is on its way.
void start_reboot(CommandRun& run, const Words&, TextOut& out)
{
    out.put("The box is being reset.\n");
    forget_unjudged_slot();
    run.step = step_reboot;
}

void start_poweroff(CommandRun& run, const Words&, TextOut& out)
{
    out.put(machine::can_power_off() ? "The box is being switched off.\n"
                                     : "This box cannot be switched off by software: it is halted instead.\n");
    run.step = step_poweroff;
}

}  // namespace bulkhead
