// SPDX-License-Identifier: BSD-2-Clause
// The core's sources, unmodified: the iret hypercall.
#include "fake_core.hpp"

#include "core/pv/iret.cpp"
