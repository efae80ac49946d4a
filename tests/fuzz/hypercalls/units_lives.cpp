// SPDX-License-Identifier: BSD-2-Clause
// The core's sources, unmodified: where lives begin and end.
#include "fake_core.hpp"

#include "core/pv/payload.cpp"
#include "core/pv/start_fill.cpp"
#include "core/pv/start_info.cpp"
#include "core/pv/start_of_day.cpp"
#include "core/pv/start_tables.cpp"
