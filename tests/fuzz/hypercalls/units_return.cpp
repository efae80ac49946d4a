// SPDX-License-Identifier: BSD-2-Clause
// The core's sources, unmodified: the device's hypercall, and what a guest's frame goes through.
#include "fake_core.hpp"

#include "core/devices/device_op.cpp"
#include "core/pv/bounce.cpp"
