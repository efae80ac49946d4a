// SPDX-License-Identifier: BSD-2-Clause
// The figures of the switch, from its bridges.
#pragma once

#include "pvdrivers/switch/bridge.hpp"
#include "pvdrivers/switch/figures.hpp"

#include <span>

namespace bulkhead::net {

class SwitchFigures final : public Figures {
public:
    // The bridges and their ports are complete when the first question comes, and stay.
    explicit SwitchFigures(std::span<Bridge* const> bridges) : bridges_(bridges) {}

    [[nodiscard]] std::span<const CounterName> counter_names() const override;
    [[nodiscard]] size_t networks() const override { return bridges_.size(); }
    [[nodiscard]] NetworkFigures network(size_t index) const override;
    [[nodiscard]] size_t ports() const override;
    [[nodiscard]] PortFigures port(size_t index) const override;
    [[nodiscard]] size_t next_fdb(size_t position, FdbFigures& entry) const override;

private:
    std::span<Bridge* const> bridges_;
};

}  // namespace bulkhead::net
