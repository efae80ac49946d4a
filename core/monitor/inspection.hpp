// SPDX-License-Identifier: BSD-2-Clause
// Taking what a vCPU has in its CPU's registers. One that runs is held until its CPU has put them away, which takes as
// long as that CPU needs to come by; the monitor looks again every millisecond. Then it is let go.
#pragma once

#include "core/guest_frame.hpp"
#include "core/monitor/command.hpp"

namespace bulkhead {

// Of vCPU run.item: its registers and, of a hardware one, run.paging. False: not yet, ask again.
[[nodiscard]] bool take_registers(CommandRun& run, GuestFrame& frame);

}  // namespace bulkhead
