// SPDX-License-Identifier: BSD-2-Clause
// Offsets that entry.S uses; offsets.cpp holds them against the structures.
#pragma once

// clang-format off
#define CPU_SCRATCH       104   // Cpu::machine.scratch
#define CPU_IDLE_CR3      136   // Cpu::machine.idle_cr3
#define CPU_CORE_CR3      144   // Cpu::machine.core_cr3
#define CPU_GUEST_CR3     152   // Cpu::machine.guest_cr3
#define CPU_LEAVES_BUFFERS 184  // Cpu::machine.leaves_buffers
#define CPU_CURRENT       320   // Cpu::current
#define CPU_WORK          328   // Cpu::work

#define VCPU_INFO         184   // Vcpu::info
#define VCPU_KERNEL_MODE  192   // Vcpu::pv.kernel_mode

#define INFO_PENDING      0     // vcpu_info.evtchn_upcall_pending
#define INFO_MASK         1     // vcpu_info.evtchn_upcall_mask

#define FRAME_R11         48
#define FRAME_RCX         56
#define FRAME_RAX         64
#define FRAME_RDI         72
#define FRAME_VECTOR      124
#define FRAME_RIP         128
#define FRAME_CS          136
#define FRAME_RFLAGS      144
#define FRAME_RSP         152
#define FRAME_SIZE        168

#define ENTRY_SYSCALL     0x100

// Where the SYSCALL stubs stand in page 0 of a CPU's block.
#define STUB_OFFSET_SYSCALL   0
#define STUB_OFFSET_SYSCALL32 64
// clang-format on
