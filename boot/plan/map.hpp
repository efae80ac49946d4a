// SPDX-License-Identifier: BSD-2-Clause
// map.txt and the summary: what the tool decided, for people.
#pragma once

#include <string>
#include <vector>

#include "boot/plan/image.hpp"
#include "boot/plan/loading.hpp"
#include "boot/plan/model.hpp"
#include "boot/plan/payloads.hpp"

namespace bulkhead::tool {

struct MapInput {
    const SystemModel& system;
    const std::vector<LoadedPartition>& loaded;
    const std::vector<StoredPayload>& payloads;
    const CoreImage& core;
    View compiled;     // the plan's segment
    uint64_t image_bytes;  // of bulkhead.elf
};

[[nodiscard]] std::string map_text(const MapInput& input);

// A few lines for the terminal.
[[nodiscard]] std::string summary_text(const MapInput& input);

// One partition's part of the map.
[[nodiscard]] std::string partition_text(const SystemModel& system, const PartitionModel& partition,
                                         const LoadedPartition& loaded);

}  // namespace bulkhead::tool
