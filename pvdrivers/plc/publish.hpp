// SPDX-License-Identifier: BSD-2-Clause
// Publishes the control loop's figures by UDP and as a page, from the partition's second vCPU, so that the
// loop does nothing for it but write the figures once a second.
#pragma once

#include "pvdrivers/plc/figures.hpp"

namespace plc {

// What the loop shows.
extern Shown<Figures> shown_figures;

// Starts it if the config node has a `network` node. Says on the console why it cannot.
void start_publishing();

}  // namespace plc
