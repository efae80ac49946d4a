// SPDX-License-Identifier: BSD-2-Clause
// See questions.hpp. Other CPUs' numbers are read while they change: each is right for some moment.
#include "core/questions.hpp"

#include "core/console/source.hpp"
#include "core/cpu.hpp"
#include "core/hypercall.hpp"
#include "core/partition.hpp"
#include "core/plan_check.hpp"
#include "core/vcpu_time.hpp"
#include "machine/clock.hpp"
#include "machine/memory.hpp"
#include "machine/nospec.hpp"
#include "pvdrivers/abi/bulkhead.h"

#include <bulkhead/build_info.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace bulkhead {

namespace {

static_assert(sizeof(bulkhead_box_info) == 144 && sizeof(bulkhead_cpu_info) == 16);
static_assert(sizeof(bulkhead_partition_info) == 80 && sizeof(bulkhead_log_text) == 256);

// Indices come from whoever talks to the asker over a network.
const Partition* find_by_index(uint32_t index)
{
    const std::span<Partition> all = all_partitions();
    return index < all.size() ? &all[machine::nospec_index(index, all.size())] : nullptr;
}

// A position of a log has this bit if it lies within a line.
constexpr uint64_t in_line = uint64_t{1} << 63;

std::string_view model;

template <size_t room>
void put(std::string_view text, char (&into)[room])
{
    std::copy_n(text.begin(), std::min(text.size(), room - 1), into);
}

uint64_t used_ns(const Vcpu& vcpu) { return runstate_of(vcpu).time[RUNSTATE_running]; }

bool fill(bulkhead_box_info& answer)
{
    answer = {};
    answer.uptime_ns = machine::now().raw();
    answer.cpus = cpu_count();
    answer.partitions = static_cast<uint32_t>(all_partitions().size());
    put(BULKHEAD_VERSION, answer.version);
    put(model, answer.model);
    return true;
}

bool fill(bulkhead_cpu_info& answer)
{
    if (answer.cpu >= cpu_count())
        return false;
    const auto number = static_cast<uint16_t>(machine::nospec_index(answer.cpu, cpu_count()));
    const Cpu& cpu = cpu_by_number(CpuNumber(number));
    const Vcpu* current = __atomic_load_n(&cpu.current, __ATOMIC_RELAXED);
    answer.partition = current == nullptr ? BULKHEAD_NO_PARTITION
                                          : static_cast<uint32_t>(current->partition - all_partitions().data());
    answer.used_ns = 0;
    for (uint32_t i = 0; i < cpu.schedule.vcpu_count; ++i)
        answer.used_ns += used_ns(*cpu.schedule.vcpus[i]);
    return true;
}

bool fill(bulkhead_partition_info& answer)
{
    const uint32_t index = answer.index;
    const Partition* found = find_by_index(index);
    if (found == nullptr)
        return false;
    const Partition& partition = *found;
    answer = {};
    answer.index = index;
    answer.domain = partition.id.raw();
    answer.state = static_cast<uint8_t>(partition.state.load(std::memory_order_relaxed));
    answer.vcpus = static_cast<uint32_t>(partition.vcpus.size());
    answer.starts = partition.health.starts;
    answer.crashes = partition.health.crashes;
    answer.watchdogs = partition.health.watchdog_fires;
    answer.memory_bytes = partition.plan->memory_frames << page_shift;
    for (const Vcpu& vcpu : partition.vcpus)
        answer.used_ns += used_ns(vcpu);
    put(partition.name(), answer.name);
    put(type_name(partition.plan->type), answer.type);
    return true;
}

ConsoleSource* find_log(uint32_t log)
{
    if (log == BULKHEAD_NO_PARTITION)
        return &core_source();
    const Partition* partition = find_by_index(log);
    return partition != nullptr ? partition->console.source : nullptr;
}

// Any position may be asked for: one that never was an answer gives some part of the log or nothing.
bool fill(bulkhead_log_text& answer)
{
    ConsoleSource* source = find_log(answer.log);
    if (source == nullptr)
        return false;
    LogPiece piece{};
    LockGuard guard(source->lock);
    LogCursor cursor = answer.position == 0 ? oldest_line(source->log)
                                            : LogCursor{answer.position & ~in_line, 0, (answer.position & in_line) != 0};
    answer.flags = 0;
    answer.length = 0;
    if (cursor.position > source->log.end() || !next_piece(source->log, cursor, source->log.end(), answer.text, piece))
        return true;
    answer.flags = BULKHEAD_LOG_SOME | (piece.stamped ? BULKHEAD_LOG_STAMPED : 0) | (piece.line_end ? BULKHEAD_LOG_LINE_END : 0);
    answer.position = cursor.position | (cursor.in_line ? in_line : 0);
    answer.time_ns = piece.time.raw();
    answer.length = static_cast<uint32_t>(piece.text.size());
    std::fill(answer.text + answer.length, std::end(answer.text), '\0');
    return true;
}

template <class Record>
long answer(GuestVirtual argument)
{
    Record record;
    if (!machine::read_guest(record, argument))
        return negative(XEN_EFAULT);
    if (!fill(record))
        return negative(XEN_ENOENT);
    return machine::write_guest(argument, record) ? 0 : negative(XEN_EFAULT);
}

bool may_ask(const Partition& partition)
{
    return partition.service.clients != nullptr && (partition.plan->flags & plan::may_ask) != 0;
}

}  // namespace

void init_questions(const plan::Header& header) { model = plan::text(header, header.model); }

long answer_question(const Partition& self, uint32_t operation, GuestVirtual argument)
{
    if (operation < BULKHEADOP_box_info || operation > BULKHEADOP_log_text)
        return negative(XEN_ENOSYS);
    if (!may_ask(self))
        return negative(XEN_EPERM);
    switch (operation) {
    case BULKHEADOP_box_info: return answer<bulkhead_box_info>(argument);
    case BULKHEADOP_cpu_info: return answer<bulkhead_cpu_info>(argument);
    case BULKHEADOP_partition_info: return answer<bulkhead_partition_info>(argument);
    default: return answer<bulkhead_log_text>(argument);
    }
}

}  // namespace bulkhead
