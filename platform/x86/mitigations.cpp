// SPDX-License-Identifier: BSD-2-Clause
// The choice and its words; speculation.cpp does what is chosen.
#include "platform/x86/mitigations.hpp"

#include <cstdio>

namespace bulkhead {

Mitigations choose_mitigations(const Features& f)
{
    Mitigations m{};
    m.intel_ibrs = f.has_enhanced_ibrs;
    m.amd_ibrs = f.has_automatic_ibrs && !m.intel_ibrs;
    m.retpolines = !m.intel_ibrs && !m.amd_ibrs;
    m.barrier = f.has_ibpb;
    m.clears_buffers = (f.leaks_mds || f.leaks_taa) && f.has_md_clear;
    m.no_store_bypass = f.leaks_ssb && f.has_ssbd;
    m.hides_core = f.leaks_meltdown;
    m.safe_absent_entries = f.leaks_l1tf;
    return m;
}

int describe_mitigations(const Features& f, char* to, size_t bytes)
{
    const Mitigations m = choose_mitigations(f);
    const bool store_bypass_open = f.leaks_ssb && !m.no_store_bypass;
    const bool buffers_open = (f.leaks_mds || f.leaks_taa) && !m.clears_buffers;
    const bool any_open = buffers_open || store_bypass_open || !m.barrier;
    return snprintf(to, bytes, "on: %s%s%s%s%s%s; not covered:%s%s%s%s", m.retpolines ? "retpolines" : "IBRS",
                    m.hides_core ? ", page tables without the core (Meltdown)" : "",
                    m.barrier ? ", IBPB between partitions" : "", m.clears_buffers ? ", VERW" : "",
                    m.no_store_bypass ? ", SSBD" : "", m.safe_absent_entries ? ", safe absent entries (L1TF)" : "",
                    buffers_open ? " MDS (microcode lacks MD_CLEAR)" : "",
                    store_bypass_open ? " store bypass (CPU lacks SSBD)" : "",
                    !m.barrier ? " branch training between partitions (CPU lacks IBPB)" : "", any_open ? "" : " nothing known");
}

}  // namespace bulkhead
