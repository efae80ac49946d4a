// SPDX-License-Identifier: BSD-2-Clause
// A walk over page tables that may be changed or be nonsense: only frames' ownership is relied on.
#include "core/monitor/guest_memory.hpp"

#include "core/frames.hpp"
#include "core/hardware.hpp"
#include "core/partition.hpp"
#include "core/pv/page_table.hpp"
#include "machine/memory.hpp"
#include "platform/x86/layout.hpp"

#include <cstring>

namespace bulkhead {

namespace {

bool owns(const Partition& partition, Mfn frame)
{
    return frame_owner(frame) == partition.id;
}

GuestBytes page_bytes(Mfn frame, GuestVirtual address, bool executable)
{
    const size_t offset = address.raw() & page_mask;
    return {machine::frame_pointer<uint8_t>(frame) + offset, page_size - offset, nullptr, executable};
}

GuestBytes nothing(const char* problem) { return {nullptr, 0, problem, false}; }

GuestBytes walk(const Vcpu& vcpu, GuestVirtual address)
{
    const Partition& partition = *vcpu.partition;
    Mfn frame = vcpu.pv.kernel_table;
    if (frame == Mfn(0) || !owns(partition, frame))
        return nothing("no page tables");
    bool executable = true;
    for (unsigned level = 4; level >= 1; --level) {
        const unsigned index = address.raw() >> (page_shift + 9 * (level - 1)) & (entries_per_table - 1);
        const uint64_t* table = machine::frame_pointer<uint64_t>(frame);
        const uint64_t entry = __atomic_load_n(&table[index], __ATOMIC_RELAXED);
        if ((entry & pte::present) == 0)
            return nothing("not mapped");
        executable = executable && (entry & pte::no_execute) == 0;
        frame = pte::frame(entry);
        if (!owns(partition, frame))
            return nothing("not its own memory");
    }
    return page_bytes(frame, address, executable);
}

}  // namespace

GuestBytes find_guest_bytes(const Vcpu& vcpu, const GuestPaging& paging, GuestVirtual address)
{
    if (!layout::is_canonical(address.raw()))
        return nothing("not an address");
    if (vcpu.hardware == nullptr)
        return walk(vcpu, address);
    const GuestPlace place = hardware_operations.look(*vcpu.partition, paging, address.raw());
    return place.problem != nullptr ? nothing(place.problem) : page_bytes(place.frame, address, place.executable);
}

bool read_guest_word(const Vcpu& vcpu, const GuestPaging& paging, GuestVirtual address, uint64_t& value)
{
    const GuestBytes found = find_guest_bytes(vcpu, paging, address);
    if (found.bytes == nullptr || found.length < sizeof(value))
        return false;
    memcpy(&value, found.bytes, sizeof(value));
    return true;
}

}  // namespace bulkhead
