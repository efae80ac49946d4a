// SPDX-License-Identifier: BSD-2-Clause
#include "core/plan_check.hpp"

#include <cstring>

#include "core/crc32.hpp"
#include "core/types.hpp"

namespace bulkhead::plan {

namespace {

constexpr uint64_t most_frames = uint64_t{1} << 28;  // 1 TiB a partition
constexpr uint64_t most_cmdline_bytes = 1023;        // MAX_GUEST_CMDLINE without its zero
constexpr uint16_t last_service_domain = first_service_domain + max_services - 1;
constexpr uint32_t last_port = 4095;                 // of the 64-bit ABI

// What all checks need; `tables_bytes` bounds every table and text.
struct Plan {
    const Header& header;
    std::span<const Partition> partitions;
    std::span<const Payload> payloads;
};

bool inside(uint64_t offset, uint64_t size, uint64_t end) { return offset <= end && size <= end - offset; }

template <class T>
bool holds_table(const Header& header, Table where)
{
    return where.count == 0 || (where.offset >= sizeof(Header) && where.offset % alignof(T) == 0 &&
                                inside(where.offset, uint64_t{where.count} * sizeof(T), header.tables_bytes));
}

bool holds_text(const Header& header, Table where)
{
    if (where.offset < sizeof(Header) || !inside(where.offset, uint64_t{where.count} + 1, header.tables_bytes))
        return false;
    const void* end = std::memchr(bytes_at(header, where.offset), 0, size_t{where.count} + 1);
    return end == bytes_at(header, uint64_t{where.offset} + where.count);
}

uint32_t crc_of_tables(const Header& header)
{
    Header copy = header;
    copy.tables_crc32 = 0;
    const void* start = &copy;
    const uint32_t crc = crc32({static_cast<const uint8_t*>(start), sizeof(Header)});
    return crc32({bytes_at(header, sizeof(Header)), header.tables_bytes - sizeof(Header)}, crc);
}

const char* check_header(const Header& header, uint64_t bytes)
{
    if (header.magic != magic)
        return "there is no plan here: its first bytes are not BBHPLAN1";
    if (header.version != version)
        return "the plan was compiled for another version of the core";
    if (header.total_bytes != bytes || header.tables_bytes < sizeof(Header) || header.tables_bytes > bytes)
        return "the plan's size is not the size that it says";
    if (crc_of_tables(header) != header.tables_crc32)
        return "the plan's tables are damaged: their checksum is wrong";
    if (!holds_text(header, header.model) || !holds_text(header, header.source))
        return "the plan's model or source is outside its tables";
    if (!holds_table<Partition>(header, header.partitions) || !holds_table<Payload>(header, header.payloads) ||
        !holds_table<Window>(header, header.windows) || !holds_table<Symbol>(header, header.symbols) ||
        !holds_table<SharedRegion>(header, header.shared_regions) || !holds_table<Device>(header, header.devices))
        return "a table of the plan is outside its bounds";
    if (header.partitions.count == 0 || header.partitions.count > max_partitions)
        return "the plan has no partition, or too many";
    if (header.escape == 0 || header.escape >= 0x20 || header.panic_reboots > 1 || header.uart_baud_div100 == 0)
        return "the plan's console settings are out of range";
    return nullptr;
}

const char* check_payloads(const Plan& plan)
{
    uint64_t end = plan.header.tables_bytes;
    for (const Payload& payload : plan.payloads) {
        if (payload.offset % page_size != 0 || payload.offset < end ||
            !inside(payload.offset, payload.stored_bytes, plan.header.total_bytes))
            return "a payload is outside the plan, or overlaps another";
        if (payload.encoding != Encoding::raw && payload.encoding != Encoding::lz4)
            return "a payload has an unknown encoding";
        if (payload.encoding == Encoding::raw && payload.stored_bytes != payload.size_bytes)
            return "a raw payload has two sizes";
        if (payload.size_bytes == 0 || payload.size_bytes > most_frames * page_size)
            return "a payload's size is out of range";
        end = payload.offset + payload.stored_bytes;
    }
    return nullptr;
}

const char* check_name(const Plan& plan, size_t index)
{
    const auto& name = plan.partitions[index].name;
    if (name.front() == 0 || std::memchr(name.data(), 0, name.size()) == nullptr)
        return "a partition has no name, or one without an end";
    for (const char character : name_of(plan.partitions[index]))
        if (character <= ' ' || character > '~')
            return "a partition's name has a character that does not print";
    for (size_t other = 0; other < index; ++other)
        if (name_of(plan.partitions[other]) == name_of(plan.partitions[index]))
            return "two partitions have the same name";
    return nullptr;
}

bool in_range(Action action) { return action <= Action::preserve; }

const char* check_policy(const Plan& plan, size_t index)
{
    const Partition& partition = plan.partitions[index];
    if (partition.type < PartitionType::pv || partition.type > PartitionType::service)
        return "a partition's type is unknown";
    if (!in_range(partition.on_poweroff) || !in_range(partition.on_reboot) || !in_range(partition.on_crash) ||
        !in_range(partition.on_watchdog))
        return "a partition's policy is unknown";
    if (partition.priority > 31 || partition.realtime > 1)
        return "a partition's priority is out of range";
    if (partition.budget_us != 0 && partition.budget_us > partition.period_us)
        return "a partition's budget is longer than its period";
    const bool is_service = partition.type == PartitionType::service;
    if (partition.domain == 0 || partition.domain > last_service_domain ||
        (partition.domain >= first_service_domain) != is_service)
        return "a partition's domain id is out of range";
    for (size_t other = 0; other < index; ++other)
        if (plan.partitions[other].domain == partition.domain)
            return "two partitions have the same domain id";
    if (partition.grant_frames == 0 || partition.console_port == 0 || partition.console_port == partition.store_port ||
        partition.console_port > last_port || partition.store_port > last_port)
        return "a partition's grant frames or ports are out of range";
    return nullptr;
}

// The two ends of the connection to its store.
const char* check_store(const Plan& plan, size_t index)
{
    const Partition& partition = plan.partitions[index];
    if ((partition.store_domain == 0) != (partition.store_port == 0) ||
        (partition.store_domain == 0) != (partition.store_remote_port == 0))
        return "a partition's store and its ports do not belong together";
    if (partition.store_domain == 0)
        return nullptr;
    if (partition.store_remote_port > last_port)
        return "a store's port is out of range";
    bool found = false;
    for (const Partition& other : plan.partitions) {
        const bool is_store = other.type == PartitionType::service && other.domain == partition.store_domain;
        if (is_store && other.console_port == partition.store_remote_port)
            return "a store's port is its console's";
        found = found || is_store;
    }
    if (!found || partition.store_domain == partition.domain)
        return "a partition's store is no service of the plan";
    if ((partition.services >> (partition.store_domain - first_service_domain) & 1) == 0)
        return "a partition is no client of its store";
    for (size_t other = 0; other < index; ++other)
        if (plan.partitions[other].store_domain == partition.store_domain &&
            plan.partitions[other].store_remote_port == partition.store_remote_port)
            return "two partitions have the same port of their store";
    return nullptr;
}

// A service is a client of others, never of itself.
const char* check_services(const Plan& plan, const Partition& partition)
{
    for (uint16_t number = 0; number < max_services; ++number) {
        if ((partition.services >> number & 1) == 0)
            continue;
        const auto domain = static_cast<uint16_t>(first_service_domain + number);
        bool found = false;
        for (const Partition& other : plan.partitions)
            found = found || other.domain == domain;
        if (!found || domain == partition.domain)
            return "a partition is a client of a service that the plan lacks";
    }
    return nullptr;
}

const char* check_cpus(const Partition& partition)
{
    if (partition.vcpus == 0 || partition.vcpus > max_vcpus)
        return "a partition's number of vCPUs is out of range";
    if (partition.cpu_count == 0 || partition.cpu_count > max_cpus)
        return "a partition's number of CPUs is out of range";
    for (size_t i = 0; i < partition.cpu_count; ++i)
        if (partition.cpus[i] >= max_cpus)
            return "a partition's CPU is out of range";
    return nullptr;
}

const char* check_segments(const Plan& plan, const Partition& partition)
{
    if (!holds_table<Segment>(plan.header, partition.segments))
        return "a partition's segments are outside the tables";
    uint64_t next_pfn = 0;
    for (const Segment& segment : table<Segment>(plan.header, partition.segments)) {
        if (segment.pfn < next_pfn || !inside(segment.pfn, segment.frames, partition.memory_frames))
            return "a partition's segment is outside its memory, or overlaps another";
        if (segment.payload >= plan.payloads.size())
            return "a partition's segment has no payload";
        if (frames_for(plan.payloads[segment.payload].size_bytes) > segment.frames)
            return "a partition's segment is smaller than its payload";
        next_pfn = segment.pfn + segment.frames;
    }
    return nullptr;
}

bool overlap(const MemoryRange& a, const MemoryRange& b)
{
    return a.base < b.base + b.size_bytes && b.base < a.base + a.size_bytes;
}

// Whether `range` meets one before it in its partition, or any of the partitions before.
bool is_taken(const Plan& plan, size_t owner, size_t place, const MemoryRange& range)
{
    for (size_t index = 0; index <= owner; ++index) {
        const auto ranges = table<MemoryRange>(plan.header, plan.partitions[index].ranges);
        for (size_t i = 0; i < ranges.size() && (index < owner || i < place); ++i)
            if (overlap(ranges[i], range))
                return true;
    }
    return false;
}

const char* check_memory(const Plan& plan, size_t index)
{
    const Partition& partition = plan.partitions[index];
    if (partition.memory_frames == 0 || partition.memory_frames > partition.max_frames ||
        partition.max_frames > most_frames)
        return "a partition's memory is out of range";
    if (partition.ranges.count > max_memory_ranges || !holds_table<MemoryRange>(plan.header, partition.ranges))
        return "a partition's memory ranges are outside the tables";
    const auto ranges = table<MemoryRange>(plan.header, partition.ranges);
    uint64_t frames = 0;
    for (size_t i = 0; i < ranges.size(); ++i) {
        const auto& range = ranges[i];
        if (range.base % page_size != 0 || range.size_bytes % page_size != 0 || range.size_bytes == 0 ||
            range.base >= uint64_t{1} << 52 || range.size_bytes > uint64_t{1} << 52)
            return "a partition's memory range is out of bounds";
        if (is_taken(plan, index, i, range))
            return "two memory ranges overlap";
        frames += range.size_bytes / page_size;
    }
    if (!ranges.empty() && frames != partition.max_frames)
        return "a partition's memory ranges are not its memory";
    return check_segments(plan, partition);
}

const char* check_start(const Partition& partition)
{
    const PvStart& pv = partition.pv;
    const uint64_t memory = partition.memory_frames;
    if (pv.virt_base % page_size != 0 || pv.p2m_base % page_size != 0)
        return "a partition's start-of-day addresses are not page-aligned";
    if (pv.mapped_end_pfn > memory || !inside(pv.tables_pfn, pv.tables_frames, pv.mapped_end_pfn) ||
        pv.tables_frames < 4 || pv.stack_pfn >= pv.mapped_end_pfn || pv.start_info_pfn >= pv.mapped_end_pfn ||
        pv.console_pfn >= pv.mapped_end_pfn)
        return "a partition's start-of-day pages are outside its initial mapping";
    if ((pv.store_pfn == no_pfn) != (partition.store_port == 0) ||
        (pv.store_pfn != no_pfn && pv.store_pfn >= pv.mapped_end_pfn))
        return "a partition's store page and port do not belong together";
    const uint64_t p2m_end = pv.p2m_base == 0 ? pv.mapped_end_pfn : memory;
    if (pv.p2m_frames != frames_for(memory * sizeof(uint64_t)) || !inside(pv.p2m_pfn, pv.p2m_frames, p2m_end) ||
        !inside(pv.p2m_tables_pfn, pv.p2m_tables_frames, p2m_end))
        return "a partition's p2m list is outside its memory";
    const uint64_t ramdisk_end = pv.ramdisk_by_pfn != 0 ? memory : pv.mapped_end_pfn;
    if ((pv.ramdisk_pfn == no_pfn) != (pv.ramdisk_bytes == 0) || pv.ramdisk_bytes > memory << page_shift ||
        (pv.ramdisk_bytes != 0 && !inside(pv.ramdisk_pfn, frames_for(pv.ramdisk_bytes), ramdisk_end)))
        return "a partition's ramdisk is outside its memory";
    return nullptr;
}

// They are the last ones, and nothing of the start lies in them.
const char* check_persistent(const Plan& plan, const Partition& partition)
{
    const uint64_t first = partition.persistent_pfn;
    if (partition.persistent_frames == 0)
        return nullptr;
    const PvStart& pv = partition.pv;
    bool apart = partition.type == PartitionType::service && first < partition.memory_frames &&
                 partition.memory_frames - first == partition.persistent_frames && pv.mapped_end_pfn <= first &&
                 inside(pv.p2m_pfn, pv.p2m_frames, first) && inside(pv.p2m_tables_pfn, pv.p2m_tables_frames, first);
    if (pv.ramdisk_bytes != 0)
        apart = apart && inside(pv.ramdisk_pfn, frames_for(pv.ramdisk_bytes), first);
    for (const Segment& segment : table<Segment>(plan.header, partition.segments))
        apart = apart && inside(segment.pfn, segment.frames, first);
    return apart ? nullptr : "a service's persistent frames are not the last ones, or are used at its start";
}

// In front of the persistent frames, and nothing of the start lies in them.
const char* check_dma(const Plan& plan, const Partition& partition)
{
    const uint64_t first = partition.dma_pfn;
    if (partition.dma_frames == 0)
        return nullptr;
    const PvStart& pv = partition.pv;
    const uint64_t end = partition.persistent_frames == 0 ? partition.memory_frames : partition.persistent_pfn;
    bool apart = partition.type == PartitionType::service && inside(first, partition.dma_frames, end) &&
                 pv.mapped_end_pfn <= first && inside(pv.p2m_pfn, pv.p2m_frames, first) &&
                 inside(pv.p2m_tables_pfn, pv.p2m_tables_frames, first);
    if (pv.ramdisk_bytes != 0)
        apart = apart && inside(pv.ramdisk_pfn, frames_for(pv.ramdisk_bytes), first);
    for (const Segment& segment : table<Segment>(plan.header, partition.segments))
        apart = apart && inside(segment.pfn, segment.frames, first);
    return apart ? nullptr : "a service's frames for devices are outside its memory, or are used at its start";
}

const char* check_partition(const Plan& plan, size_t index)
{
    const Partition& partition = plan.partitions[index];
    for (const Table words : {partition.kernel_path, partition.ramdisk_path, partition.cmdline})
        if (!holds_text(plan.header, words))
            return "a partition's text is outside the tables";
    if (partition.cmdline.count > most_cmdline_bytes)
        return "a partition's command line is too long";
    if (const char* wrong = check_name(plan, index))
        return wrong;
    if (const char* wrong = check_policy(plan, index))
        return wrong;
    if (const char* wrong = check_cpus(partition))
        return wrong;
    if (const char* wrong = check_memory(plan, index))
        return wrong;
    if (const char* wrong = check_services(plan, partition))
        return wrong;
    if (partition.type != PartitionType::pv && partition.type != PartitionType::service)
        return nullptr;
    if (const char* wrong = check_start(partition))
        return wrong;
    if (const char* wrong = check_store(plan, index))
        return wrong;
    if (const char* wrong = check_persistent(plan, partition))
        return wrong;
    return check_dma(plan, partition);
}

const char* check_members(const Plan& plan, const SharedRegion& region)
{
    const auto members = table<SharedMember>(plan.header, region.members);
    for (size_t i = 0; i < members.size(); ++i) {
        if (members[i].partition >= plan.partitions.size() || members[i].writable > 1)
            return "a member of shared memory is no partition";
        for (size_t other = 0; other < i; ++other)
            if (members[other].partition == members[i].partition)
                return "a partition is a member of the same shared memory twice";
    }
    return nullptr;
}

const char* check_shared_regions(const Plan& plan)
{
    const auto regions = table<SharedRegion>(plan.header, plan.header.shared_regions);
    if (regions.size() > max_shared_regions)
        return "there are too many shared memories";
    uint64_t frames = 0;
    for (size_t i = 0; i < regions.size(); ++i) {
        const SharedRegion& region = regions[i];
        if (region.name.front() == 0 || std::memchr(region.name.data(), 0, region.name.size()) == nullptr)
            return "a shared memory has no name, or one without an end";
        if (region.frames == 0 || region.frames > max_shared_frames - frames)
            return "the size of a shared memory is out of range";
        if (region.port != i + 1 || region.first_grant != first_shared_grant + frames)
            return "the port or grants of a shared memory are not in order";
        if (region.members.count > max_partitions || !holds_table<SharedMember>(plan.header, region.members))
            return "the members of a shared memory are outside the tables";
        if (const char* wrong = check_members(plan, region))
            return wrong;
        frames += region.frames;
    }
    return nullptr;
}

const char* check_device(const Plan& plan, const Device& device)
{
    if (device.match > DeviceMatch::ids)
        return "a device is matched in an unknown way";
    if (device.partition >= plan.partitions.size() ||
        plan.partitions[device.partition].type != PartitionType::service)
        return "a device is given to a partition that is no service";
    if (device.ids.count > max_device_ids || !holds_table<DeviceId>(plan.header, device.ids))
        return "a device's ids are outside the tables";
    if ((device.match == DeviceMatch::address) != (device.ids.count == 0))
        return "a device's ids and the way to match it do not belong together";
    if (!holds_text(plan.header, device.wanted) || !holds_text(plan.header, device.purpose))
        return "a device's text is outside the tables";
    return nullptr;
}

const char* check_devices(const Plan& plan)
{
    const auto devices = table<Device>(plan.header, plan.header.devices);
    if (devices.size() > max_devices)
        return "there are too many devices";
    for (size_t i = 0; i < devices.size(); ++i) {
        if (const char* wrong = check_device(plan, devices[i]))
            return wrong;
        unsigned number = 0;
        for (size_t other = 0; other < i; ++other)
            number += devices[other].partition == devices[i].partition ? 1U : 0U;
        if (devices[i].number != number)
            return "a partition's devices are not numbered in order";
    }
    return nullptr;
}

const char* check_windows(const Plan& plan)
{
    uint16_t cpu = 0;
    for (const Window& window : table<Window>(plan.header, plan.header.windows)) {
        if (window.cpu < cpu || window.cpu >= max_cpus)
            return "a schedule window's CPU is out of range or out of order";
        if (window.partition != idle_window && window.partition >= plan.partitions.size())
            return "a schedule window has no partition";
        if (window.length_us == 0)
            return "a schedule window is empty";
        cpu = window.cpu;
    }
    return nullptr;
}

const char* check_symbols(const Header& header)
{
    uint64_t address = 0;
    for (const Symbol& symbol : table<Symbol>(header, header.symbols)) {
        if (symbol.address < address)
            return "the symbols are not in order";
        if (symbol.name < sizeof(Header) || symbol.name >= header.tables_bytes ||
            std::memchr(bytes_at(header, symbol.name), 0, header.tables_bytes - symbol.name) == nullptr)
            return "a symbol's name is outside the tables";
        address = symbol.address;
    }
    return nullptr;
}

}  // namespace

const char* check_plan(const Header* header, uint64_t bytes)
{
    if (bytes < sizeof(Header))
        return "the plan is too short to be one";
    if (const char* wrong = check_header(*header, bytes))
        return wrong;
    const Plan plan{*header, table<Partition>(*header, header->partitions), table<Payload>(*header, header->payloads)};
    if (const char* wrong = check_payloads(plan))
        return wrong;
    for (size_t index = 0; index < plan.partitions.size(); ++index)
        if (const char* wrong = check_partition(plan, index))
            return wrong;
    if (const char* wrong = check_windows(plan))
        return wrong;
    if (const char* wrong = check_shared_regions(plan))
        return wrong;
    if (const char* wrong = check_devices(plan))
        return wrong;
    return check_symbols(*header);
}

}  // namespace bulkhead::plan
