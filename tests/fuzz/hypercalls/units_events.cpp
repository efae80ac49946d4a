// SPDX-License-Identifier: BSD-2-Clause
// The core's sources, unmodified: event channels, shared memory, devices.
#include "fake_core.hpp"

#include "core/devices/devices.cpp"
#include "core/devices/interrupts.cpp"
#include "core/event_bind.cpp"
#include "core/event_channel_op.cpp"
#include "core/event_close.cpp"
#include "core/event_fifo.cpp"
#include "core/events.cpp"
#include "core/shared_memory.cpp"
