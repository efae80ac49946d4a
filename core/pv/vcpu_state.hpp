// SPDX-License-Identifier: BSD-2-Clause
// What the PV ABI keeps for a vCPU beside its registers. Touched by the vCPU's own CPU only, or
// while the vCPU is held and has never run.
#pragma once

#include "core/pv/emulate_state.hpp"
#include "core/types.hpp"
#include "machine/guest_view.hpp"
#include "machine/segments.hpp"

#include <array>
#include <cstdint>

namespace bulkhead {

// Where an exception goes. Source: xen/include/public/arch-x86/xen.h, struct trap_info.
struct PvTrap {
    uint64_t address;       // 0: none
    uint16_t selector;
    uint8_t dpl;            // TI_GET_DPL: least privileged ring whose `int n` may use it
    bool masks_events;      // TI_GET_IF
};

struct PvCallback {
    uint64_t address;       // 0: not registered
    bool masks_events;      // CALLBACKF_mask_events
};

inline constexpr unsigned guest_gdt_frames = 14;
inline constexpr unsigned guest_ldt_frames = 16;

struct PvVcpuState {
    bool kernel_mode;                   // runs on kernel_table; else on user_table
    bool in_syscall;                    // the frame came by SYSCALL: SYSRET may be used
    bool nmi_pending;
    bool nmi_masked;                    // until the iret that ends the handler
    // Returns from a handler that led straight into the next event, without an instruction between.
    uint8_t upcalls_in_a_row;
    bool task_switched;                 // guest's CR0.TS (HYPERVISOR_fpu_taskswitch)
    uint8_t iopl;                       // PHYSDEVOP_set_iopl
    Mfn kernel_table;                   // MMUEXT_NEW_BASEPTR; referenced as L4
    Mfn user_table;                     // MMUEXT_NEW_USER_BASEPTR; raw 0: none
    std::array<machine::GuestView, 2> views;    // of the two, where the CPU leaks (Meltdown)
    // Asked for by the same operations before they could be tables, for when this vCPU pins them
    // (PvMemory::pins_late); raw 0: none. Without a reference.
    Mfn late_kernel_table;
    Mfn late_user_table;
    uint64_t kernel_sp;                 // HYPERVISOR_stack_switch
    uint16_t kernel_ss;
    machine::Selectors selectors;       // while not running
    uint64_t fs_base;
    uint64_t gs_base;                   // active now (while not running)
    uint64_t gs_base_other;             // the other one: kernel's in user mode, user's in kernel mode
    PvCallback event;
    PvCallback failsafe;
    PvCallback syscall;
    PvCallback syscall32;
    PvCallback sysenter;
    PvCallback nmi;
    uint16_t event_selector, failsafe_selector, syscall32_selector, sysenter_selector;
    uint64_t cr2;                       // also shown in vcpu_info.arch.cr2
    uint64_t cr0;                       // guest's view of the bits that it may change
    uint64_t cr4;
    uint64_t xcr0;
    uint64_t xss;
    std::array<uint64_t, 8> debug;      // 0..3, 6, 7
    bool debug_active;                  // debug[7] enables a breakpoint
    std::array<Mfn, guest_gdt_frames> gdt_frames;  // referenced as descriptor pages
    uint16_t gdt_entries;
    uint64_t ldt_base;                  // guest-virtual
    uint32_t ldt_entries;
    std::array<Mfn, guest_ldt_frames> ldt_frames;  // pages in the window, as descriptor pages; pages lock
    uint16_t ldt_mapped;                // bit n: ldt_frames[n] is one
    std::array<PvTrap, 256> traps;
    uint64_t io_bitmap;                 // PHYSDEVOP_set_iobitmap, guest-virtual
    uint32_t io_bitmap_ports;
    EmulationState emulation;           // core/pv/emulate_state.hpp
};

}  // namespace bulkhead
