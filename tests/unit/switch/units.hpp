// SPDX-License-Identifier: BSD-2-Clause
// The data path of the switch as it is shipped.
#pragma once

#include "pvdrivers/switch/bridge.cpp"
#include "pvdrivers/switch/copies.cpp"
#include "pvdrivers/switch/data_path.cpp"
#include "pvdrivers/switch/fdb.cpp"
#include "pvdrivers/switch/journal.cpp"
#include "pvdrivers/switch/rx_queue.cpp"
#include "pvdrivers/switch/tx_queue.cpp"
#include "pvdrivers/switch/vif.cpp"
