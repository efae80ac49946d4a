// SPDX-License-Identifier: BSD-2-Clause
// A plan as text, and what the rules make of it. One test program includes it once.
#pragma once

#include "boot/plan/check.hpp"
#include "boot/plan/resolve.hpp"
#include "boot/plan/system_fields.hpp"

#include "boot/plan/annotation.cpp"
#include "boot/plan/check.cpp"
#include "boot/plan/check_schedule.cpp"
#include "boot/plan/cpu_list.cpp"
#include "boot/plan/hash.cpp"
#include "boot/plan/nearest.cpp"
#include "boot/plan/network_fields.cpp"
#include "boot/plan/part_fields.cpp"
#include "boot/plan/partition_fields.cpp"
#include "boot/plan/pci_words.cpp"
#include "boot/plan/policy_fields.cpp"
#include "boot/plan/process.cpp"
#include "boot/plan/report.cpp"
#include "boot/plan/resolve.cpp"
#include "boot/plan/services.cpp"
#include "boot/plan/shared_memory.cpp"
#include "boot/plan/source.cpp"
#include "boot/plan/system_fields.cpp"
#include "boot/plan/text.cpp"
#include "boot/plan/tree.cpp"
#include "boot/plan/value.cpp"
#include "boot/plan/vif.cpp"
#include "boot/plan/xl_names.cpp"
#include "boot/plan/xen_notes.hpp"
#include "tests/unit/plan/folder.hpp"

#include <CppUTest/TestHarness.h>

using namespace bulkhead::tool;
using bulkhead::plan::Action;
using bulkhead::test::Folder;

namespace {

struct Checked {
    SystemModel system;
    Report report;

    [[nodiscard]] bool says(std::string_view part) const { return report.text().find(part) != std::string::npos; }
    [[nodiscard]] bool fine() const { return report.text().empty(); }
    [[nodiscard]] const PartitionModel& first() const { return system.partitions.front(); }
};

Checked check_source(const std::string& source)
{
    const Folder folder;
    const auto path = folder.write("plan.dts", source);
    const auto tree = load_source(path);
    Checked checked;
    if (!tree) {
        checked.report.error({path, 0}, tree.error());
        return checked;
    }
    checked.system = read_system(*tree, path, checked.report);
    resolve(checked.system, checked.report);
    check_system(checked.system, checked.report);
    return checked;
}

constexpr std::string_view required = "type = \"pv\"; memory = <64>; kernel = \"k\";";

// A plan whose first partition has these lines too.
Checked check_partition(const std::string& lines, const std::string& rest = "", const std::string& more_partitions = "")
{
    return check_source("/dts-v1/; / { compatible = \"bulkhead,plan\"; " + rest + " partitions { a { " +
                        std::string(required) + "\n" + lines + " };\n" + more_partitions + " }; };");
}

Checked check_root(const std::string& lines) { return check_partition("", lines); }

std::string partition(const std::string& name, const std::string& lines = "")
{
    return name + " { " + std::string(required) + lines + " };\n";
}

#define CHECK_SAYS(checked, words)                                                  \
    do {                                                                            \
        const auto result = (checked);                                              \
        if (!result.says(words))                                                    \
            FAIL((std::string("expected: ") + (words) + "\nbut:\n" + result.report.text()).c_str()); \
    } while (false)
#define CHECK_FINE(checked)                                  \
    do {                                                     \
        const auto result = (checked);                       \
        if (!result.fine())                                  \
            FAIL(result.report.text().c_str());              \
    } while (false)

}  // namespace

TEST_GROUP(Rules) {};
