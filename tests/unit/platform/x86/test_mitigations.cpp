// SPDX-License-Identifier: BSD-2-Clause
#include "platform/x86/mitigations.cpp"

#include <CppUTest/TestHarness.h>
#include <string>

using namespace bulkhead;

namespace {

std::string words(const Features& f)
{
    char text[300];
    CHECK(describe_mitigations(f, text, sizeof(text)) < static_cast<int>(sizeof(text)));
    return text;
}

bool says(const Features& f, const char* what) { return words(f).find(what) != std::string::npos; }

Features old_intel()
{
    Features f{};
    f.vendor = CpuVendor::intel;
    f.leaks_meltdown = f.leaks_l1tf = f.leaks_mds = f.leaks_ssb = f.leaks_taa = true;
    return f;
}

}  // namespace

TEST_GROUP(Mitigations){};

TEST(Mitigations, retpolines_are_for_cpus_that_do_not_keep_training_out_by_themselves)
{
    Features f{};
    CHECK(choose_mitigations(f).retpolines);
    f.has_enhanced_ibrs = true;
    CHECK(choose_mitigations(f).intel_ibrs);
    CHECK_FALSE(choose_mitigations(f).retpolines);
    f = {};
    f.has_automatic_ibrs = true;
    CHECK(choose_mitigations(f).amd_ibrs);
    CHECK_FALSE(choose_mitigations(f).retpolines);
}

TEST(Mitigations, what_the_microcode_lacks_is_said)
{
    const Features f = old_intel();
    const Mitigations m = choose_mitigations(f);
    CHECK_FALSE(m.barrier);
    CHECK_FALSE(m.clears_buffers);
    CHECK_FALSE(m.no_store_bypass);
    CHECK(m.safe_absent_entries);
    CHECK(says(f, "page tables without the core (Meltdown)"));
    CHECK(says(f, "lacks MD_CLEAR"));
    CHECK(says(f, "lacks SSBD"));
    CHECK(says(f, "lacks IBPB"));
}

TEST(Mitigations, of_a_cpu_with_new_microcode_are_all_on)
{
    Features f = old_intel();
    f.leaks_meltdown = false;
    f.has_ibpb = f.has_ibrs = f.has_ssbd = f.has_md_clear = true;
    const Mitigations m = choose_mitigations(f);
    CHECK(m.barrier && m.clears_buffers && m.no_store_bypass);
    CHECK(says(f, "retpolines, IBPB between partitions, VERW, SSBD, safe absent entries (L1TF); not covered: nothing"));
}

TEST(Mitigations, are_left_out_where_nothing_leaks)
{
    Features f{};
    f.has_enhanced_ibrs = f.has_ibpb = f.has_ssbd = f.has_md_clear = true;
    const Mitigations m = choose_mitigations(f);
    CHECK_FALSE(m.clears_buffers || m.no_store_bypass || m.safe_absent_entries);
    CHECK(says(f, "on: IBRS, IBPB between partitions; not covered: nothing"));
}
