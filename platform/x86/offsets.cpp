// SPDX-License-Identifier: BSD-2-Clause
// Holds the numbers of offsets.hpp, which assembly uses, against the structures.
#include "platform/x86/offsets.hpp"

#include "core/cpu.hpp"
#include "core/vcpu.hpp"

#include <cstddef>

namespace bulkhead {

static_assert(offsetof(Cpu, machine.scratch) == CPU_SCRATCH);
static_assert(offsetof(Cpu, machine.idle_cr3) == CPU_IDLE_CR3);
static_assert(offsetof(Cpu, machine.core_cr3) == CPU_CORE_CR3);
static_assert(offsetof(Cpu, machine.guest_cr3) == CPU_GUEST_CR3);
static_assert(offsetof(Cpu, machine.leaves_buffers) == CPU_LEAVES_BUFFERS);
static_assert(offsetof(Cpu, current) == CPU_CURRENT);
static_assert(offsetof(Cpu, work) == CPU_WORK);
static_assert(offsetof(Vcpu, info) == VCPU_INFO);
static_assert(offsetof(Vcpu, pv.kernel_mode) == VCPU_KERNEL_MODE);
static_assert(offsetof(vcpu_info_t, evtchn_upcall_pending) == INFO_PENDING);
static_assert(offsetof(vcpu_info_t, evtchn_upcall_mask) == INFO_MASK);
static_assert(offsetof(GuestFrame, r11) == FRAME_R11);
static_assert(offsetof(GuestFrame, rcx) == FRAME_RCX);
static_assert(offsetof(GuestFrame, rax) == FRAME_RAX);
static_assert(offsetof(GuestFrame, rdi) == FRAME_RDI);
static_assert(offsetof(GuestFrame, vector) == FRAME_VECTOR);
static_assert(offsetof(GuestFrame, rip) == FRAME_RIP);
static_assert(offsetof(GuestFrame, cs) == FRAME_CS);
static_assert(offsetof(GuestFrame, rflags) == FRAME_RFLAGS);
static_assert(offsetof(GuestFrame, rsp) == FRAME_RSP);
static_assert(sizeof(GuestFrame) == FRAME_SIZE);
static_assert(entry_syscall == ENTRY_SYSCALL);

}  // namespace bulkhead
