// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/dump.hpp"

#include "boot/plan/hash.hpp"
#include "boot/plan/image.hpp"
#include "boot/plan/payloads.hpp"
#include "boot/plan/slice.hpp"
#include "boot/plan/text.hpp"
#include "core/plan_check.hpp"

namespace bulkhead::tool {

namespace {

class Dump {
public:
    explicit Dump(const plan::Header& header) : header_(header) {}

    template <class T>
    void line(std::string_view name, const T& value)
    {
        out_ += sentence(prefix_, name, " = ", value, '\n');
    }
    void pfn(std::string_view name, uint64_t value)
    {
        if (value == plan::no_pfn)
            line(name, "none");
        else
            line(name, Hex{value});
    }
    void words(std::string_view name, plan::Table where) { line(name, Quoted{plan::text(header_, where)}); }
    void within(std::string prefix) { prefix_ = std::move(prefix); }
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    const plan::Header& header_;
    std::string prefix_;
    std::string out_;
};

void dump_start(const plan::PvStart& pv, Dump& dump)
{
    dump.line("virt_base", Hex{pv.virt_base});
    dump.line("entry", Hex{pv.entry});
    dump.line("hypercall_page", Hex{pv.hypercall_page});
    dump.line("p2m_base", Hex{pv.p2m_base});
    dump.pfn("ramdisk_pfn", pv.ramdisk_pfn);
    dump.line("ramdisk_bytes", pv.ramdisk_bytes);
    dump.line("ramdisk_by_pfn", unsigned{pv.ramdisk_by_pfn});
    dump.pfn("p2m_pfn", pv.p2m_pfn);
    dump.line("p2m_frames", pv.p2m_frames);
    dump.pfn("p2m_tables_pfn", pv.p2m_tables_pfn);
    dump.line("p2m_tables_frames", pv.p2m_tables_frames);
    dump.pfn("start_info_pfn", pv.start_info_pfn);
    dump.pfn("store_pfn", pv.store_pfn);
    dump.pfn("console_pfn", pv.console_pfn);
    dump.pfn("tables_pfn", pv.tables_pfn);
    dump.line("tables_frames", pv.tables_frames);
    dump.pfn("stack_pfn", pv.stack_pfn);
    dump.pfn("mapped_end_pfn", pv.mapped_end_pfn);
    dump.line("features", Hex{pv.features});
}

void dump_partition(const plan::Header& header, const plan::Partition& partition, Dump& dump)
{
    dump.within(sentence("partition.", plan::name_of(partition), '.'));
    dump.line("type", static_cast<unsigned>(partition.type));
    dump.line("uuid", hex_text(partition.uuid));
    dump.line("domain", partition.domain);
    dump.line("priority", unsigned{partition.priority});
    dump.line("on_poweroff", static_cast<unsigned>(partition.on_poweroff));
    dump.line("on_reboot", static_cast<unsigned>(partition.on_reboot));
    dump.line("on_crash", static_cast<unsigned>(partition.on_crash));
    dump.line("on_watchdog", static_cast<unsigned>(partition.on_watchdog));
    dump.line("realtime", unsigned{partition.realtime});
    dump.line("flags", Hex{partition.flags});
    dump.line("vcpus", partition.vcpus);
    std::vector<std::string> cpus;
    for (size_t i = 0; i < partition.cpu_count; ++i)
        cpus.push_back(std::to_string(partition.cpus[i]));
    dump.line("cpus", list_of(cpus));
    dump.line("grant_frames", partition.grant_frames);
    dump.line("budget_us", partition.budget_us);
    dump.line("period_us", partition.period_us);
    dump.line("memory_frames", partition.memory_frames);
    dump.line("max_frames", partition.max_frames);
    dump.words("kernel", partition.kernel_path);
    dump.words("ramdisk", partition.ramdisk_path);
    dump.words("cmdline", partition.cmdline);
    for (const auto& segment : plan::table<plan::Segment>(header, partition.segments))
        dump.line("segment", sentence("frame ", Hex{segment.pfn}, ", ", Count{segment.frames, "frame"}, ", payload ",
                                      segment.payload));
    for (const auto& range : plan::table<plan::MemoryRange>(header, partition.ranges))
        dump.line("range", sentence(Hex{range.base}, ", ", Hex{range.size_bytes}, " bytes"));
    dump.line("console_port", partition.console_port);
    dump.line("store_port", partition.store_port);
    if (partition.store_domain != 0)
        dump.line("store", sentence("domain ", partition.store_domain, ", port ", partition.store_remote_port));
    if (partition.persistent_frames != 0)
        dump.line("persistent", sentence("frame ", Hex{partition.persistent_pfn}, ", ",
                                         Count{partition.persistent_frames, "frame"}));
    if (partition.dma_frames != 0)
        dump.line("dma", sentence("frame ", Hex{partition.dma_pfn}, ", ", Count{partition.dma_frames, "frame"}));
    if (partition.services != 0)
        dump.line("services", Hex{partition.services});
    dump_start(partition.pv, dump);
}

void dump_device(const plan::Header& header, const plan::Device& device, Dump& dump)
{
    dump.within("");
    dump.line("device", sentence(Quoted{plan::text(header, device.wanted)}, " for ", plan::text(header, device.purpose),
                                 ", partition ", device.partition, ", number ", device.number));
}

Bytes content_of(const plan::Header& header, const plan::Payload& payload)
{
    const auto stored = plan::stored_bytes(header, payload);
    const bool packed = payload.encoding == plan::Encoding::lz4;
    return packed ? unpack_lz4_blocks(stored, payload.size_bytes) : Bytes(stored.begin(), stored.end());
}

// The ramdisk's segment is the one that begins at its frame.
Outcome<std::string> slice_of(const plan::Header& header, const plan::Partition& partition)
{
    const auto payloads = plan::table<plan::Payload>(header, header.payloads);
    for (const auto& segment : plan::table<plan::Segment>(header, partition.segments))
        if (segment.pfn == partition.pv.ramdisk_pfn)
            return slice_text(content_of(header, payloads[segment.payload]),
                              sentence("slice.", plan::name_of(partition), ": "));
    return refuse("holds a partition whose slice is missing");
}

void dump_region(const plan::Header& header, const plan::SharedRegion& region, Dump& dump)
{
    dump.within("");
    dump.line(sentence("shared-memory.", region.name.data()),
              sentence(Count{region.frames, "frame"}, ", grants from ", region.first_grant, ", port ", region.port));
    for (const auto& member : plan::table<plan::SharedMember>(header, region.members))
        dump.line(sentence("shared-memory.", region.name.data(), ".member"),
                  sentence(member.partition, member.writable != 0 ? ", writes" : ", reads"));
}

Outcome<void> dump_payload(const plan::Header& header, const plan::Payload& payload, Dump& dump)
{
    const auto stored = plan::stored_bytes(header, payload);
    if (crc32_of(stored) != payload.crc32)
        return refuse("holds a damaged payload at ", Hex{payload.offset}, ": its checksum is wrong");
    const bool packed = payload.encoding == plan::Encoding::lz4;
    const Bytes content = content_of(header, payload);
    if (sha256(content) != payload.sha256)
        return refuse("holds a damaged payload at ", Hex{payload.offset}, ": its content is not what its hash says");
    dump.line("payload", sentence(packed ? "lz4" : "raw", ", ", payload.size_bytes, " bytes from ",
                                  payload.stored_bytes, " at ", Hex{payload.offset}, ", sha256 ",
                                  hex_text(payload.sha256)));
    return {};
}

}  // namespace

Outcome<std::string> dump_image(View image)
{
    const View bytes = ATTEMPT(plan_in_image(image));
    std::vector<uint64_t> aligned((bytes.size() + 7) / 8);
    std::memcpy(aligned.data(), bytes.data(), bytes.size());
    const void* start = aligned.data();
    const auto* header = static_cast<const plan::Header*>(start);
    if (const char* wrong = plan::check_plan(header, bytes.size()))
        return refuse("holds a plan that is not sound: ", wrong);
    Dump dump(*header);
    dump.words("model", header->model);
    dump.words("source", header->source);
    dump.line("escape", Hex{header->escape});
    dump.line("panic_reboots", unsigned{header->panic_reboots});
    dump.line("slot_health_s", header->slot_health_s);
    dump.line("baud", header->uart_baud_div100 * 100U);
    dump.line("symbols", header->symbols.count);
    for (const auto& payload : plan::table<plan::Payload>(*header, header->payloads))
        if (auto done = dump_payload(*header, payload, dump); !done)
            return Refusal{done.error()};
    for (const auto& window : plan::table<plan::Window>(*header, header->windows))
        dump.line("window", sentence("CPU ", window.cpu, ", partition ", window.partition, ", ", window.length_us, " us"));
    for (const auto& partition : plan::table<plan::Partition>(*header, header->partitions))
        dump_partition(*header, partition, dump);
    for (const auto& region : plan::table<plan::SharedRegion>(*header, header->shared_regions))
        dump_region(*header, region, dump);
    for (const auto& device : plan::table<plan::Device>(*header, header->devices))
        dump_device(*header, device, dump);
    std::string out = dump.take();
    for (const auto& partition : plan::table<plan::Partition>(*header, header->partitions))
        if ((partition.flags & plan::ramdisk_is_slice) != 0)
            out += ATTEMPT(slice_of(*header, partition));
    return out;
}

}  // namespace bulkhead::tool
