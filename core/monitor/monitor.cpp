// SPDX-License-Identifier: BSD-2-Clause
// The monitor's place in the console; its commands follow.
#include "core/monitor/monitor.hpp"

namespace bulkhead {

void monitor_open(TextOut& out) { out.put("-- the monitor is not built yet --\n"); }
void monitor_key(uint8_t, TextOut&) {}
bool monitor_fill(TextOut&) { return false; }
void monitor_redraw(TextOut&) {}
void monitor_close() {}

}  // namespace bulkhead
