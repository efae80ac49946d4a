// SPDX-License-Identifier: BSD-2-Clause
// The console of one partition: its xencons_interface ring, of which the core is the back end. The
// log of a partition (`source`) lives as long as the core; the ring belongs to one life.
#pragma once

#include "core/types.hpp"

#include <cstdint>

extern "C" {
#include <xen/io/console.h>
}

namespace bulkhead {

struct ConsoleSource;            // core/console/source.hpp
struct Partition;

struct PartitionConsole {
    struct xencons_interface* ring;   // through the direct map; null: not connected
    Mfn ring_frame;
    Port port;                        // the partition's end
    ConsoleSource* source;            // log and place in the multiplexer; null before start-up
    // The core's own copies of the indices that it owns: the guest may write over the shared ones.
    uint32_t out_cons;
    uint32_t in_prod;
    bool reads_by_hypercall;          // has asked for input by CONSOLEIO_read in this life
    uint64_t bad_indices;             // times that the guest's index was impossible
};

// A life begins: the ring is this frame of the partition's own memory, zeroed. Takes a writable
// reference on it, so that it cannot become a page table, and binds plan->console_port. No vCPU of
// the partition runs yet; the frame and event tables are ready.
void connect_console(Partition& partition, Mfn ring_frame);
// A life ends: what is left in the ring goes to the log, the reference and the ring are let go.
// Does nothing if not connected. No vCPU of the partition runs.
void disconnect_console(Partition& partition);
// The guest's event on its console port, and whenever there may be room for input.
void service_console(Partition& partition);

}  // namespace bulkhead
