// SPDX-License-Identifier: BSD-2-Clause
// Slots and state in the partitions of a disk.
#pragma once

#include "boot/loader/gpt.hpp"
#include "boot/loader/select_slot.hpp"

namespace bulkhead::loader {

class DiskStore {
public:
    explicit DiskStore(const Disk& disk) : disk_(disk) {}
    // Finds the partitions. Null, or why it cannot.
    [[nodiscard]] const char* open();
    // Refers to this object.
    [[nodiscard]] SlotStore store();

private:
    struct Slot {
        const Disk* disk;
        SectorRange range;
    };
    static bool read_slot(void* context, uint64_t offset, void* to, uint64_t bytes);
    static bool read_state(void* context, uint32_t copy, BootState& state);
    static bool write_state(void* context, uint32_t copy, const BootState& state);

    const Disk& disk_;
    std::array<Slot, 2> slots_{};
    SectorRange state_{};
};

}  // namespace bulkhead::loader
