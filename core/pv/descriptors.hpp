// SPDX-License-Identifier: BSD-2-Clause
// The guest's descriptor tables: frames of the type `descriptors`, checked once when they get it, and
// shown in the vCPU's descriptor window, which LGDT and LLDT point at.
#pragma once

#include "core/partition.hpp"
#include "core/result.hpp"
#include "core/types.hpp"
#include "core/vcpu.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace bulkhead {

inline constexpr unsigned descriptors_per_frame = 512;
// The core's own descriptors follow. Source: xen/include/public/arch-x86/xen.h, FIRST_RESERVED_GDT_ENTRY.
inline constexpr unsigned guest_gdt_entries = 14 * descriptors_per_frame;

// Replaces a vCPU's GDT: the current vCPU's own, or that of one that has never run. XEN_EINVAL; or
// XEN_ERESTART: call again with the same arguments after what waits. Takes the `pages` lock.
Result<> set_gdt(Vcpu& target, std::span<const uint64_t> frames, uint32_t entries);

// On #PF in the core's slots while a guest ran: true if it was an access to a page of the running
// vCPU's LDT, which is now mapped: try again. Takes the `pages` lock.
[[nodiscard]] bool map_ldt_page(Vcpu& vcpu, uint64_t address);

// What the guest is told when the CPU itself missed a descriptor in the running vCPU's window and
// map_ldt_page() had none: #GP with the selector for the GDT, a page fault at the guest's own address
// of the descriptor for the LDT, as on Xen. Nothing for addresses outside of the vCPU's window.
struct MissingDescriptor {
    bool in_ldt;
    uint64_t selector;          // GDT: the error code
    uint64_t address;           // LDT
};
[[nodiscard]] std::optional<MissingDescriptor> missing_descriptor(const Vcpu& vcpu, uint64_t address);

// MMUEXT_SET_LDT of the current vCPU. XEN_EINVAL. `memory.lock` held.
Result<> set_ldt(Vcpu& vcpu, uint64_t address, uint64_t entries);

// Unmaps the LDT pages of one vCPU, or of all; they are mapped again when they are used.
// `memory.lock` held.
void drop_ldt_pages(Vcpu& vcpu);
void drop_ldt_pages(Partition& partition);

// At the end of a life: empties the vCPU's window and forgets what was in it, without putting
// references. Its CPU runs no guest of the partition.
void hide_descriptors(Vcpu& vcpu);

// A descriptor that a guest may have, changed where the core insists (privilege level). False: it may
// not. Source: Intel SDM vol 3, "Segment Descriptors".
[[nodiscard]] bool admit_descriptor(uint64_t& descriptor);

}  // namespace bulkhead
