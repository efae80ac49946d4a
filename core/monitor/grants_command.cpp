// SPDX-License-Identifier: BSD-2-Clause
// grants [NAME]: what partitions grant to others and who uses it.
#include "core/grants.hpp"
#include "core/monitor/command.hpp"
#include "core/monitor/format.hpp"
#include "core/partition.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

constexpr size_t references_a_step = 32;
constexpr int grant_lines_a_step = 2;

const char* kind_of(uint16_t flags)
{
    switch (flags & GTF_type_mask) {
    case GTF_permit_access:
        return (flags & GTF_readonly) != 0 ? "read" : "read, write";
    case GTF_accept_transfer:
        return "transfer";
    case GTF_transitive:
        return "transitive";
    default:
        return "none";
    }
}

void put_head(const Partition& partition, TextOut& out)
{
    const GrantTable& grants = partition.grants;
    out.print("%s: table of %u frame%s, at most %u; maps %u of others\n", partition.name(),
              grants.frames, grants.frames == 1 ? "" : "s", grants.max_frames, grants.mappings_in_use);
}

void put_grant(size_t reference, const GrantInfo& info, TextOut& out)
{
    const Partition* peer = find_partition(info.domain);
    const char* name = info.domain == DomainId(0) ? "core" : peer != nullptr ? peer->name() : "?";
    out.print("  %5zu  %-16s  %#12llx  %-11s  %4u  %7u\n", reference, name, wide(info.frame.raw()),
              kind_of(info.flags), unsigned{info.pins}, unsigned{info.writers});
}

bool step_grants(CommandRun& run, TextOut& out)
{
    const Partition* partition = chosen_partition(run);
    if (partition == nullptr)
        return false;
    if (run.inner == 0)
        put_head(*partition, out);
    const size_t count = partition->grants.open ? valid_references(partition->grants) : 0;
    const size_t stop = std::min<size_t>(run.inner + references_a_step, count);
    for (int lines = 0; run.inner < stop && lines < grant_lines_a_step; ++run.inner) {
        const GrantInfo info = grant_info(*partition, GrantRef(static_cast<uint32_t>(run.inner)));
        if (info.flags == 0 && info.pins == 0)
            continue;
        if (run.shown++ == 0)
            out.put("    ref  to                       frame  may          pins  writers\n");
        put_grant(run.inner, info, out);
        ++lines;
    }
    if (run.inner < count)
        return true;
    return next_partition(run);
}

}  // namespace

void start_grants(CommandRun& run, const Words& words, TextOut& out)
{
    start_for_partitions(run, words, out, step_grants);
}

}  // namespace bulkhead
