// SPDX-License-Identifier: BSD-2-Clause
// The plots of the status page, as SVG within the page.
#pragma once

#include "pvdrivers/switch/host/history.hpp"
#include "pvdrivers/switch/host/text.hpp"

namespace bulkhead::net {

// The traffic's plot is two items: the axes with one line, then the other line.
void plot_traffic(const History& history, Text& out);
void plot_uplink(const History& history, Text& out);
void plot_cpu(const History& history, Text& out);

// The smallest 1, 2 or 5 with zeros behind it that is not less; at least 1000.
[[nodiscard]] uint64_t round_up(uint64_t value);

}  // namespace bulkhead::net
