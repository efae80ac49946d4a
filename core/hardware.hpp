// SPDX-License-Identifier: BSD-2-Clause
// What the core needs of hardware partitions (`pvh`): the one table through which it reaches
// hvm/cpu/. A vCPU or partition is a hardware one if its `hardware` is not null.
#pragma once

#include "core/guest_frame.hpp"
#include "core/guest_paging.hpp"
#include "core/partition.hpp"
#include "core/vcpu.hpp"

namespace bulkhead {

struct HardwareOperations {
    // Start-up, boot CPU. Null if this box runs hardware partitions, else why it does not: a sentence.
    const char* (*why_not)();
    // Start-up: makes the partition's nested page tables and its vCPUs' control structures. Its memory
    // is assigned.
    void (*make)(Partition& partition);
    // Each CPU, once, before it runs guests.
    void (*enable_cpu)();

    // Moves state between the vCPU and this CPU; the core's own page tables are loaded afterwards.
    void (*load)(Vcpu& vcpu);
    void (*save)(Vcpu& vcpu);
    // Runs the current vCPU until Cpu::work is set. `frame` holds its registers on both ends.
    void (*run)(Vcpu& vcpu, GuestFrame& frame);
    // Something waits that ends SCHEDOP_block.
    bool (*must_run)(const Vcpu& vcpu);

    // Events wait for the vCPU that did not before. Any CPU, events lock.
    void (*event_raised)(Vcpu& vcpu);
    // The local APIC's timer (VcpuTime::apic_deadline) has expired: sets the next deadline. Own CPU.
    void (*timer_expired)(Vcpu& vcpu, Nanoseconds now);

    // A fault of the core at a guest's address while a hardware vCPU is current: maps what the guest's
    // own page tables have there, for as long as this exit is handled. False: the guest has nothing
    // there, or does not allow the access.
    bool (*map_guest_page)(Vcpu& vcpu, uint64_t address, bool write);

    // What the partition's machine service has decoded of the instruction that the vCPU waits for
    // (pvdrivers/abi/machine.h); nothing of it is checked yet. Releases hold_machine. The service's CPU.
    void (*machine_answer)(Vcpu& vcpu, uint64_t answer);

    // Start of day: all vCPUs as after a reset, vCPU 0 at the entry of the plan's kernel. The partition's
    // memory is filled.
    void (*start_of_day)(Partition& partition);
    // Why its vCPUs have left, for people: reasons are numbered from 0, the name is null behind the last.
    const char* (*exit_name)(size_t reason);
    uint64_t (*exit_count)(const Vcpu& vcpu, size_t reason);
    // The frame behind a guest's frame number: its RAM only; invalid_mfn elsewhere.
    Mfn (*frame_of_guest)(const Partition& partition, uint64_t gfn);
    // Of a vCPU that is not on its CPU: the paging that it left with. Any CPU.
    GuestPaging (*paging)(const Vcpu& vcpu);
    // Where a guest with that paging has an address. Never faults, whatever its tables hold. Any CPU, no lock.
    GuestPlace (*look)(const Partition& partition, const GuestPaging& paging, uint64_t address);
};

extern const HardwareOperations hardware_operations;

// The caller's name for a frame of its own: a machine frame for PV, its own number for a hardware
// partition. What comes out is still to be checked for its owner.
[[nodiscard]] inline Mfn named_frame(const Partition& partition, uint64_t name)
{
    if (partition.hardware == nullptr) [[likely]]
        return Mfn(name);
    return hardware_operations.frame_of_guest(partition, name);
}

}  // namespace bulkhead
