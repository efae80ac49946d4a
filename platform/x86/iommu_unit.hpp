// SPDX-License-Identifier: BSD-2-Clause
// Between the files about IOMMUs: what both kinds offer to iommu.cpp.
#pragma once

#include "core/boot_info.hpp"
#include "platform/x86/iommu.hpp"

namespace bulkhead {

// How a function's transactions are known to its unit. Behind a bridge to conventional PCI all go by the
// bridge's secondary bus.
struct Requester {
    PciAddress function;
    PciAddress id;
    bool by_bus;                    // then any function number of id's bus
};

// A fault that a unit has recorded.
struct IommuFault {
    PciAddress source;
    uint64_t address;
    bool write;
    bool interrupt;                 // it tried to forge one; address is not told
    uint8_t reason;                 // the unit's own number
};

struct IommuKind {
    const char* name;
    // Start-up. Units are found and mapped; a sentence if they cannot be used.
    const char* (*find)(const void* table, uint32_t bytes);
    bool (*has_registers)(uint64_t base, uint64_t bytes);
    bool (*confine)(const Requester& requester, FrameRange frames);
    // Turns everything on. A sentence: it does not work, and all is off again.
    const char* (*start)(const BootInfo& info);
    bool (*remaps)(PciAddress function);
    bool (*interrupt_message)(const Requester& requester, uint32_t number, uint8_t vector, uint32_t apic_id,
                              InterruptMessage& message);
    void (*forget_interrupt)(const Requester& requester, uint32_t number);
    // The next fault that is recorded. False: none.
    bool (*take_fault)(IommuFault& fault);
};
extern const IommuKind vtd_kind;
extern const IommuKind amd_iommu_kind;

// Whether the firmware's map has a frame of these as memory that anybody may use.
[[nodiscard]] bool iommu_is_usable_memory(const BootInfo& info, FrameRange frames);

}  // namespace bulkhead
