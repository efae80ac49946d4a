// SPDX-License-Identifier: BSD-2-Clause
// The core's sources, unmodified: the hypercalls of devices and machine services, and what a guest's frame goes through.
#include "fake_core.hpp"

#include "core/devices/device_op.cpp"
#include "core/machine_service.cpp"
#include "core/pv/bounce.cpp"
