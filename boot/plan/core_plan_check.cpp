// SPDX-License-Identifier: BSD-2-Clause
// The core's own check of a compiled plan, compiled for the host: the tool and the core cannot differ.
#include "core/plan_check.cpp"
