// SPDX-License-Identifier: BSD-2-Clause
// Reads a node by a table of the properties that it may have. What the table does not name is
// refused, with the name that was probably meant, or with the reason when xl knows it.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "boot/plan/model.hpp"
#include "boot/plan/nearest.hpp"
#include "boot/plan/outcome.hpp"
#include "boot/plan/report.hpp"
#include "boot/plan/tree.hpp"

namespace bulkhead::tool {

// A property that a node may have. `read` fails with what follows the name in the message:
// `is 0; from 1 to 32 is possible`.
template <class Target>
struct Field {
    std::string_view name;
    Outcome<void> (*read)(const Property& property, Target& target, Report& report);
};

// A property that xl knows and that cannot do here what it does there.
struct Foreign {
    std::string_view name;
    bool refused;  // else a warning: without it the partition is the same
    std::string_view reason;
};

// Names that dtc or the device tree specification add to any node.
[[nodiscard]] inline bool belongs_to_device_tree(std::string_view name)
{
    return name == "phandle" || name == "linux,phandle" || name == "#address-cells" ||
           name == "#size-cells";
}

namespace detail {

inline bool report_foreign(const Property& property, std::span<const Foreign> foreign, Report& report)
{
    for (const auto& entry : foreign) {
        if (entry.name != property.name)
            continue;
        if (entry.refused)
            report.error(property.at, sentence(Quoted{property.name}, " is not available: ", entry.reason));
        else
            report.warning(property.at, sentence(Quoted{property.name}, " has no effect: ", entry.reason));
        return true;
    }
    return false;
}

}  // namespace detail

// Calls the reader of each property of `node`; `what` names the node for people.
template <class Target>
void read_fields(const Node& node, std::string_view what, std::span<const Field<Target>> fields,
                 std::span<const Foreign> foreign, Target& target, Report& report)
{
    std::vector<std::string_view> known;
    for (const auto& field : fields)
        known.push_back(field.name);
    std::vector<const Property*> seen;
    for (const auto& property : node.properties) {
        const auto twin = std::find_if(seen.begin(), seen.end(), [&property](const Property* other) {
            return other->name == property.name;
        });
        if (twin != seen.end()) {
            report.error(property.at, sentence("property ", Quoted{property.name}, " is given twice, first at ",
                                               to_text((*twin)->at), "; keep one"));
            continue;
        }
        seen.push_back(&property);
        const auto field = std::find_if(fields.begin(), fields.end(), [&property](const auto& candidate) {
            return candidate.name == property.name;
        });
        if (field != fields.end()) {
            if (const auto done = field->read(property, target, report); !done)
                report.error(property.at, sentence(property.name, ' ', done.error()));
        } else if (!belongs_to_device_tree(property.name) &&
                   !detail::report_foreign(property, foreign, report)) {
            report.error(property.at,
                         sentence("unknown property ", Quoted{property.name}, " in ", what, "; ",
                                  suggestion(property.name, known, "docs/plan.md lists those that there are")));
        }
    }
}

// Refuses the children of `node` that are not among `known`.
inline void check_children(const Node& node, std::string_view what,
                           std::span<const std::string_view> known, Report& report)
{
    for (const auto& child : node.children) {
        if (std::find(known.begin(), known.end(), child.name) != known.end())
            continue;
        const std::string otherwise = known.empty() ? sentence(what, " has properties only")
                                                    : "docs/plan.md lists those that there are";
        report.error(child.at, sentence("unknown node ", Quoted{child.name}, " in ", what, "; ",
                                        suggestion(child.name, known, otherwise)));
    }
}

}  // namespace bulkhead::tool
