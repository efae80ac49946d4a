// SPDX-License-Identifier: BSD-2-Clause
// From what a plan names to what its partitions' memory holds: kernels and ramdisks are read, each
// file once, and laid out.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "boot/plan/kernel.hpp"
#include "boot/plan/model.hpp"
#include "boot/plan/payloads.hpp"
#include "boot/plan/pvh_layout.hpp"
#include "boot/plan/report.hpp"

namespace bulkhead::tool {

struct LoadedPartition {
    std::shared_ptr<const Kernel> kernel;  // nullptr: reported as an error
    uint64_t ramdisk_bytes = 0;             // of the slice, if it has one
    Bytes slice;                            // empty: none
    PvLayout layout{};
    PvhLayout pages{};  // of a pvh partition
    std::vector<plan::Segment> segments;
};

// One for each partition of the plan, in its order. Errors are reported where the file is named, or
// at memory when it is too little.
[[nodiscard]] std::vector<LoadedPartition> load_partitions(const SystemModel& system, PayloadStore& payloads,
                                                           Report& report);

}  // namespace bulkhead::tool
