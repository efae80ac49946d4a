// SPDX-License-Identifier: BSD-2-Clause
// What a program does in another way when it runs as a hardware guest (a `pvh` partition): through this
// table, null in a PV guest, so that a program that never is one does not link what is behind it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bulkhead {

struct HardwareGuest {
    // Pages are mapped, and the program's tables used, without asking the hypervisor.
    void (*use_tables)(uint64_t physical);
    void (*flush)(uint64_t address);
    // A page of the program's own becomes frame `index` of its grant table; null: it cannot.
    void* (*place_grant_frame)(uint32_t index);
    // Until an event comes; then interrupts are off again.
    void (*wait)();
    uint64_t (*fault_address)();
    uint64_t first_frame;           // of the linear range
};

extern const HardwareGuest* hardware_guest;

}  // namespace bulkhead
