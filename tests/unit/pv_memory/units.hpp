// SPDX-License-Identifier: BSD-2-Clause
// The units under test, unmodified: all of PV memory, since each leans on the others. Included last.
#pragma once

#include "core/frames.cpp"
#include "core/pv/descriptors.cpp"
#include "core/pv/free_frames.cpp"
#include "core/pv/grant_mapping.cpp"
#include "core/pv/invariants.cpp"
#include "core/pv/mmu_update.cpp"
#include "core/pv/mmuext_op.cpp"
#include "core/pv/page_table.cpp"
#include "core/pv/table_references.cpp"
#include "core/pv/table_walk.cpp"
#include "core/pv/tlb_requests.cpp"
#include "core/pv/update_va_mapping.cpp"
#include "core/pv/vm_assist.cpp"
#include "core/pv/write_emulation.cpp"
