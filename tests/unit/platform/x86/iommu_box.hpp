// SPDX-License-Identifier: BSD-2-Clause
// A box for tests of IOMMUs: registers that a model answers, PCI functions, and the rest of the platform
// that units use. Include it once, then the source under test.
#pragma once

#include "platform/x86/instructions.hpp"

#include "tests/unit/fakes/fake_core.hpp"
#include "tests/unit/platform/x86/iommu_table.hpp"

#include "platform/x86/acpi.hpp"
#include "platform/x86/io_apic.hpp"
#include "platform/x86/iommu_unit.hpp"
#include "platform/x86/local_apic.hpp"

#include <machine/clock.hpp>
#include <machine/core_space.hpp>
#include <machine/relax.hpp>

#include <map>
#include <vector>

namespace bulkhead {

namespace fake {

inline std::map<uint32_t, uint64_t> registers;
inline void (*on_write)(uint32_t at, uint64_t value) = nullptr;     // after the store
inline char window[4];
inline std::vector<PciFunction> functions;
inline AcpiFacts acpi_facts;
inline LineComposer composer;
inline std::map<uint16_t, InterruptMessage> messages;               // by MSI
inline bool x2;

inline void reset_iommu_box()
{
    reset_core();
    registers.clear();
    functions.clear();
    messages.clear();
    acpi_facts = {};
    composer = nullptr;
    x2 = false;
    tsc_step = 1'000'000;       // a unit is waited for
    one_thread = false;
    device_window = [](HostPhysical, uint64_t) -> volatile void* { return window; };
}

}  // namespace fake

namespace x86 {

template <class T>
T model_read(const volatile void*, size_t at) { return static_cast<T>(fake::registers[static_cast<uint32_t>(at)]); }
template <class T>
void model_write(volatile void*, size_t at, T value)
{
    fake::registers[static_cast<uint32_t>(at)] = value;
    if (fake::on_write != nullptr)
        fake::on_write(static_cast<uint32_t>(at), value);
}
inline void model_write_back() {}

}  // namespace x86

inline const AcpiFacts& acpi() { return fake::acpi_facts; }
inline std::span<const PciFunction> pci_functions() { return fake::functions; }
inline const PciFunction* pci_bridge_to(unsigned bus)
{
    for (const PciFunction& function : fake::functions)
        if (function.header_type == 1 && function.secondary_bus == bus && bus != 0)
            return &function;
    return nullptr;
}
inline uint32_t pci_read32(PciAddress, uint16_t) { return 0; }
inline void pci_master(PciAddress, bool) {}
inline void msi_enable(const PciFunction& function, const PciDeviceFacts&, InterruptMessage message)
{
    fake::messages[function.address.raw()] = message;
}
inline uint32_t local_apic_id() { return 0; }
inline bool local_apic_is_x2() { return fake::x2; }
inline bool compose_lines(LineComposer composer)
{
    fake::composer = composer;
    return true;
}
inline bool iommu_is_usable_memory(const BootInfo&, FrameRange frames) { return frames.first >= Mfn(0x100000); }

}  // namespace bulkhead

#define read_register model_read
#define write_register model_write
#define write_back_caches model_write_back
