// SPDX-License-Identifier: BSD-2-Clause
// CPUID and MSRs into Features, for invented CPUs.
#include "platform/x86/features.hpp"

#include "platform/x86/features.cpp"

#include <map>
#include <string>
#include <utility>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

std::map<std::pair<uint32_t, uint32_t>, CpuidResult> leaves;
std::map<uint32_t, uint64_t> msrs;
bool unannounced_msr;

CpuidResult cpuid_of(uint32_t leaf, uint32_t subleaf)
{
    const auto found = leaves.find({leaf, subleaf});
    return found == leaves.end() ? CpuidResult{} : found->second;
}
uint64_t msr_of(uint32_t msr)
{
    const auto found = msrs.find(msr);
    if (found == msrs.end())
        unannounced_msr = true;     // would fault
    return found == msrs.end() ? 0 : found->second;
}

CpuidResult vendor(uint32_t max, const char* text)
{
    CpuidResult r{max, 0, 0, 0};
    std::memcpy(&r.ebx, text, 4);
    std::memcpy(&r.edx, text + 4, 4);
    std::memcpy(&r.ecx, text + 8, 4);
    return r;
}

}  // namespace

TEST_GROUP(Features)
{
    void setup() override
    {
        leaves.clear();
        msrs.clear();
        unannounced_msr = false;
    }
    void teardown() override
    {
        leaves.clear();
        msrs.clear();
    }
    Features decode() { return decode_features(cpuid_of, msr_of); }
    void intel()
    {
        leaves[{0, 0}] = vendor(0x16, "GenuineIntel");
        leaves[{0x80000000, 0}] = {0x80000008, 0, 0, 0};
    }
    void amd()
    {
        leaves[{0, 0}] = vendor(0xd, "AuthenticAMD");
        leaves[{0x80000000, 0}] = {0x8000001f, 0, 0, 0};
    }
};

TEST(Features, of_a_cpu_that_tells_nothing_are_all_absent)
{
    const Features f = decode();
    CHECK_FALSE(f.nx || f.smep || f.xsave || f.x2apic || f.invariant_tsc);
    CHECK(f.vtx == Virtualisation::absent && f.svm == Virtualisation::absent);
    LONGS_EQUAL(36, f.physical_bits);
    CHECK_FALSE(unannounced_msr);
}

TEST(Features, name_family_and_model_as_the_manuals_do)
{
    intel();
    leaves[{1, 0}] = {0x000906EA, 0, 0, 0};
    Features f = decode();
    CHECK(f.vendor == CpuVendor::intel);
    LONGS_EQUAL(6, f.family);
    LONGS_EQUAL(0x9E, f.model);
    LONGS_EQUAL(10, f.stepping);
    amd();
    leaves[{1, 0}] = {0x00A20F12, 0, 0, 0};
    f = decode();
    CHECK(f.vendor == CpuVendor::amd);
    LONGS_EQUAL(0x19, f.family);
    LONGS_EQUAL(0x21, f.model);
}

TEST(Features, show_the_brand_without_doubled_blanks)
{
    intel();
    const char text[49] = "   Intel(R)  Core(TM)  i7 \x01 @ 2.6GHz            ";
    for (uint32_t i = 0; i < 3; ++i)
        std::memcpy(&leaves[{0x80000002 + i, 0}], text + i * 16, 16);
    STRCMP_EQUAL("Intel(R) Core(TM) i7 @ 2.6GHz", decode().brand.data());
}

TEST(Features, ignore_leaves_beyond_what_is_announced)
{
    leaves[{0, 0}] = vendor(1, "GenuineIntel");
    leaves[{7, 0}] = {0, 1u << 7, 0, 0};
    leaves[{0x80000001, 0}] = {0, 0, 0, 1u << 20};
    const Features f = decode();
    CHECK_FALSE(f.smep);
    CHECK_FALSE(f.nx);
}

TEST(Features, tell_vtx_with_ept_from_its_lesser_forms)
{
    intel();
    leaves[{1, 0}].ecx = 1u << 5;
    msrs[0x3A] = 5;
    msrs[0x482] = uint64_t{1} << 63;
    msrs[0x48B] = uint64_t{1} << 33;
    CHECK(decode().vtx == Virtualisation::without_unrestricted_guest);
    msrs[0x48B] |= uint64_t{1} << 39;
    CHECK(decode().vtx == Virtualisation::available);
    msrs[0x3A] = 1;
    CHECK(decode().vtx == Virtualisation::locked_by_firmware);
    char words[160];
    describe_virtualisation(decode(), words, sizeof(words));
    STRCMP_CONTAINS("VT-x with EPT: off, enable it in the firmware's setup;", words);
    msrs[0x3A] = 0;     // not locked: the core may turn it on
    CHECK(decode().vtx == Virtualisation::available);
    msrs[0x48B] = 0;
    CHECK(decode().vtx == Virtualisation::without_nested_paging);
    msrs[0x482] = 0;
    msrs.erase(0x48B);
    CHECK(decode().vtx == Virtualisation::without_nested_paging);
    CHECK_FALSE(unannounced_msr);
}

TEST(Features, tell_amdv_with_nested_paging_from_its_lesser_forms)
{
    amd();
    leaves[{0x80000001, 0}].ecx = 1u << 2;
    leaves[{0x8000000A, 0}].edx = 1;
    msrs[0xC0010114] = 0;
    CHECK(decode().svm == Virtualisation::available);
    leaves[{0x8000000A, 0}].edx = 0;
    CHECK(decode().svm == Virtualisation::without_nested_paging);
    msrs[0xC0010114] = 0x10;
    CHECK(decode().svm == Virtualisation::locked_by_firmware);
}

TEST(Features, say_that_avic_is_there_and_not_used)
{
    amd();
    leaves[{0x80000001, 0}].ecx = 1u << 2;
    leaves[{0x8000000A, 0}].edx = 1;
    msrs[0xC0010114] = 0;
    char words[200];
    describe_virtualisation(decode(), words, sizeof(words));
    STRCMP_CONTAINS("AMD-V with NPT: available; IOMMU", words);
    leaves[{0x8000000A, 0}].edx = 1 | 1u << 13;
    CHECK(decode().svm_avic);
    describe_virtualisation(decode(), words, sizeof(words));
    STRCMP_CONTAINS("AMD-V with NPT: available (AVIC: there, not used); IOMMU", words);
    msrs[0xC0010114] = 0x10;
    CHECK_FALSE(decode().svm_avic);
}

TEST(Features, take_an_intel_cpu_as_leaking_unless_it_denies_it)
{
    intel();
    Features f = decode();
    CHECK_TRUE(f.leaks_meltdown && f.leaks_l1tf && f.leaks_mds && f.leaks_ssb);
    leaves[{7, 0}].edx = 1u << 29;
    msrs[0x10A] = (1u << 0) | (1u << 4) | (1u << 5) | (1u << 8);
    f = decode();
    CHECK_FALSE(f.leaks_meltdown || f.leaks_l1tf || f.leaks_mds || f.leaks_ssb || f.leaks_taa);
}

TEST(Features, name_what_the_core_cannot_do_without)
{
    constexpr uint32_t wanted = 1u << 4 | 1u << 5 | 1u << 9 | 1u << 16 | 1u << 24 | 1u << 26;
    amd();
    leaves[{0x80000001, 0}].edx = 1u << 11;
    leaves[{1, 0}].edx = wanted;
    CHECK(missing_feature(decode()) == nullptr);
    const auto without = [&](unsigned bit) {
        leaves[{1, 0}].edx = wanted & ~(1u << bit);
        return missing_feature(decode());
    };
    STRCMP_CONTAINS("local APIC", without(9));
    STRCMP_CONTAINS("time-stamp", without(4));
    STRCMP_CONTAINS("model-specific", without(5));
    STRCMP_CONTAINS("attribute", without(16));
    STRCMP_CONTAINS("FXSAVE", without(24));
    STRCMP_CONTAINS("SSE2", without(26));
    leaves[{1, 0}].edx = wanted;
    leaves[{0x80000001, 0}].edx = 0;
    STRCMP_CONTAINS("SYSCALL", missing_feature(decode()));
}

TEST(Features, take_an_amd_cpu_as_safe_from_meltdown)
{
    amd();
    const Features f = decode();
    CHECK_FALSE(f.leaks_meltdown || f.leaks_l1tf || f.leaks_mds);
    CHECK_TRUE(f.leaks_ssb);
}

TEST(Features, know_the_tsc_frequency_only_with_a_crystal)
{
    intel();
    leaves[{0x15, 0}] = {2, 216, 24'000'000, 0};
    LONGS_EQUAL(2'592'000, decode().tsc_khz_by_cpuid);
    leaves[{0x15, 0}] = {2, 216, 0, 0};
    LONGS_EQUAL(0, decode().tsc_khz_by_cpuid);
    leaves[{0x15, 0}] = {0, 216, 24'000'000, 0};
    LONGS_EQUAL(0, decode().tsc_khz_by_cpuid);
}

TEST(Features, make_sentences_that_fit)
{
    intel();
    leaves[{1, 0}] = {0x000906EA, 0, 1u << 31, 0};
    Features f = decode();
    f.iommu_intel = true;
    char text[200];
    CHECK(describe_cpu(f, text, sizeof(text)) < 200);
    CHECK(std::string(text).find("family 6 model 158 stepping 10") != std::string::npos);
    CHECK(describe_virtualisation(f, text, sizeof(text)) < 200);
    CHECK(std::string(text).find("IOMMU: VT-d") != std::string::npos);
    CHECK(describe_leaks(f, text, sizeof(text)) < 200);
    CHECK(std::string(text).find("Meltdown") != std::string::npos);
}
