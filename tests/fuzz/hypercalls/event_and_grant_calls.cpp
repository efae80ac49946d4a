// SPDX-License-Identifier: BSD-2-Clause
// Arguments of the hypercalls on event channels and grants.
#include "caller.hpp"

#include "core/event_table.hpp"

#include <optional>

extern "C" {
#include <xen/event_channel.h>
#include <xen/grant_table.h>
}

namespace bulkhead::fuzz {

namespace {

constexpr size_t most_records = 20;

// Mostly one that is open.
evtchn_port_t port_of(Caller& caller, const Partition& partition, std::optional<PortState> state = std::nullopt)
{
    const auto first = static_cast<evtchn_port_t>(caller.number(12));
    for (evtchn_port_t i = 0; first < 12 && i < 12; ++i) {
        const evtchn_port_t port = (first + i) % 12;
        const PortState found = load_channel(partition.events, port).state;
        if (state.has_value() ? found == *state : found != PortState::closed)
            return port;
    }
    return first;
}
evtchn_port_t port(Caller& caller) { return port_of(caller, caller.partition); }
uint32_t vcpu_number(Caller& caller) { return static_cast<uint32_t>(caller.number(3)); }

uint64_t event_record(Caller& caller, uint64_t operation)
{
    switch (operation) {
    case EVTCHNOP_alloc_unbound:
        return caller.put(evtchn_alloc_unbound{caller.own_domain(), caller.peer(), 0});
    case EVTCHNOP_bind_interdomain:
        if (caller.once_in(4))
            return caller.put(evtchn_bind_interdomain{0, static_cast<evtchn_port_t>(caller.number(4)), 0});
        return caller.put(evtchn_bind_interdomain{
            caller.peer(), port_of(caller, caller.world.partition(1 - caller.which), PortState::unbound), 0});
    case EVTCHNOP_bind_virq:
        return caller.put(evtchn_bind_virq{static_cast<uint32_t>(caller.number(26)), vcpu_number(caller), 0});
    case EVTCHNOP_bind_pirq:
        return caller.put(evtchn_bind_pirq{static_cast<uint32_t>(caller.number(6)), 0, 0});
    case EVTCHNOP_bind_ipi:
        return caller.put(evtchn_bind_ipi{vcpu_number(caller), 0});
    case EVTCHNOP_bind_vcpu:
        return caller.put(evtchn_bind_vcpu{port(caller), vcpu_number(caller)});
    case EVTCHNOP_status: {
        evtchn_status record{};
        record.dom = caller.own_domain();
        record.port = port(caller);
        return caller.put(record);
    }
    case EVTCHNOP_reset:
        return caller.put(evtchn_reset{caller.own_domain()});
    case EVTCHNOP_init_control:
        return caller.put(evtchn_init_control{caller.some_frame().raw(), static_cast<uint32_t>(caller.number(20) * 256),
                                              vcpu_number(caller), 0, {}});
    case EVTCHNOP_expand_array:
        return caller.put(evtchn_expand_array{caller.some_frame().raw()});
    case EVTCHNOP_set_priority:
        return caller.put(evtchn_set_priority{port(caller), static_cast<uint32_t>(caller.number(18))});
    default:
        return caller.put(evtchn_close{port(caller)});
    }
}

uint32_t reference(Caller& caller) { return static_cast<uint32_t>(caller.choose(2) == 0 ? caller.choose(6) : caller.number(12)); }
// Mostly one that is in use.
uint32_t handle(Caller& caller)
{
    const auto first = static_cast<uint32_t>(caller.number(8));
    for (uint32_t i = 0; first < 8 && i < 8; ++i) {
        if (caller.partition.grants.mappings[(first + i) % 8].state == MappingState::mapped)
            return (first + i) % 8;
    }
    return first;
}

// Where a handle's frame is mapped: the entry's address in the first L1, and the page's. 0: it is not there.
struct MappedAt {
    uint64_t entry;
    uint64_t page;
};
MappedAt find_mapping(Caller& caller, uint32_t handle)
{
    if (handle >= 8)
        return {};
    const Mfn wanted = caller.partition.grants.mappings[handle].frame;
    const Mfn l1 = caller.world.frame(caller.which, 3);
    for (unsigned i = 0; i < 40; ++i) {
        const uint64_t value = fake::words(l1)[i];
        if ((value & (pte::present | pte::granted)) == (pte::present | pte::granted) && pte::frame(value) == wanted)
            return {fake::entry_address(l1, i), fake::at(0, 0, 0, i)};
    }
    return {};
}

gnttab_map_grant_ref_t map_record(Caller& caller)
{
    gnttab_map_grant_ref_t record{};
    record.flags = caller.once_in(8) ? static_cast<uint32_t>(caller.any())
                                     : static_cast<uint32_t>(GNTMAP_host_map | (caller.choose(2) * GNTMAP_readonly));
    if (caller.once_in(4)) {
        record.flags |= GNTMAP_contains_pte;
        const Mfn table = caller.choose(2) == 0 ? caller.world.frame(caller.which, 3) : caller.frame_of_role(3);
        record.host_addr = fake::entry_address(table, caller.slot());
    } else {
        record.host_addr = caller.address();
    }
    record.ref = reference(caller);
    // Shared memory is domain 0's, from reference 8 on.
    if (caller.once_in(6)) {
        record.dom = 0;
        record.ref = 8 + static_cast<uint32_t>(caller.choose(4));
    } else {
        record.dom = caller.peer();
    }
    return record;
}

// What one of the handles mapped, where the guest still knows it: by address, mostly.
gnttab_unmap_grant_ref_t unmap_record(Caller& caller)
{
    gnttab_unmap_grant_ref_t record{};
    record.handle = handle(caller);
    const MappedAt at = find_mapping(caller, record.handle);
    record.host_addr = caller.once_in(12)  ? 0
                       : caller.once_in(6) ? fake::entry_address(caller.frame_of_role(3), caller.slot())
                       : caller.once_in(6) ? caller.address()
                       : caller.choose(2)  ? at.entry
                                           : at.page;
    record.dev_bus_addr = caller.once_in(12) ? address_of(caller.some_frame()).raw() : 0;
    return record;
}

gnttab_copy_t copy_record(Caller& caller)
{
    gnttab_copy_t record{};
    record.flags = static_cast<uint16_t>(caller.choose(4));
    for (auto* side : {&record.source, &record.dest}) {
        const bool by_reference = (record.flags & (side == &record.source ? GNTCOPY_source_gref : GNTCOPY_dest_gref)) != 0;
        side->domid = by_reference ? caller.peer() : caller.own_domain();
        if (by_reference)
            side->u.ref = reference(caller);
        else
            side->u.gmfn = caller.some_frame().raw();
        side->offset = static_cast<uint16_t>(caller.once_in(12) ? caller.choose(5000) : caller.choose(64));
    }
    record.len = static_cast<uint16_t>(caller.once_in(8) ? caller.choose(5000) : caller.choose(64));
    return record;
}

// A list in which records repeat: what the former one looked up may serve the next.
template <class Record>
HypercallArguments record_list(Caller& caller, uint64_t operation, Record (*make)(Caller&))
{
    Record list[most_records];
    const uint64_t count = caller.choose(3) != 0 ? 1 + caller.choose(2) : 1 + caller.choose(most_records);
    for (size_t i = 0; i < count; ++i)
        list[i] = i != 0 && caller.choose(2) == 0 ? list[i - 1] : make(caller);
    // A long list is the same one often, and takes more than one share of work.
    if (!caller.once_in(16))
        return {{operation, caller.put_list(std::span<const Record>(list, count)),
                 caller.once_in(32) ? caller.any() : count}};
    std::vector<Record> often(200, list[0]);
    return {{operation, caller.put_list(std::span<const Record>(often)), often.size()}};
}

gnttab_unmap_and_replace_t replace_record(Caller& caller)
{
    gnttab_unmap_and_replace_t record{};
    record.handle = handle(caller);
    record.host_addr = caller.once_in(12) ? 0 : caller.once_in(4) ? caller.address() : find_mapping(caller, record.handle).page;
    record.new_addr = caller.choose(3) == 0 ? 0 : caller.address();
    return record;
}

gnttab_swap_grant_ref_t swap_record(Caller& caller) { return {reference(caller), reference(caller), 0}; }

template <class Record>
HypercallArguments one_record(Caller& caller, uint64_t operation, const Record& record)
{
    return {{operation, caller.put(record), caller.once_in(16) ? caller.number(3) : 1}};
}

}  // namespace

HypercallArguments event_channel_op(Caller& caller)
{
    const uint64_t operation = caller.choose(15);
    return {{operation, event_record(caller, operation)}};
}

HypercallArguments grant_table_op(Caller& caller)
{
    const uint64_t operation = caller.choose(14);
    switch (operation) {
    case GNTTABOP_map_grant_ref:
        return record_list(caller, operation, map_record);
    case GNTTABOP_unmap_grant_ref:
        return record_list(caller, operation, unmap_record);
    case GNTTABOP_unmap_and_replace:
        return record_list(caller, operation, replace_record);
    case GNTTABOP_copy:
        return record_list(caller, operation, copy_record);
    case GNTTABOP_swap_grant_ref:
        return record_list(caller, operation, swap_record);
    case GNTTABOP_setup_table: {
        gnttab_setup_table_t record{};
        record.dom = caller.own_domain();
        record.nr_frames = static_cast<uint32_t>(caller.number(4));
        record.frame_list.p = reinterpret_cast<xen_pfn_t*>(caller.room(4 * sizeof(xen_pfn_t)));
        return one_record(caller, operation, record);
    }
    case GNTTABOP_get_status_frames: {
        gnttab_get_status_frames_t record{};
        record.dom = caller.own_domain();
        record.nr_frames = static_cast<uint32_t>(caller.number(3));
        record.frame_list.p = reinterpret_cast<uint64_t*>(caller.room(4 * sizeof(uint64_t)));
        return one_record(caller, operation, record);
    }
    case GNTTABOP_set_version:
        return one_record(caller, operation, gnttab_set_version_t{static_cast<uint32_t>(caller.number(4))});
    case GNTTABOP_get_version:
        return one_record(caller, operation, gnttab_get_version_t{caller.own_domain(), 0, 0});
    default:
        return one_record(caller, operation, gnttab_query_size_t{caller.own_domain(), 0, 0, 0});
    }
}

}  // namespace bulkhead::fuzz
