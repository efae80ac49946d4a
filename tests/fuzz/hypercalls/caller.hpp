// SPDX-License-Identifier: BSD-2-Clause
// What a guest's kernel puts into a hypercall's arguments: mostly sensible, at times anything.
#pragma once

#include "world.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>

namespace bulkhead::fuzz {

class Caller {
public:
    Caller(World& the_world, Vcpu& caller)
        : world(the_world), vcpu(caller), partition(*caller.partition), which(caller.partition->id.raw() - 1u),
          index_(which * 2 + caller.number.raw())
    {
    }

    World& world;
    Vcpu& vcpu;
    Partition& partition;
    size_t which;                        // of the partitions

    uint64_t choose(uint64_t below) { return world.input.choose(below); }
    bool once_in(uint64_t times) { return world.input.once_in(times); }
    template <class T, size_t count>
    T one_of(const T (&list)[count])
    {
        return list[choose(count)];
    }
    // Mostly below the limit.
    uint64_t number(uint64_t limit) { return once_in(24) ? any() : choose(limit); }
    uint64_t any()
    {
        static constexpr uint64_t odd[] = {0, 1, ~uint64_t{0}, 0x7FFF'FFFF'FFFF'FFFF, 0x8000'0000'0000'0000,
                                           layout::core_begin, layout::core_end - 8, 0x8000'0000'0000, 0xFFFF'FFFF,
                                           0x1'0000'0000, 0xFFFF'FFFF'FFFF'F000};
        return once_in(3) ? world.input.word() : one_of(odd);
    }
    uint64_t canonical() { return once_in(16) ? any() : 0xFFFF'FFFF'8100'0000 + choose(256) * 16; }
    domid_t domain()
    {
        static constexpr domid_t domains[] = {DOMID_SELF, DOMID_SELF, DOMID_SELF, 1, 2, 0, 9, DOMID_IO, DOMID_XEN};
        return one_of(domains);
    }
    domid_t own_domain() { return once_in(12) ? domain() : domid_t{DOMID_SELF}; }
    // The other partition, mostly.
    domid_t peer() { return once_in(4) ? domain() : static_cast<domid_t>(2 - which); }

    // --- Memory ------------------------------------------------------------------------------------
    Mfn own_frame() { return world.frame(which, choose(pool_frames)); }
    Mfn some_frame()
    {
        switch (choose(32)) {
        case 31:
            return world.frame(1 - which, choose(pool_frames));
        case 30:
            return world.frame(which, fake::given_each - 1 + choose(4));
        case 29:
            return Mfn(choose(machine::frame_limit + 16));
        case 28:
            return partition.shared_frame;
        case 27:
            return partition.grants.first_frame + choose(4);
        case 26:
            return Mfn(0xF0000 + choose(20));            // the device's registers
        case 25:
            return pte::frame(pte::address);
        default:
            return own_frame();
        }
    }
    // Most frames keep to a role, so that trees come about: 0 top level, 1 to 3 the levels below, 4
    // descriptors, others data.
    static uint64_t role_of(Mfn frame) { return frame.raw() % 8; }
    Mfn frame_of_role(uint64_t role)
    {
        if (once_in(16))
            return some_frame();
        const uint64_t first = choose(pool_frames);
        for (uint64_t at = 0; at < 8; ++at) {
            const Mfn frame = world.frame(which, (first + at) % pool_frames);
            if (role_of(frame) == role)
                return frame;
        }
        return own_frame();
    }
    // An entry for a page of this role.
    uint64_t entry_in(uint64_t role)
    {
        if (once_in(4))
            return any_entry();
        if (role >= 3) {
            const Mfn data = once_in(3) ? frame_of_role(choose(5)) : frame_of_role(5 + choose(3));
            return pte::make(data, role_of(data) <= 4 ? fake::ro : fake::rw);
        }
        return pte::make(frame_of_role(role + 1), fake::rw);
    }
    uint64_t any_entry()
    {
        uint64_t bits = choose(2) == 0 ? fake::rw : fake::ro;
        if (once_in(8))
            bits ^= uint64_t{1} << choose(12);
        if (once_in(16))
            bits |= uint64_t{1} << (52 + choose(12));
        return once_in(4) ? choose(2) * ~uint64_t{1} : pte::make(some_frame(), bits);
    }
    unsigned slot()
    {
        static constexpr unsigned special[] = {200, 255, 256, 264, 271, 272, 510, 511};
        return once_in(4) ? one_of(special) : static_cast<unsigned>(choose(10));
    }
    // Of what the small tree maps, mostly.
    uint64_t address()
    {
        if (once_in(8))
            return once_in(3) ? any() : fake::at(slot(), slot(), slot(), slot()) | choose(page_size);
        return fake::at(0, 0, 0, choose(40)) | (once_in(4) ? choose(page_size) : 8 * choose(16));
    }

    // --- Arguments ---------------------------------------------------------------------------------
    // Copies a record to the vCPU's memory and says where it lies: at times where it cannot be read, not
    // be written, or not to its end.
    template <class Record>
    uint64_t put(const Record& record)
    {
        return put_bytes(&record, sizeof(record), sizeof(record) / 2 & ~size_t{7});
    }
    // At times the last one lies beyond what can be read.
    template <class Record>
    uint64_t put_list(std::span<const Record> records)
    {
        return put_bytes(records.data(), records.size_bytes(), records.size() < 2 ? 0 : sizeof(Record));
    }
    // Memory of the vCPU's to be written or read by the core.
    uint64_t room(uint64_t bytes) { return place(bytes, bytes / 2); }

private:
    uint64_t put_bytes(const void* from, size_t bytes, size_t beyond)
    {
        const uint64_t at = place(bytes, beyond);
        std::array<uint8_t, buffer_bytes>& buffer = world.buffers[index_];
        for (const uint64_t base : {buffer_of(index_), read_only_buffer_of(index_)}) {
            if (at - base < buffer_bytes)
                std::memcpy(&buffer[at - base], from, std::min<size_t>(bytes, buffer_bytes - (at - base)));
        }
        return at;
    }
    uint64_t place(uint64_t bytes, uint64_t beyond)
    {
        const uint64_t taken = (bytes + 7) & ~uint64_t{7};
        if (taken > buffer_bytes)
            return buffer_of(index_);
        switch (choose(24)) {
        case 23:
            return any();
        case 22:
            return buffer_of(index_) + buffer_bytes - taken + beyond;
        case 21:
            return read_only_buffer_of(index_) + take(taken);
        default:
            return buffer_of(index_) + take(taken);
        }
    }
    uint64_t take(uint64_t bytes)
    {
        if (used_ + bytes > buffer_bytes)
            used_ = 0;
        return (used_ += bytes) - bytes;
    }

    size_t index_;                       // of the vCPU, among all
    uint64_t used_ = 0;
};

using MakeArguments = HypercallArguments (*)(Caller&);

// Arguments of the hypercall of that name.
HypercallArguments mmu_update(Caller&);
HypercallArguments mmuext_op(Caller&);
HypercallArguments update_va_mapping(Caller&);
HypercallArguments memory_op(Caller&);
HypercallArguments set_gdt(Caller&);
HypercallArguments update_descriptor(Caller&);
HypercallArguments vm_assist(Caller&);
HypercallArguments event_channel_op(Caller&);
HypercallArguments grant_table_op(Caller&);
HypercallArguments vcpu_op(Caller&);
HypercallArguments sched_op(Caller&);
HypercallArguments sched_op_compat(Caller&);
HypercallArguments set_timer_op(Caller&);
HypercallArguments set_trap_table(Caller&);
HypercallArguments callback_op(Caller&);
HypercallArguments set_callbacks(Caller&);
HypercallArguments stack_switch(Caller&);
HypercallArguments fpu_taskswitch(Caller&);
HypercallArguments set_segment_base(Caller&);
HypercallArguments set_debugreg(Caller&);
HypercallArguments get_debugreg(Caller&);
HypercallArguments physdev_op(Caller&);
HypercallArguments xen_version(Caller&);
HypercallArguments console_io(Caller&);
HypercallArguments bulkhead_op(Caller&);
HypercallArguments multicall(Caller&);
HypercallArguments anything(Caller&);

struct Call {
    uint64_t number;
    HypercallArguments arguments;
};
// Any hypercall but multicall.
Call choose_call(Caller&);

}  // namespace bulkhead::fuzz
