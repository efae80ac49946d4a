// SPDX-License-Identifier: BSD-2-Clause
#include "core/hypercall.hpp"

#include "fake_core.hpp"
#include "fake_world.hpp"

#include "core/xen_version.cpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead;

TEST_GROUP(XenVersion)
{
    static constexpr uint64_t answer_at = 0x20000;
    std::unique_ptr<fake::World> world;
    std::array<char, 2048> answer;

    void setup() override
    {
        fake::reset_core();
        world = std::make_unique<fake::World>(1);
        answer.fill('#');
        fake::map_guest(answer_at, answer);
    }
    void teardown() override { world.reset(); }

    long call(uint64_t command, uint64_t argument = answer_at)
    {
        HypercallArguments arguments{{command, argument}};
        return do_xen_version(world->vcpu(0), arguments);
    }
    // The text, and zeros up to the size of the ABI's type, and nothing after it.
    void check_text(const char* expected, size_t size)
    {
        STRNCMP_EQUAL(expected, answer.data(), std::strlen(expected) + 1);
        for (size_t i = std::strlen(expected); i < size; ++i)
            LONGS_EQUAL(0, answer[i]);
        LONGS_EQUAL('#', answer[size]);
    }
};

TEST(XenVersion, is_4_17_without_touching_memory)
{
    LONGS_EQUAL(0x40011, call(XENVER_version, 0));
    LONGS_EQUAL(0x40011, call(uint64_t{1} << 32, 0));     // an int: the upper half is ignored
    LONGS_EQUAL(0, fake::guest_reads + fake::guest_writes);
}

TEST(XenVersion, texts_have_the_size_of_their_types)
{
    LONGS_EQUAL(0, call(XENVER_extraversion));
    check_text("-bulkhead", sizeof(xen_extraversion_t));
    setup();
    LONGS_EQUAL(0, call(XENVER_capabilities));
    check_text("xen-3.0-x86_64", sizeof(xen_capabilities_info_t));
    setup();
    LONGS_EQUAL(0, call(XENVER_changeset));
    check_text(BULKHEAD_VERSION, sizeof(xen_changeset_info_t));
    setup();
    LONGS_EQUAL(0, call(XENVER_commandline));
    check_text("<denied>", sizeof(xen_commandline_t));
}

TEST(XenVersion, names_the_compiler_and_nobody)
{
    LONGS_EQUAL(0, call(XENVER_compile_info));
    xen_compile_info_t info;
    std::memcpy(&info, answer.data(), sizeof(info));
    STRCMP_EQUAL("gcc " __VERSION__, info.compiler);
    STRCMP_EQUAL("bulkhead", info.compile_by);
    STRCMP_EQUAL("", info.compile_domain);
    STRCMP_EQUAL("", info.compile_date);
    LONGS_EQUAL('#', answer[sizeof(info)]);
}

TEST(XenVersion, the_cores_part_of_memory_begins_where_the_abi_says)
{
    LONGS_EQUAL(0, call(XENVER_platform_parameters));
    uint64_t virt_start;
    std::memcpy(&virt_start, answer.data(), sizeof(virt_start));
    CHECK_EQUAL(HYPERVISOR_VIRT_START, virt_start);
}

TEST(XenVersion, reports_the_table_of_features_and_no_other_submap)
{
    xen_feature_info_t info{0, 0};
    std::memcpy(answer.data(), &info, sizeof(info));
    LONGS_EQUAL(0, call(XENVER_get_features));
    std::memcpy(&info, answer.data(), sizeof(info));
    LONGS_EQUAL(pv_features, info.submap);
    CHECK((info.submap & (1u << XENFEAT_auto_translated_physmap)) == 0);
    CHECK((info.submap & (1u << XENFEAT_dom0)) == 0);

    info = {1, 0xabcd};
    std::memcpy(answer.data(), &info, sizeof(info));
    LONGS_EQUAL(negative(XEN_EINVAL), call(XENVER_get_features));
    std::memcpy(&info, answer.data(), sizeof(info));
    LONGS_EQUAL(0xabcd, info.submap);
}

TEST(XenVersion, the_page_size_is_asked_for_without_an_argument)
{
    LONGS_EQUAL(4096, call(XENVER_pagesize, 0));
    LONGS_EQUAL(negative(XEN_EINVAL), call(XENVER_pagesize));
}

TEST(XenVersion, the_handle_is_the_plans_uuid)
{
    for (uint8_t i = 0; i < 16; ++i)
        world->plans[0].uuid[i] = static_cast<uint8_t>(i + 100);
    LONGS_EQUAL(0, call(XENVER_guest_handle));
    for (size_t i = 0; i < 16; ++i)
        LONGS_EQUAL(i + 100, answer[i]);
    LONGS_EQUAL('#', answer[16]);
}

TEST(XenVersion, has_no_build_id_and_no_further_commands)
{
    LONGS_EQUAL(negative(XEN_ENODATA), call(XENVER_build_id));
    LONGS_EQUAL(negative(XEN_ENOSYS), call(11));
    LONGS_EQUAL(negative(XEN_ENOSYS), call(0xffffffff));
}

TEST(XenVersion, an_answer_that_cannot_be_written_is_a_fault)
{
    for (const unsigned command : {1u, 2u, 3u, 4u, 5u, 6u, 8u, 9u}) {
        LONGS_EQUAL(negative(XEN_EFAULT), call(command, 0x999000));
        LONGS_EQUAL(negative(XEN_EFAULT), call(command, 0xffff800000000000));
    }
}
