// SPDX-License-Identifier: BSD-2-Clause
// The console of one partition: its xencons_interface ring, of which the core is the back end.
#pragma once

#include "core/types.hpp"

#include <cstdint>

extern "C" {
#include <xen/io/console.h>
}

namespace bulkhead {

struct ConsoleSource;            // core/console/multiplexer.hpp

struct PartitionConsole {
    struct xencons_interface* ring;   // through the direct map; null before start
    Mfn ring_frame;
    Port port;                        // the partition's end
    ConsoleSource* source;            // log and colour in the multiplexer
};

}  // namespace bulkhead
