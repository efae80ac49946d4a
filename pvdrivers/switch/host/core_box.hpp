// SPDX-License-Identifier: BSD-2-Clause
// The box as the core tells it, by BULKHEADOP_box_info and the questions beside it.
#pragma once

#include "pvdrivers/switch/host/box.hpp"

namespace bulkhead::net {

class CoreBox final : public Box {
public:
    [[nodiscard]] BoxFigures box() const override;
    [[nodiscard]] bool cpu(uint32_t index, CpuFigures& cpu) const override;
    [[nodiscard]] bool partition(uint32_t index, PartitionFigures& partition) const override;
    [[nodiscard]] bool log(uint32_t partition, uint64_t& position, LogPart& part) const override;
};

}  // namespace bulkhead::net
