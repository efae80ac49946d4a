// SPDX-License-Identifier: BSD-2-Clause
// The few registers that a PC's firmware sets before it hands over, for the two machines of QEMU.
#pragma once

#include "boot/handover.hpp"

namespace bulkhead::loader::rom {

// Makes the power management ports and PCI's configuration window answer where the ACPI tables will
// say. Before the tables are read. Adds what it placed to the memory map.
void set_up_chipset(boot::Handover& map);

// The map of memory: by fw_cfg, else by what the CMOS says of the first 4 GiB. False: neither says it.
[[nodiscard]] bool read_memory_map(boot::Handover& map);

}  // namespace bulkhead::loader::rom
