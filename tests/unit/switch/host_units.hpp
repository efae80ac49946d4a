// SPDX-License-Identifier: BSD-2-Clause
// The hosts of the switch as they are shipped, on lwIP as it is shipped, and the runtime's slice.
#pragma once

#include "pvdrivers/runtime/slice.cpp"
#include "pvdrivers/switch/host/box.cpp"
#include "pvdrivers/switch/host/commands.cpp"
#include "pvdrivers/switch/host/diagnosis.cpp"
#include "pvdrivers/switch/host/history.cpp"
#include "pvdrivers/switch/host/host.cpp"
#include "pvdrivers/switch/host/host_plan.cpp"
#include "pvdrivers/switch/host/http.cpp"
#include "pvdrivers/switch/host/metrics.cpp"
#include "pvdrivers/switch/host/page.cpp"
#include "pvdrivers/switch/host/plot.cpp"
#include "pvdrivers/switch/host/request.cpp"
#include "pvdrivers/switch/host/stream.cpp"
#include "pvdrivers/switch/host/text.cpp"
