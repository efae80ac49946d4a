// SPDX-License-Identifier: BSD-2-Clause
// pci: the functions that the firmware has set up, whose they are, and what watches over them.
#include "core/devices/devices.hpp"
#include "core/devices/interrupts.hpp"
#include "core/monitor/command.hpp"
#include "platform/x86/iommu.hpp"
#include "platform/x86/pci.hpp"

namespace bulkhead {

namespace {

// Source: PCI Code and ID Assignment Specification, "Class Codes": class and subclass.
struct ClassName {
    uint16_t code;
    const char* name;
};
constexpr ClassName class_names[] = {
    {0x0100, "SCSI controller"},     {0x0101, "IDE controller"},    {0x0106, "SATA controller"},
    {0x0108, "NVMe controller"},     {0x0200, "Ethernet card"},     {0x0280, "network card"},
    {0x0300, "VGA display"},         {0x0380, "display"},           {0x0403, "audio"},
    {0x0500, "memory"},              {0x0600, "host bridge"},       {0x0601, "ISA bridge"},
    {0x0604, "PCI bridge"},          {0x0680, "bridge"},            {0x0700, "serial port"},
    {0x0780, "communication"},       {0x0806, "IOMMU"},             {0x0880, "system device"},
    {0x0C03, "USB controller"},      {0x0C05, "SMBus"},
};

const char* class_name(uint32_t class_code)
{
    for (const ClassName& entry : class_names) {
        if (entry.code == class_code >> 8)
            return entry.name;
    }
    return "device";
}

void put_iommu(TextOut& out)
{
    const IommuState state = iommu_state();
    if (state.name == nullptr)
        out.put("IOMMU: none\n");
    else if (state.problem != nullptr)
        out.print("IOMMU: %s, not used: %s\n", state.name, state.problem);
    else
        out.print("IOMMU: %s, interrupts %schecked, %u fault%s\n", state.name, state.checks_interrupts ? "" : "NOT ",
                  state.faults, state.faults == 1 ? "" : "s");
}

// Those that the plan gives away, one a step.
bool step_devices(CommandRun& run, TextOut& out)
{
    const auto devices = all_devices();
    if (run.inner == devices.size())
        return false;
    const AssignedDevice& device = devices[run.inner++];
    out.print("device %u of %s: ", unsigned{device.plan->number}, device.owner->name());
    if (device.function == nullptr) {
        out.print("missing: %s\n", device.why);
        return true;
    }
    out.print("%02x:%02x.%x, %s, %llu interrupts, %u faults%s\n", pci_bus(device.function->address),
              pci_device(device.function->address), pci_function(device.function->address),
              !device.confined   ? "NOT confined"
              : !device.remapped ? "confined, but for interrupts"
                                 : "confined",
              static_cast<unsigned long long>(device_interrupts(device)), device.faults.load(std::memory_order_relaxed),
              device.cut_off.load(std::memory_order_relaxed) ? ", CUT OFF until its owner restarts" : "");
    return true;
}

bool step_pci(CommandRun& run, TextOut& out)
{
    const auto functions = pci_functions();
    if (functions.empty()) {
        out.put("No PCI device answers.\n");
        return false;
    }
    if (run.item == functions.size()) {
        if (pci_truncated())
            out.put("There are more than fit the table.\n");
        put_iommu(out);
        run.step = step_devices;
        return true;
    }
    if (run.item == 0)
        out.put("address  vendor:device  class   interrupts  what\n");
    const PciFunction& function = functions[run.item++];
    out.print("%02x:%02x.%x  %04x:%04x      %06x  %-10s  %s\n", pci_bus(function.address),
              pci_device(function.address), pci_function(function.address), unsigned{function.vendor},
              unsigned{function.device}, function.class_code,
              function.msix != 0 ? "MSI-X" : function.msi != 0 ? "MSI" : function.interrupt_pin != 0 ? "INTx" : "none",
              class_name(function.class_code));
    return true;
}

}  // namespace

void start_pci(CommandRun& run, const Words&, TextOut&) { run.step = step_pci; }

}  // namespace bulkhead
