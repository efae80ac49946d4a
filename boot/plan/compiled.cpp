// SPDX-License-Identifier: BSD-2-Clause
#include "boot/plan/compiled.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "boot/plan/hash.hpp"
#include "boot/plan/pci_words.hpp"
#include "boot/plan/services.hpp"
#include "core/types.hpp"
#include "pvdrivers/abi/bulkhead.h"
#include "pvdrivers/abi/network_cards.h"

namespace bulkhead::tool {

namespace {

// Collects tables and texts behind the header, each at its own alignment.
class Tables {
public:
    Tables() : bytes_(sizeof(plan::Header)) {}

    template <class T>
    plan::Table add(const std::vector<T>& records)
    {
        pad_to(bytes_, alignof(T));
        const plan::Table where{position(), static_cast<uint32_t>(records.size())};
        append(bytes_, view_of(records));
        return where;
    }
    plan::Table add(std::string_view words)
    {
        const plan::Table where{position(), static_cast<uint32_t>(words.size())};
        bytes_.insert(bytes_.end(), words.begin(), words.end());
        bytes_.push_back(0);
        return where;
    }
    [[nodiscard]] uint32_t position() const { return static_cast<uint32_t>(bytes_.size()); }
    [[nodiscard]] Bytes take() { return std::move(bytes_); }

private:
    Bytes bytes_;
};

plan::Partition describe(const PartitionModel& model, const LoadedPartition& loaded, Tables& tables)
{
    plan::Partition out{};
    std::copy_n(model.name.value.begin(), std::min<size_t>(model.name.value.size(), plan::name_bytes - 1),
                out.name.begin());
    out.uuid = model.uuid.value;
    out.type = model.is_service           ? plan::PartitionType::service
             : is_hardware(model) ? plan::PartitionType::pvh
                                         : plan::PartitionType::pv;
    out.priority = model.priority.value;
    out.on_poweroff = model.on_poweroff.value;
    out.on_reboot = model.on_reboot.value;
    out.on_crash = model.on_crash.value;
    out.on_watchdog = model.on_watchdog.value;
    out.realtime = model.realtime.value ? 1 : 0;
    out.flags = static_cast<uint8_t>((model.autostart.value ? plan::autostart : 0) |
                                     (model.pv_linear_pt.value ? plan::pv_linear_pt : 0) |
                                     (loaded.kernel != nullptr && loaded.kernel->pins_late() ? plan::pv_pins_late : 0) |
                                     (is_switch(model) ? plan::may_ask : 0) |
                                     (model.apic_by_page.value ? plan::apic_by_page : 0) |
                                     (loaded.slice.empty() ? 0 : plan::ramdisk_is_slice));
    out.trust = model.trust.value;
    out.domain = model.domain;
    out.vcpus = model.vcpus.value;
    out.cpu_count = static_cast<uint16_t>(model.placement.size());
    std::copy(model.placement.begin(), model.placement.end(), out.cpus.begin());
    out.grant_frames = model.grant_frames.value;
    out.budget_us = model.budget_us.value;
    out.period_us = model.budget_us.value != 0 ? model.period_us.value : 0;
    out.memory_frames = model.memory_mib.value * frames_per_mib;
    out.max_frames = model.maxmem_mib.value * frames_per_mib;
    out.kernel_path = tables.add(model.kernel.value);
    out.ramdisk_path = tables.add(model.ramdisk.value);
    out.cmdline = tables.add(model.cmdline.value);
    out.segments = tables.add(loaded.segments);
    out.ranges = tables.add(model.reg.value);
    out.console_port = console_port;
    if (is_store_client(model)) {
        out.store_domain = BULKHEAD_DOMAIN_STORE;
        out.store_port = store_port;
        out.store_remote_port = store_remote_port(model);
    }
    out.services = services_of(model);
    out.dma_frames = model.dma_frames;
    out.dma_pfn = model.dma_frames == 0 ? 0 : first_special_frame(model);
    out.persistent_frames = model.persistent_frames;
    out.persistent_pfn = model.persistent_frames == 0 ? 0 : out.memory_frames - model.persistent_frames;
    out.pv = loaded.layout.start;
    return out;
}

std::vector<plan::Window> windows_of(const SystemModel& system)
{
    auto schedule = system.schedule;
    std::sort(schedule.begin(), schedule.end(), [](const auto& a, const auto& b) { return a.cpu < b.cpu; });
    std::vector<plan::Window> windows;
    for (const auto& table : schedule) {
        for (const auto& window : table.windows) {
            const auto owner = std::find_if(system.partitions.begin(), system.partitions.end(),
                                            [&window](const auto& p) { return p.name.value == window.partition; });
            const bool idle = owner == system.partitions.end();
            const auto index = static_cast<uint16_t>(owner - system.partitions.begin());
            windows.push_back({table.cpu, idle ? plan::idle_window : index, window.length_us});
        }
    }
    return windows;
}

std::vector<plan::SharedRegion> regions_of(const SystemModel& system, Tables& tables)
{
    std::vector<plan::SharedRegion> regions;
    for (const auto& model : system.shared_memory) {
        std::vector<plan::SharedMember> members;
        for (const auto& member : model.members)
            members.push_back({static_cast<uint16_t>(member.partition), member.writable, 0});
        plan::SharedRegion region{{}, model.frames, model.first_grant, model.port, tables.add(members)};
        std::copy_n(model.name.begin(), std::min<size_t>(model.name.size(), plan::name_bytes - 1), region.name.begin());
        regions.push_back(region);
    }
    return regions;
}

// Cards that a driver knows.
std::vector<plan::DeviceId> known_cards()
{
#define BULKHEAD_CARD(vendor, device) {vendor, device},
    return {BULKHEAD_NETWORK_CARDS(BULKHEAD_CARD)};
#undef BULKHEAD_CARD
}

plan::Device describe(const DeviceModel& model, uint16_t partition, uint16_t number, Tables& tables)
{
    constexpr uint8_t network_class = 2;      // PCI Code and ID Assignment: network controller, Ethernet
    plan::Device out{};
    out.match = plan::DeviceMatch::any;
    out.base_class = network_class;
    out.partition = partition;
    out.number = number;
    std::vector<plan::DeviceId> ids;
    if (const auto address = parse_pci_address(model.wanted)) {
        out.match = plan::DeviceMatch::address;
        out.segment = address->segment;
        out.bus = address->bus;
        out.devfn = address->devfn;
    } else if (const auto id = parse_pci_ids(model.wanted)) {
        out.match = plan::DeviceMatch::ids;
        ids = {*id};
    } else {
        ids = known_cards();
    }
    out.ids = tables.add(ids);
    out.wanted = tables.add(model.wanted);
    out.purpose = tables.add("network " + model.network);
    return out;
}

// All of them are uplinks today.
std::vector<plan::Device> devices_of(const SystemModel& system, Tables& tables)
{
    const auto owner = std::find_if(system.partitions.begin(), system.partitions.end(), is_switch);
    std::vector<plan::Device> devices;
    for (const auto& model : system.devices)
        devices.push_back(describe(model, static_cast<uint16_t>(owner - system.partitions.begin()),
                                   static_cast<uint16_t>(devices.size()), tables));
    return devices;
}

plan::Table add_symbols(const std::vector<FunctionSymbol>& functions, Tables& tables)
{
    std::vector<plan::Symbol> symbols;
    for (const auto& function : functions)
        symbols.push_back({function.address, static_cast<uint32_t>(std::min<uint64_t>(function.size_bytes, 0xffffffff)),
                           tables.add(function.name).offset});
    return tables.add(symbols);
}

// Payloads follow the tables, each at a page of its own.
std::vector<plan::Payload> place_payloads(const std::vector<StoredPayload>& stored, uint64_t start)
{
    std::vector<plan::Payload> payloads;
    for (const auto& payload : stored) {
        start = align_up(start, page_size);
        payloads.push_back({start, payload.stored.size(), payload.size_bytes, payload.encoding,
                            crc32_of(payload.stored), payload.hash});
        start += payload.stored.size();
    }
    return payloads;
}

void set_header(Bytes& bytes, const plan::Header& header)
{
    const auto record = view_of(header);
    std::copy(record.begin(), record.end(), bytes.begin());
}

}  // namespace

Bytes compile_plan(const SystemModel& system, const std::vector<LoadedPartition>& loaded, const PayloadStore& payloads,
                   const std::vector<FunctionSymbol>& symbols)
{
    Tables tables;
    plan::Header header{};
    header.magic = plan::magic;
    header.version = plan::version;
    header.escape = system.escape.value;
    header.slot_health_s = system.slot_health_s.value;
    header.panic_reboots = system.panic_reboots.value ? 1 : 0;
    header.uart_baud_div100 = static_cast<uint16_t>(system.baud.value / 100);
    header.model = tables.add(system.model.value);
    header.source = tables.add(system.file);
    std::vector<plan::Partition> partitions;
    for (size_t i = 0; i < system.partitions.size(); ++i)
        partitions.push_back(describe(system.partitions[i], loaded[i], tables));
    header.partitions = tables.add(partitions);
    header.windows = tables.add(windows_of(system));
    header.shared_regions = tables.add(regions_of(system, tables));
    header.devices = tables.add(devices_of(system, tables));
    header.symbols = add_symbols(symbols, tables);
    // The payloads' table is the last one, so that its size tells where the first payload begins.
    const uint64_t tables_end = align_up(tables.position(), alignof(plan::Payload)) +
                                payloads.payloads().size() * sizeof(plan::Payload);
    const auto placed = place_payloads(payloads.payloads(), tables_end);
    header.payloads = tables.add(placed);
    header.tables_bytes = tables.position();
    Bytes bytes = tables.take();
    for (size_t i = 0; i < placed.size(); ++i) {
        bytes.resize(placed[i].offset);
        append(bytes, payloads.payloads()[i].stored);
    }
    header.total_bytes = bytes.size();
    set_header(bytes, header);
    header.tables_crc32 = crc32_of(View(bytes).first(header.tables_bytes));
    set_header(bytes, header);
    return bytes;
}

}  // namespace bulkhead::tool
