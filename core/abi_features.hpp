// SPDX-License-Identifier: BSD-2-Clause
// The one table of XENFEAT bits of PV partitions: what XENVER_get_features reports, and what a
// kernel's ELF notes may require. Shared with the host tool. Source: xen/include/public/features.h.
#pragma once

#include <cstdint>

extern "C" {
#include <xen/features.h>
}

namespace bulkhead {

// Every bit is a promise that the code named beside it keeps. Writable page tables are not among them, as
// with Xen's PV: the guest protects its tables, and plain stores are emulated (core/pv/write_emulation.hpp).
inline constexpr uint32_t pv_features =
    (1u << XENFEAT_pae_pgdir_above_4gb) |          // tables may lie anywhere: core/pv/ asks for no less
    (1u << XENFEAT_mmu_pt_update_preserve_ad) |    // MMU_PT_UPDATE_PRESERVE_AD: core/pv/mmu_update.cpp
    (1u << XENFEAT_highmem_assist) |               // MMUEXT_CLEAR_PAGE, _COPY_PAGE: core/pv/mmuext_op.cpp
    (1u << XENFEAT_gnttab_map_avail_bits) |        // GNTMAP_guest_avail0: core/grant_map.cpp
    (1u << XENFEAT_direct_mapped);                 // a PV partition's gfn is the mfn

// Those of hardware partitions: their page tables are their own, their memory is translated, events
// come by a vector, and the clock of vcpu_info may be used.
inline constexpr uint32_t hardware_features =
    (1u << XENFEAT_writable_page_tables) | (1u << XENFEAT_auto_translated_physmap) |
    (1u << XENFEAT_hvm_callback_vector) | (1u << XENFEAT_hvm_safe_pvclock);

static_assert(XENFEAT_NR_SUBMAPS == 1);

}  // namespace bulkhead
