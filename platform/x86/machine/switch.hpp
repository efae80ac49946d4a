// SPDX-License-Identifier: BSD-2-Clause
// The part of a switch of vCPUs that is hardware: segments, page tables, FPU, debug registers.
#pragma once

#include "core/vcpu.hpp"

namespace bulkhead::machine {

// Moves a vCPU's state out of this CPU, which keeps running on its page tables until load_guest()
// or load_idle().
void save_guest(Vcpu& vcpu);
// Puts a vCPU's state and page tables into this CPU, whatever its registers hold. Selectors that its
// descriptor tables no longer allow become null.
void load_guest(Vcpu& vcpu);
// Both, for two PV vCPUs: what is the same in both is not loaded.
void exchange_guests(Vcpu& from, Vcpu& to);
// Loads the LDT that vcpu.pv.ldt_base and ldt_entries say (MMUEXT_SET_LDT): the vCPU is current.
void load_ldt(Vcpu& vcpu);
// The core's own page tables and no guest's descriptors.
void load_idle();
// Waits for an interrupt with interrupts on, unless Cpu::work is set already.
void halt_until_work();
// Lets interrupts that wait come in between two slices of the core's own work.
void take_interrupts();
// A machine check made a guest leave, and the CPU does not bring it again.
void take_machine_check();

}  // namespace bulkhead::machine
