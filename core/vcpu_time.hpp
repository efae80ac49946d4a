// SPDX-License-Identifier: BSD-2-Clause
// A vCPU's timers, time areas and runstate. Own CPU only.
#pragma once

#include "core/types.hpp"

#include <array>
#include <cstdint>

extern "C" {
#include <xen/vcpu.h>
}

namespace bulkhead {

struct VcpuTime {
    Nanoseconds singleshot;                  // `never`: not set
    Nanoseconds periodic_next;
    uint64_t periodic_ns;                    // 0: off
    vcpu_runstate_info_t runstate;
    uint64_t runstate_area;                  // guest-virtual, 0: none
    uint64_t time_area;                      // secondary vcpu_time_info, guest-virtual, 0: none
};

}  // namespace bulkhead
