// SPDX-License-Identifier: BSD-2-Clause
// What CPUID says to PV partitions, from hosts made of tables.
#include "core/pv/cpuid_policy.hpp"

#include "fake_core.hpp"
#include "machine/clock.hpp"

#include "core/pv/cpuid_policy.cpp"
#include "core/pv/xen_leaves.cpp"

#include <map>

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

namespace {

std::map<std::pair<uint32_t, uint32_t>, CpuidResult> host_leaves;

CpuidResult host(uint32_t leaf, uint32_t subleaf)
{
    const auto found = host_leaves.find({leaf, subleaf});
    return found == host_leaves.end() ? CpuidResult{} : found->second;
}

constexpr uint32_t all = 0xFFFF'FFFF;
constexpr uint64_t xcr0_all = 0xE7;

// A host that claims every bit there is.
void describe_host(bool intel)
{
    host_leaves.clear();
    if (intel)
        host_leaves[{0, 0}] = {0x1F, 0x756E'6547, 0x6C65'746E, 0x4965'6E69};
    else
        host_leaves[{0, 0}] = {0x10, 0x6874'7541, 0x444D'4163, 0x6974'6E65};
    host_leaves[{1, 0}] = {0x000906EA, 0x0710'0800, all, all};
    host_leaves[{2, 0}] = {1, 2, 3, 4};
    host_leaves[{4, 0}] = {0x1C004121, 0x01C0003F, 0x3F, 0};
    host_leaves[{4, 1}] = {0x1C03C163, 0x03C0003F, 0x2FFF, 6};
    host_leaves[{5, 0}] = {all, all, all, all};
    host_leaves[{6, 0}] = {all, all, all, all};
    host_leaves[{7, 0}] = {2, all, all, all};
    host_leaves[{7, 1}] = {all, all, all, all};
    host_leaves[{0xA, 0}] = {all, all, all, all};
    host_leaves[{0xB, 0}] = {all, all, all, all};
    host_leaves[{0xD, 0}] = {0x6E7, 2696, 2696, 0};
    host_leaves[{0xD, 1}] = {all, 2696, 0x1900, 0};
    host_leaves[{0xD, 2}] = {256, 576, 0, 0};
    host_leaves[{0xD, 5}] = {64, 1088, 0, 0};
    host_leaves[{0xD, 6}] = {512, 1152, 0, 0};
    host_leaves[{0xD, 7}] = {1024, 1664, 0, 0};
    host_leaves[{0xD, 9}] = {8, 2688, 0, 0};
    host_leaves[{0x80000000, 0}] = {intel ? 0x80000008 : 0x80000023, 0, 0, 0};
    for (uint32_t leaf = 0x80000001; leaf <= 0x80000023; ++leaf)
        host_leaves[{leaf, 0}] = {all, all, all, all};
    host_leaves[{0x80000008, 0}] = {0x3930, all, 0x5007, all};
}

}  // namespace

TEST_GROUP(cpuid_policy)
{
    Partition partition = {};
    std::array<Vcpu, 4> vcpus = {};

    void setup() override
    {
        fake::reset_core();
        describe_host(true);
        init_cpuid_policy(host, xcr0_all, true);
        use_vcpus(4);
    }
    void teardown() override { host_leaves.clear(); }
    void use_vcpus(size_t count)
    {
        partition.vcpus = std::span(vcpus.data(), count);
        for (size_t i = 0; i < count; ++i) {
            vcpus[i].partition = &partition;
            vcpus[i].number = VcpuNumber(static_cast<uint16_t>(i));
            vcpus[i].pv.xcr0 = 1;
        }
    }
    CpuidResult ask(uint32_t leaf, uint32_t subleaf = 0, size_t vcpu = 0)
    {
        return guest_cpuid(vcpus[vcpu], leaf, subleaf);
    }
};

TEST(cpuid_policy, what_a_pv_kernel_cannot_use_is_not_offered)
{
    const CpuidResult leaf = ask(1);
    const uint32_t ecx_off = 1u << 3 | 1u << 5 | 1u << 6 | 1u << 17 | 1u << 21 | 1u << 24;   // MONITOR VMX SMX PCID X2APIC TSC_DEADLINE
    const uint32_t edx_off = 1u << 1 | 1u << 3 | 1u << 7 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17;  // VME PSE MCE MTRR PGE MCA PSE36
    CHECK_EQUAL(0u, leaf.ecx & ecx_off);
    CHECK_EQUAL(0u, leaf.edx & edx_off);
    const CpuidResult features = ask(7);
    CHECK_EQUAL(0u, features.ebx & (1u << 7 | 1u << 10 | 1u << 20 | 1u << 4 | 1u << 11));    // SMEP INVPCID SMAP HLE RTM
    CHECK_EQUAL(0u, features.ecx & (1u << 2 | 1u << 3 | 1u << 4 | 1u << 7 | 1u << 16));      // UMIP PKU OSPKE CET LA57
    CHECK_EQUAL(0u, features.edx & (1u << 26 | 1u << 27 | 1u << 28 | 1u << 31 | 1u << 22 | 1u << 24));
    CHECK_EQUAL(0u, ask(0xD, 1).eax & (1u << 3 | 1u << 4));                                   // XSAVES XFD
    CHECK_EQUAL(0u, ask(0x80000001).edx & (1u << 26));                                        // PAGE1GB
}

TEST(cpuid_policy, leaves_that_are_not_listed_read_as_zero)
{
    for (uint32_t leaf : {3u, 5u, 6u, 8u, 9u, 0xAu, 0xBu, 0xCu, 0xEu, 0x1Fu, 0x20u, 0x3FFF'FFFFu, 0x4000'0004u,
                          0x4000'0006u, 0x4000'0100u, 0x8000'0009u, 0x8000'0021u, 0x8000'0022u, 0x8FFF'FFFFu, all}) {
        const CpuidResult r = ask(leaf);
        CHECK_EQUAL(0u, r.eax | r.ebx | r.ecx | r.edx);
    }
    CHECK_EQUAL(0u, ask(7, 2).eax);
    CHECK_EQUAL(0u, ask(4, 8).eax);
    CHECK_EQUAL(0u, ask(0xD, 9).eax);
    CHECK_EQUAL(0u, ask(0xD, 63).eax);
}

TEST(cpuid_policy, the_hypervisor_bit_and_the_abis_leaves_are_there)
{
    CHECK(ask(1).ecx >> 31);
    const CpuidResult signature = ask(0x4000'0000);
    CHECK_EQUAL(0x4000'0005u, signature.eax);
    CHECK_EQUAL(0x566e6558u, signature.ebx);
    CHECK_EQUAL(4u << 16 | 17, ask(0x4000'0001).eax);
    CHECK_EQUAL(1u, ask(0x4000'0002).eax);
    CHECK_EQUAL(1u, ask(0x4000'0002).ecx & 1);
    CHECK_EQUAL(2u, ask(0x4000'0003).ebx);
    CHECK_EQUAL(1'000'000u, ask(0x4000'0003).ecx);
    CHECK_EQUAL(fake::scale.multiplier, ask(0x4000'0003, 1).ecx);
    CHECK_EQUAL(1'000'000u, ask(0x4000'0003, 2).eax);
    CHECK_EQUAL(0x30u, ask(0x4000'0005).ebx);
    CHECK_EQUAL(0u, ask(0x4000'0005, 1).ebx);
}

TEST(cpuid_policy, each_vcpu_has_twice_its_number_as_apic_id)
{
    for (uint32_t i = 0; i < 4; ++i) {
        CHECK_EQUAL(2 * i, ask(1, 0, i).ebx >> 24);
        CHECK_EQUAL(8u, ask(1, 0, i).ebx >> 16 & 0xFF);
        CHECK(ask(1, 0, i).edx & 1u << 28);
    }
    CHECK_EQUAL(7u, ask(4, 0).eax >> 26);            // cores
    CHECK_EQUAL(0u, ask(4, 0).eax >> 14 & 0xFFF);    // level 1: its own
    CHECK_EQUAL(7u, ask(4, 1).eax >> 14 & 0xFFF);    // level 3: shared by all
    use_vcpus(1);
    CHECK_EQUAL(1u, ask(1).ebx >> 16 & 0xFF);
    CHECK_EQUAL(0u, ask(1).edx & 1u << 28);
    CHECK_EQUAL(0u, ask(4, 0).eax >> 26);
    use_vcpus(3);
    CHECK_EQUAL(8u, ask(1).ebx >> 16 & 0xFF);
}

TEST(cpuid_policy, amd_counts_its_cores_in_an_extended_leaf)
{
    describe_host(false);
    init_cpuid_policy(host, xcr0_all, true);
    CHECK_EQUAL(3u << 12 | 7u, ask(0x8000'0008).ecx);
    CHECK(ask(0x8000'0001).ecx & 2);
    CHECK_EQUAL(0x8000'0021u, ask(0x8000'0000).eax);
    CHECK_EQUAL(0u, ask(4).eax);
    CHECK_EQUAL(0u, ask(0x8000'001E).eax);
    CHECK_EQUAL(0u, ask(0x8000'0001).ecx & (1u << 2 | 1u << 15 | 1u << 22 | 1u << 29));   // SVM LWP TOPOEXT MONITORX
    use_vcpus(1);
    CHECK_EQUAL(0u, ask(0x8000'0008).ecx);
    CHECK_EQUAL(0u, ask(0x8000'0001).ecx & 2);
}

TEST(cpuid_policy, osxsave_follows_the_guests_cr4)
{
    CHECK_EQUAL(0u, ask(1).ecx & 1u << 27);
    vcpus[0].pv.cr4 = 1u << 18;
    CHECK(ask(1).ecx & 1u << 27);
}

TEST(cpuid_policy, the_save_area_grows_with_xcr0)
{
    CHECK_EQUAL(0xE7u, ask(0xD).eax);
    CHECK_EQUAL(2688u, ask(0xD).ecx);
    CHECK_EQUAL(576u, ask(0xD).ebx);
    vcpus[0].pv.xcr0 = 7;
    CHECK_EQUAL(832u, ask(0xD).ebx);
    CHECK_EQUAL(832u, ask(0xD, 1).ebx);
    vcpus[0].pv.xcr0 = 0xE7;
    CHECK_EQUAL(2688u, ask(0xD).ebx);
    CHECK_EQUAL(576u + 256 + 64 + 512 + 1024, ask(0xD, 1).ebx);
    CHECK_EQUAL(256u, ask(0xD, 2).eax);
    CHECK_EQUAL(576u, ask(0xD, 2).ebx);
}

TEST(cpuid_policy, a_component_that_asks_for_alignment_gets_it_when_packed)
{
    host_leaves[{0xD, 2}].eax = 250;
    host_leaves[{0xD, 5}].ecx = 2;
    init_cpuid_policy(host, xcr0_all, true);
    vcpus[0].pv.xcr0 = 0x27;
    CHECK_EQUAL(832u + 64, ask(0xD, 1).ebx);
}

TEST(cpuid_policy, a_cpu_that_packs_state_wrongly_offers_no_packing)
{
    CHECK(ask(0xD, 1).eax & 1u << 1);
    fake::packs_soundly = false;
    init_cpuid_policy(host, xcr0_all, true);
    fake::packs_soundly = true;
    CHECK_EQUAL(0u, ask(0xD, 1).eax & 1u << 1);
    CHECK(ask(0xD, 1).eax & 1u << 0);
}

TEST(cpuid_policy, instruction_sets_go_with_the_state_they_need)
{
    init_cpuid_policy(host, 7, true);
    CHECK(ask(1).ecx & 1u << 28);
    CHECK(ask(7).ebx & 1u << 5);
    CHECK_EQUAL(0u, ask(7).ebx & (1u << 16 | 1u << 17 | 1u << 30 | 1u << 31));
    CHECK_EQUAL(0u, ask(7).ecx & (1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14));
    CHECK_EQUAL(0u, ask(7, 1).eax & 1u << 5);
    init_cpuid_policy(host, 0, true);
    CHECK_EQUAL(0u, ask(1).ecx & (1u << 12 | 1u << 26 | 1u << 28 | 1u << 29));
    CHECK_EQUAL(0u, ask(7).ebx & 1u << 5);
    CHECK_EQUAL(0u, ask(7, 1).eax & 1u << 4);
    CHECK_EQUAL(7u, ask(0).eax);
    CHECK_EQUAL(0u, ask(0xD).eax);
    CHECK_EQUAL(0u, ask(0xD, 1).eax);
}

TEST(cpuid_policy, an_invariant_clock_is_offered_only_when_it_was_found_stable)
{
    CHECK(ask(0x8000'0007).edx & 1u << 8);
    CHECK_EQUAL(1u << 8, ask(0x8000'0007).edx);
    init_cpuid_policy(host, xcr0_all, false);
    CHECK_EQUAL(0u, ask(0x8000'0007).edx);
}

TEST(cpuid_policy, an_old_cpu_has_short_lists)
{
    host_leaves[{0, 0}].eax = 2;
    host_leaves[{0x80000000, 0}].eax = 0x80000004;
    host_leaves[{1, 0}].ecx = 1;
    init_cpuid_policy(host, xcr0_all, true);
    CHECK_EQUAL(2u, ask(0).eax);
    CHECK_EQUAL(0u, ask(4).eax);
    CHECK_EQUAL(0u, ask(7).ebx);
    CHECK_EQUAL(0u, ask(0xD).eax);
    CHECK_EQUAL(0u, ask(0x8000'0000).eax);
    CHECK_EQUAL(0u, policy_xcr0());
    CHECK_FALSE(policy_offers_tsc_aux());
    CHECK_FALSE(policy_offers_fsgsbase());
}
