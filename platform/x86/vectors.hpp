// SPDX-License-Identifier: BSD-2-Clause
// Interrupt vectors of the core. 0x30 to 0xdf are for devices; the local ones are the most urgent.
#pragma once

#include <cstdint>

namespace bulkhead {

enum Vector : uint8_t {
    vector_first_device = 0x30,
    vector_uart = 0x30,
    vector_clock = 0x31,        // the real-time clock's second
    vector_iommu = 0x32,        // a unit reports faults
    vector_first_assigned = 0x33,   // of devices of partitions, up to vector_last_assigned
    vector_last_assigned = 0xDF,
    vector_timer = 0xF0,
    vector_poke = 0xF1,
    vector_flush = 0xF2,
    vector_apic_error = 0xFE,
    vector_spurious = 0xFF,     // its low four bits must be ones on old CPUs
};

}  // namespace bulkhead
