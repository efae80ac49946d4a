// SPDX-License-Identifier: BSD-2-Clause
// Instructions of a PV guest that trapped: privileged ones, `int n`, and stores to page tables.
// All run on the vCPU's own CPU with interrupts off and its page tables loaded. Each instruction is
// read once; whatever is not one of the forms of core/pv/instruction.hpp is refused and counted.
#pragma once

#include "core/guest_frame.hpp"
#include "core/types.hpp"
#include "core/vcpu.hpp"

#include <cstdint>
#include <optional>

namespace bulkhead {

// Once at start, after machine::init_fpu() and the calibration of the clock.
void init_emulation();

// At each switch to a vCPU: what a guest sets in registers that only ring 0 can load (CR4.TSD,
// TSC_AUX). Own CPU.
void load_emulated_registers(const Vcpu& vcpu);

enum class Emulation : uint8_t {
    done,        // the frame says where the guest goes on: behind the instruction, or in a handler
    inject_gp,   // #GP with error code 0
    inject_ud,   // #UD
    reflect,     // none of this file's business: the fault as the CPU raised it
};

// On #GP with error code 0. Kernel mode, except for I/O that IOPL or the bitmap admits, and CPUID.
[[nodiscard]] Emulation emulate_privileged(Vcpu& vcpu, GuestFrame& frame);

// On #UD: CPUID behind the forced-emulation prefix, in either mode.
// Source: xen/include/public/arch-x86/xen.h, XEN_EMULATE_PREFIX.
[[nodiscard]] Emulation emulate_forced(Vcpu& vcpu, GuestFrame& frame);

// On a write fault on a present page in kernel mode; `fault` is CR2. Takes the `pages` lock.
[[nodiscard]] Emulation emulate_page_table_store(Vcpu& vcpu, GuestFrame& frame, GuestVirtual fault);

// On any #GP: the vector, if it is an `int n` that the gate's dpl allows in the guest's mode; RIP is
// then behind the instruction.
[[nodiscard]] std::optional<uint8_t> software_interrupt(Vcpu& vcpu, GuestFrame& frame);

}  // namespace bulkhead
