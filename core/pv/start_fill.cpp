// SPDX-License-Identifier: BSD-2-Clause
// See start_fill.hpp.
#include "core/pv/start_fill.hpp"

#include "core/frames.hpp"
#include "core/plan_check.hpp"
#include "core/pv/payload.hpp"
#include "machine/memory.hpp"

#include <algorithm>

namespace bulkhead {

namespace {

constexpr uint64_t slice_frames = 32;          // to scrub: a share of work is one tick for 8 bytes

BuildStep refuse(BuildState& build, const char* sentence)
{
    build.failure = sentence;
    return BuildStep::failed;
}

// A region that is kept lies at the end of the memory, behind all payloads.
void scrub(Partition& partition, uint64_t end)
{
    BuildState& build = partition.memory.build;
    const plan::Partition& plan = *partition.plan;
    if (partition.memory.region_kept && end > plan.persistent_pfn) {
        if (build.next >= plan.persistent_pfn)
            build.next = end;
        end = std::max(build.next, plan.persistent_pfn);
    }
    if (end <= build.next)
        return;
    const FrameRun run =
        initial_run(partition.memory, Pfn(build.next), std::min(slice_frames, end - build.next));
    machine::clear_frames(machine::frame_pointer(run.first), run.count);
    build.next += run.count;
}

BuildStep unpack(Partition& partition, const plan::Header& header, const plan::Segment& segment,
                 const plan::Payload& payload)
{
    BuildState& build = partition.memory.build;
    const uint64_t done = (build.next - segment.pfn) << page_shift;
    switch (unpack_block(partition.memory, header, payload, Pfn(build.next), done, build.stored_done)) {
    case Unpacked::damaged:
        return refuse(build, "a payload in the image is damaged");
    case Unpacked::later:
        return BuildStep::more;
    case Unpacked::block:
        break;
    }
    build.next += frames_for(std::min(slice_bytes(payload), payload.size_bytes - done));
    return BuildStep::more;
}

}  // namespace

BuildStep fill_memory(Partition& partition, const plan::Header& header)
{
    BuildState& build = partition.memory.build;
    const uint64_t frames = partition.plan->memory_frames;
    const auto segments = plan::table<plan::Segment>(header, partition.plan->segments);
    const auto payloads = plan::table<plan::Payload>(header, header.payloads);
    if (build.segment == segments.size()) {
        scrub(partition, frames);
        return build.next >= frames ? BuildStep::done : BuildStep::more;
    }
    const plan::Segment& segment = segments[build.segment];
    const plan::Payload& payload = payloads[segment.payload];
    const uint64_t content_end = segment.pfn + frames_for(payload.size_bytes);
    if (segment.pfn > frames || content_end > frames || segment.pfn + segment.frames < content_end)
        return refuse(build, "a segment of its kernel or ramdisk exceeds its memory");
    if (build.next < segment.pfn) {
        scrub(partition, segment.pfn);
        return BuildStep::more;
    }
    if (build.next < content_end)
        return unpack(partition, header, segment, payload);
    ++build.segment;
    build.stored_done = 0;
    return BuildStep::more;
}

}  // namespace bulkhead
