// SPDX-License-Identifier: BSD-2-Clause
// Source: pvdrivers/abi/bulkhead.h; xen/include/public/physdev.h.
#include <bulkhead/device.hpp>

#include "pvdrivers/abi/bulkhead.h"
#include "pvdrivers/abi/hypercall.hpp"
#include "pvdrivers/runtime/address_space.hpp"
#include "pvdrivers/runtime/events.hpp"
#include "pvdrivers/runtime/window.hpp"

#include <bulkhead/memory.hpp>

#include <cstring>

extern "C" {
#include <xen/event_channel.h>
#include <xen/physdev.h>
}

namespace bulkhead {

namespace {

template <class Record>
Result<> device_operation(unsigned operation, Record& record)
{
    const long result = hypercall<__HYPERVISOR_arch_2>(operation, as_argument(&record));
    if (result != 0)
        return failure(static_cast<Errno>(-result));
    return {};
}

template <class Record>
Result<> physical_operation(unsigned operation, Record& record)
{
    const long result = hypercall<__HYPERVISOR_physdev_op>(operation, as_argument(&record));
    if (result != 0)
        return failure(static_cast<Errno>(-result));
    return {};
}

// An interrupt line is quiet until the handler has seen to its device.
struct Line {
    EventHandler handler;
    uint32_t pirq;
};
constexpr uint32_t most_lines = 8;
std::array<Line, most_lines> lines;

void line_interrupt(void* context, Port port)
{
    const Line& line = *static_cast<const Line*>(context);
    line.handler.function(line.handler.context, port);
    physdev_eoi_t eoi = {line.pirq};
    (void)physical_operation(PHYSDEVOP_eoi, eoi);
}

DeviceInfo translate(const bulkhead_device_info& from)
{
    DeviceInfo info = {
        .index = from.index,
        .present = (from.flags & BULKHEAD_DEVICE_PRESENT) != 0,
        .confined = (from.flags & BULKHEAD_DEVICE_CONFINED) != 0,
        .remapped = (from.flags & BULKHEAD_DEVICE_REMAPPED) != 0,
        .vendor = from.vendor,
        .device = from.device,
        .subsystem_vendor = from.subsystem_vendor,
        .subsystem = from.subsystem,
        .class_code = from.class_code,
        .address = from.address,
        .revision = from.revision,
        .msi_vectors = from.msi_vectors,
        .msix_vectors = from.msix_vectors,
        .line = from.line,
        .bars = {},
        .why = {},
    };
    for (size_t i = 0; i < info.bars.size(); ++i) {
        const bulkhead_device_bar& bar = from.bars[i];
        info.bars[i] = {bar.address, bar.size_bytes, bar.closed_offset, bar.closed_bytes};
    }
    static_assert(sizeof(info.why) == sizeof(from.why));
    memcpy(info.why.data(), from.why, sizeof(from.why));
    return info;
}

bool is_closed(const DeviceBar& bar, uint64_t offset)
{
    return offset >= bar.closed_offset && offset - bar.closed_offset < bar.closed_bytes;
}

}  // namespace

Result<Device> Device::open(uint32_t index)
{
    bulkhead_device_info info = {};
    info.index = index;
    if (auto done = device_operation(BULKHEADOP_device_info, info); !done)
        return failure(done.error());
    Device device;
    device.info_ = translate(info);
    return device;
}

Result<std::span<volatile std::byte>> Device::map_bar(unsigned number)
{
    if (!info_.present)
        return failure(XEN_ENODEV);
    if (number >= info_.bars.size() || info_.bars[number].address == 0)
        return failure(XEN_ENOENT);
    const DeviceBar& bar = info_.bars[number];
    const uint64_t first = bar.address >> layout::page_shift;
    const size_t pages = (bar.size_bytes + page_bytes - 1) / page_bytes;
    if (mapped_[number] == nullptr) {
        const uint64_t window = take_window(pages);
        if (window == 0)
            return failure(XEN_ENOMEM);
        for (size_t i = 0; i < pages; ++i) {
            if (is_closed(bar, i * page_bytes))
                continue;
            const long error = set_mapping(window + i * page_bytes, PageEntry::page(Mfn(first + i), Rights::write));
            if (error != 0)
                return failure(static_cast<Errno>(-error));
        }
        mapped_[number] = reinterpret_cast<std::byte*>(window + bar.address % page_bytes);
    }
    return std::span<volatile std::byte>(mapped_[number], bar.size_bytes);
}

Result<uint32_t> Device::config_read(uint16_t offset, ConfigWidth width) const
{
    bulkhead_device_config access = {info_.index, offset, static_cast<uint16_t>(width), 0};
    if (auto done = device_operation(BULKHEADOP_device_config_read, access); !done)
        return failure(done.error());
    return access.value;
}

Result<> Device::config_write(uint16_t offset, ConfigWidth width, uint32_t value)
{
    bulkhead_device_config access = {info_.index, offset, static_cast<uint16_t>(width), value};
    return device_operation(BULKHEADOP_device_config_write, access);
}

Result<> Device::enable_dma(bool on)
{
    bulkhead_device_dma request = {info_.index, on ? 1u : 0u};
    return device_operation(BULKHEADOP_device_dma, request);
}

unsigned Device::interrupts() const
{
    if (!info_.present)
        return 0;
    if (info_.msix_vectors != 0)
        return info_.msix_vectors;
    const bool one = info_.msi_vectors != 0 || (info_.line >= 0 && info_.index < most_lines);
    return one ? 1 : 0;
}

Result<Port> Device::bind_interrupt(unsigned vector, EventHandler handler)
{
    if (vector >= interrupts() || handler.function == nullptr)
        return failure(XEN_EINVAL);
    const bool is_msix = info_.msix_vectors != 0;
    const bool is_line = !is_msix && info_.msi_vectors == 0;
    physdev_map_pirq_t map = {};
    map.domid = DOMID_SELF;
    map.pirq = -1;
    map.type = is_line ? MAP_PIRQ_TYPE_GSI : MAP_PIRQ_TYPE_MSI;
    map.index = is_line ? info_.line : -1;
    map.bus = info_.address >> 8;
    map.devfn = info_.address & 0xff;
    map.entry_nr = static_cast<int>(vector);
    map.table_base = is_msix ? 1 : 0;
    if (auto done = physical_operation(PHYSDEVOP_map_pirq, map); !done)
        return failure(done.error());
    if (is_line) {
        Line& line = lines[info_.index];
        line = {handler, static_cast<uint32_t>(map.pirq)};
        handler = {line_interrupt, &line};
    }
    auto port = bind_pirq(static_cast<uint32_t>(map.pirq), is_line, handler);
    if (!port) {
        physdev_unmap_pirq_t unmap = {DOMID_SELF, map.pirq};
        (void)physical_operation(PHYSDEVOP_unmap_pirq, unmap);
    }
    return port;
}

}  // namespace bulkhead
