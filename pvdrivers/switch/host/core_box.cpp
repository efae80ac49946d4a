// SPDX-License-Identifier: BSD-2-Clause
// Source: pvdrivers/abi/bulkhead.h. Where the core does not answer (an image for Xen), there is nothing.
#include "pvdrivers/switch/host/core_box.hpp"

#include "pvdrivers/abi/bulkhead.h"
#include "pvdrivers/abi/hypercall.hpp"

#include <algorithm>

namespace bulkhead::net {

namespace {

template <class Record>
bool ask(uint32_t operation, Record& record)
{
    return hypercall<__HYPERVISOR_arch_2>(operation, as_argument(&record)) == 0;
}

template <size_t room>
std::string_view text_of(const char (&text)[room])
{
    return {text, static_cast<size_t>(std::find(text, text + room, '\0') - text)};
}

static_assert(Box::core_log == BULKHEAD_NO_PARTITION);

}  // namespace

BoxFigures CoreBox::box() const
{
    bulkhead_box_info info{};
    if (!ask(BULKHEADOP_box_info, info))
        return {};
    return {text_of(info.version), text_of(info.model), info.uptime_ns, info.cpus, info.partitions};
}

bool CoreBox::cpu(uint32_t index, CpuFigures& cpu) const
{
    bulkhead_cpu_info info{};
    info.cpu = index;
    if (!ask(BULKHEADOP_cpu_info, info))
        return false;
    cpu = {info.used_ns, info.partition};
    return true;
}

bool CoreBox::partition(uint32_t index, PartitionFigures& partition) const
{
    bulkhead_partition_info info{};
    info.index = index;
    if (!ask(BULKHEADOP_partition_info, info))
        return false;
    partition.name = text_of(info.name);
    partition.type = text_of(info.type);
    partition.domain = info.domain;
    partition.state = info.state;
    partition.vcpus = info.vcpus;
    partition.memory_bytes = info.memory_bytes;
    partition.cpu_ns = info.used_ns;
    partition.lives = info.starts;
    partition.crashes = info.crashes;
    partition.watchdogs = info.watchdogs;
    return true;
}

bool CoreBox::log(uint32_t partition, uint64_t& position, LogPart& part) const
{
    bulkhead_log_text text{};
    text.log = partition;
    text.position = position;
    if (!ask(BULKHEADOP_log_text, text) || (text.flags & BULKHEAD_LOG_SOME) == 0)
        return false;
    position = text.position;
    part.text = std::string_view(text.text, std::min<size_t>(text.length, sizeof(text.text)));
    part.is_stamped = (text.flags & BULKHEAD_LOG_STAMPED) != 0;
    part.ends_line = (text.flags & BULKHEAD_LOG_LINE_END) != 0;
    part.time_ns = text.time_ns;
    return true;
}

}  // namespace bulkhead::net
