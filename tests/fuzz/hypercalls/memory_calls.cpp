// SPDX-License-Identifier: BSD-2-Clause
// Arguments of the hypercalls on memory, page tables and descriptors.
#include "caller.hpp"

extern "C" {
#include <xen/memory.h>
#include <xen/xen.h>
}

namespace bulkhead::fuzz {

namespace {

uint64_t foreign_domain(Caller& caller) { return caller.once_in(12) ? caller.domain() : uint64_t{DOMID_SELF}; }

// Where the count of what was done goes; 0: nowhere.
uint64_t done_at(Caller& caller) { return caller.choose(3) != 0 ? 0 : caller.room(sizeof(uint64_t)); }

template <class T>
T* pointer(uint64_t address)
{
    return reinterpret_cast<T*>(address);
}

xen_memory_reservation_t reservation(Caller& caller)
{
    xen_memory_reservation_t request{};
    xen_pfn_t list[16];
    request.nr_extents = caller.once_in(24) ? static_cast<xen_ulong_t>(caller.any()) : 1 + caller.choose(16);
    request.extent_order = static_cast<unsigned>(caller.choose(4) != 0 ? 0 : caller.choose(11));
    request.domid = caller.own_domain();
    request.mem_flags = caller.once_in(8) ? XENMEMF_address_bits(caller.choose(64)) : 0;
    const uint64_t first = caller.choose(pool_frames);
    for (size_t i = 0; i < std::size(list); ++i)
        list[i] = caller.once_in(4) ? caller.some_frame().raw() : caller.world.frame(caller.which, first + i).raw();
    request.extent_start.p = pointer<xen_pfn_t>(caller.once_in(12) ? 0 : caller.put_list(std::span<const xen_pfn_t>(list)));
    return request;
}

uint64_t exchange(Caller& caller)
{
    xen_memory_exchange_t request{};
    request.in = reservation(caller);
    request.out = reservation(caller);
    if (!caller.once_in(6)) {
        // As many frames out as in, those in a row from an aligned one on.
        const auto order = static_cast<unsigned>(caller.choose(4));
        const bool splits = caller.choose(2) != 0;
        const uint64_t chunks = 1 + caller.choose(3);
        request.in.extent_order = splits ? order : 0;
        request.out.extent_order = splits ? 0 : order;
        request.in.nr_extents = splits ? chunks : chunks << order;
        request.out.nr_extents = splits ? chunks << order : chunks;
        xen_pfn_t list[24];
        uint64_t first = caller.world.frame(caller.which, caller.choose(pool_frames)).raw() & ~((uint64_t{1} << order) - 1);
        first += caller.once_in(8) ? 1 : 0;
        for (size_t i = 0; i < std::size(list); ++i)
            list[i] = first + (i << request.in.extent_order);
        if (caller.once_in(8))
            list[caller.choose(24)] = caller.some_frame().raw();
        request.in.extent_start.p = pointer<xen_pfn_t>(caller.put_list(std::span<const xen_pfn_t>(list)));
    }
    request.nr_exchanged = caller.once_in(16) ? static_cast<xen_ulong_t>(caller.number(8)) : 0;
    return caller.put(request);
}

uint64_t memory_map(Caller& caller)
{
    xen_memory_map_t map{};
    map.nr_entries = static_cast<unsigned>(caller.choose(4));
    map.buffer.p = pointer<void>(caller.room(20));
    return caller.put(map);
}

mmuext_op_t mmuext_record(Caller& caller)
{
    mmuext_op_t operation{};
    operation.cmd = static_cast<unsigned>(caller.number(22));
    switch (operation.cmd) {
    case MMUEXT_PIN_L1_TABLE:
    case MMUEXT_PIN_L2_TABLE:
    case MMUEXT_PIN_L3_TABLE:
    case MMUEXT_PIN_L4_TABLE:
        operation.arg1.mfn = caller.frame_of_role(3 - (operation.cmd - MMUEXT_PIN_L1_TABLE)).raw();
        break;
    case MMUEXT_NEW_BASEPTR:
    case MMUEXT_NEW_USER_BASEPTR:
        operation.arg1.mfn = caller.once_in(6) ? 0 : caller.frame_of_role(0).raw();
        break;
    case MMUEXT_SET_LDT:
        operation.arg1.linear_addr = caller.address() & (caller.once_in(8) ? ~uint64_t{0} : ~page_mask);
        operation.arg2.nr_ents = static_cast<unsigned>(caller.number(1200));
        break;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
        operation.arg1.linear_addr = caller.address();
        operation.arg2.vcpumask.p = pointer<const void>(caller.put(caller.choose(8)));
        break;
    case MMUEXT_INVLPG_LOCAL:
    case MMUEXT_INVLPG_ALL:
        operation.arg1.linear_addr = caller.address();
        break;
    default:
        operation.arg1.mfn = caller.some_frame().raw();
        operation.arg2.src_mfn = caller.some_frame().raw();
    }
    return operation;
}

// Frames of the role of descriptor pages, mostly.
uint64_t descriptor_value(Caller& caller)
{
    const uint64_t type = caller.choose(32) << 40;
    return (caller.choose(4) != 0 ? uint64_t{1} << 47 : 0) | type | caller.choose(4) << 45 | caller.choose(256) << 16;
}

}  // namespace

HypercallArguments mmu_update(Caller& caller)
{
    mmu_update_t updates[6];
    const uint64_t count = caller.once_in(16) ? 150 : 1 + caller.choose(std::size(updates));
    const uint64_t first = caller.choose(10);
    for (size_t i = 0; i < std::size(updates); ++i) {
        const uint64_t role = caller.once_in(8) ? caller.choose(8) : 3 - caller.choose(4) * caller.choose(2);
        const uint64_t command = caller.once_in(12) ? caller.choose(8) : caller.choose(2) * 2;
        const uint64_t index = caller.once_in(4) ? caller.slot() : first + i;
        const uint64_t value = caller.choose(3) == 0 ? 0 : caller.entry_in(role);
        updates[i] = {fake::entry_address(caller.frame_of_role(role), index, command), value};
    }
    // A long list repeats itself, which takes more than one share of work.
    std::vector<mmu_update_t> list(count);
    for (size_t i = 0; i < count; ++i)
        list[i] = updates[i % std::size(updates)];
    const uint64_t tables = caller.once_in(16) ? (caller.choose(5)) << 16 : 0;
    return {{caller.put_list(std::span<const mmu_update_t>(list)), caller.once_in(32) ? caller.any() : count,
             done_at(caller), foreign_domain(caller) | tables}};
}

HypercallArguments mmuext_op(Caller& caller)
{
    mmuext_op_t list[4];
    const uint64_t count = 1 + caller.choose(std::size(list));
    for (size_t i = 0; i < count; ++i)
        list[i] = mmuext_record(caller);
    return {{caller.put_list(std::span<const mmuext_op_t>(list, count)), caller.once_in(32) ? caller.any() : count,
             done_at(caller), foreign_domain(caller)}};
}

HypercallArguments update_va_mapping(Caller& caller)
{
    const uint64_t value = caller.choose(3) == 0 ? 0 : caller.entry_in(3);
    uint64_t flags = caller.choose(4);
    if (flags != 0 && caller.choose(2) != 0)
        flags |= caller.choose(2) != 0 ? uint64_t{UVMF_ALL} : caller.put(caller.choose(8));
    return {{caller.address(), value, flags, foreign_domain(caller)}};
}

HypercallArguments memory_op(Caller& caller)
{
    static constexpr uint64_t operations[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
                                              XENMEM_populate_physmap, XENMEM_exchange};
    const uint64_t operation = caller.choose(2) == 0 ? caller.one_of(operations) : caller.choose(30);
    const uint64_t start = caller.once_in(16) ? caller.number(8) << 6 : 0;
    switch (operation) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        return {{operation | start, caller.put(reservation(caller))}};
    case XENMEM_exchange:
        return {{operation | start, exchange(caller)}};
    case XENMEM_memory_map:
        return {{operation, memory_map(caller)}};
    case XENMEM_machphys_mapping:
        return {{operation, caller.room(sizeof(xen_machphys_mapping_t))}};
    default:
        return {{operation, caller.put(caller.own_domain())}};
    }
}

HypercallArguments set_gdt(Caller& caller)
{
    uint64_t frames[16];
    const bool whole = caller.once_in(6);
    for (uint64_t& frame : frames)
        frame = (caller.once_in(8) ? caller.some_frame() : caller.frame_of_role(4)).raw();
    const uint64_t entries = whole ? caller.number(15 * 512) : caller.choose(3 * 512);
    return {{caller.put_list(std::span<const uint64_t>(frames)), entries}};
}

HypercallArguments update_descriptor(Caller& caller)
{
    const Mfn frame = caller.once_in(4) ? caller.some_frame() : caller.frame_of_role(4);
    const uint64_t address = fake::entry_address(frame, caller.slot()) + (caller.once_in(16) ? caller.choose(8) : 0);
    return {{address, descriptor_value(caller)}};
}

HypercallArguments vm_assist(Caller& caller)
{
    static constexpr uint64_t types[] = {VMASST_TYPE_4gb_segments,      VMASST_TYPE_writable_pagetables,
                                         VMASST_TYPE_architectural_iopl, VMASST_TYPE_runstate_update_flag,
                                         VMASST_TYPE_m2p_strict};
    return {{caller.once_in(8) ? caller.number(4) : caller.choose(2), caller.once_in(4) ? caller.number(70) : caller.one_of(types)}};
}

}  // namespace bulkhead::fuzz
