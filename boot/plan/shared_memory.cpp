// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/shared_memory.hpp"

#include "boot/plan/readers.hpp"
#include "core/types.hpp"

namespace bulkhead::tool {

namespace {

using M = SharedMemoryModel;
constexpr uint64_t most_bytes = plan::max_shared_frames << page_shift;

template <auto Member>
Outcome<void> read_names(const Property& property, M& target, Report&)
{
    (target.*Member).state(ATTEMPT(texts(property.value)), property.at);
    return {};
}

constexpr std::array region_fields{
    Field<M>{"size", read_number<&M::size_bytes, 1, most_bytes>},
    Field<M>{"writer", read_names<&M::writers>},
    Field<M>{"readers", read_names<&M::readers>},
    Field<M>{"writers-may-share", read_boolean<&M::writers_may_share>},
};

M read_region(const Node& node, Report& report)
{
    M region;
    region.at = node.at;
    region.name = node.name;
    const auto what = sentence("shared memory ", Quoted{node.name});
    read_fields<M>(node, what, region_fields, {}, region, report);
    check_children(node, what, {}, report);
    if (const auto checked = check_name(node.name); !checked)
        report.error(node.at, sentence("the name of shared memory ", checked.error()));
    if (node.property("size") == nullptr)
        report.error(node.at, sentence(what, " has no \"size\"; such as size = <4096> (bytes) is required"));
    return region;
}

void add_members(const SystemModel& system, const Stated<std::vector<std::string>>& names, bool writable, M& region,
                 Report& report)
{
    std::vector<std::string_view> known;
    for (const auto& partition : system.partitions)
        known.push_back(partition.name.value);
    for (const auto& name : names.value) {
        const auto found = std::find(known.begin(), known.end(), name);
        if (found == known.end()) {
            report.error(names.at, sentence("shared memory ", Quoted{region.name}, " names ", Quoted{name},
                                            ", which is no partition; ",
                                            suggestion(name, known, "a partition's name is expected")));
            continue;
        }
        const auto index = static_cast<size_t>(found - known.begin());
        const bool twice = std::any_of(region.members.begin(), region.members.end(),
                                       [index](const M::Member& member) { return member.partition == index; });
        if (twice)
            report.error(names.at, sentence("shared memory ", Quoted{region.name}, " names ", Quoted{name},
                                            " twice; who writes may read as well"));
        else
            region.members.push_back({index, writable});
    }
}

void check_members(const M& region, Report& report)
{
    const size_t writers = region.writers.value.size();
    if (writers > 1 && !region.writers_may_share.value)
        report.error(region.writers.at,
                     sentence("shared memory ", Quoted{region.name}, " has ", writers, " writers, which would have to ",
                              "agree on every byte; name one, or say writers-may-share"));
    if (region.writers_may_share.value && writers < 2)
        report.warning(region.writers_may_share.at, "writers-may-share says nothing without two writers");
    if (writers == 0)
        report.error(region.at, sentence("shared memory ", Quoted{region.name},
                                         " has no writer; such as writer = \"plc\" is required"));
    if (!region.readers.stated && writers == 1)
        report.warning(region.at, sentence("shared memory ", Quoted{region.name}, " has no readers"));
}

}  // namespace

std::vector<SharedMemoryModel> read_shared_memory(const Node& node, Report& report)
{
    std::vector<M> regions;
    read_fields<std::vector<M>>(node, "shared-memory", {}, {}, regions, report);
    for (const auto& child : node.children)
        regions.push_back(read_region(child, report));
    return regions;
}

void resolve_shared_memory(SystemModel& system, Report& report)
{
    uint64_t frames = 0;
    for (auto& region : system.shared_memory) {
        add_members(system, region.writers, true, region, report);
        add_members(system, region.readers, false, region, report);
        check_members(region, report);
        region.frames = frames_for(region.size_bytes.value);
        region.first_grant = static_cast<uint32_t>(plan::first_shared_grant + frames);
        region.port = static_cast<uint32_t>(&region - system.shared_memory.data() + 1);
        frames += region.frames;
        if (frames > plan::max_shared_frames && frames - region.frames <= plan::max_shared_frames)
            report.error(region.at, sentence("the shared memories take ", Size{frames << page_shift}, " up to ",
                                             Quoted{region.name}, "; together at most ", Size{most_bytes},
                                             " are possible"));
    }
    if (system.shared_memory.size() > plan::max_shared_regions)
        report.error(system.shared_memory[plan::max_shared_regions].at,
                     sentence("the plan has ", system.shared_memory.size(), " shared memories; at most ",
                              plan::max_shared_regions, " are possible"));
}

}  // namespace bulkhead::tool
