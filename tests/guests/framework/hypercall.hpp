// SPDX-License-Identifier: BSD-2-Clause
// Hypercalls are the same for every ring-3 program of this tree.
#pragma once

#include "pvdrivers/abi/hypercall.hpp"
