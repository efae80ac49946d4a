// SPDX-License-Identifier: BSD-2-Clause
#include "pvdrivers/switch/host/box.hpp"

#include "pvdrivers/abi/bulkhead.h"

namespace bulkhead::net {

std::string_view state_name(uint8_t state)
{
    switch (state) {
    case BULKHEAD_CLIENT_left_out: return "left out";
    case BULKHEAD_CLIENT_stopped: return "stopped";
    case BULKHEAD_CLIENT_building: return "building";
    case BULKHEAD_CLIENT_running: return "running";
    case BULKHEAD_CLIENT_paused: return "paused";
    case BULKHEAD_CLIENT_shut_down: return "shutting down";
    case BULKHEAD_CLIENT_crashed: return "crashed";
    default: return {};
    }
}

bool is_alive(uint8_t state) { return state == BULKHEAD_CLIENT_running || state == BULKHEAD_CLIENT_paused; }

}  // namespace bulkhead::net
