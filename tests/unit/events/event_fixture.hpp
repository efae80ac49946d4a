// SPDX-License-Identifier: BSD-2-Clause
// Three partitions of three vCPUs with event tables, and the hypercall as a guest makes it.
#pragma once

#include "core/events.hpp"
#include "core/hypercall.hpp"

#include "fake_core.hpp"
#include "fake_world.hpp"

#include <map>

namespace bulkhead {

namespace fake {
inline std::map<uint64_t, int> writable_frames;      // references that the event code holds
inline bool frames_refused;
}  // namespace fake

inline Result<> get_writable_frame(Mfn frame, DomainId)
{
    if (fake::frames_refused)
        return fail(XEN_EBUSY);
    ++fake::writable_frames[frame.raw()];
    return {};
}
inline void put_writable_frame(Mfn frame)
{
    if (--fake::writable_frames[frame.raw()] == 0)
        fake::writable_frames.erase(frame.raw());
}

}  // namespace bulkhead

#include "core/event_bind.cpp"
#include "core/event_channel_op.cpp"
#include "core/event_close.cpp"
#include "core/event_fifo.cpp"
#include "core/events.cpp"
#include "core/shared_memory.cpp"
#include "event_invariants.hpp"

#include <CppUTest/TestHarness.h>

#include <memory>
#include <vector>

namespace bulkhead {

// The frames of shared memory are not this test's.
inline void init_core_frame(Mfn) {}

struct EventFixture : Utest {
    static constexpr uint64_t record_at = 0x30000;
    std::unique_ptr<fake::World> world;
    std::array<uint8_t, 64> record;

    void setup() override
    {
        fake::reset_core();
        fake::writable_frames.clear();
        fake::frames_refused = false;
        world = std::make_unique<fake::World>(3, uint16_t{3});
        init_events(world->partitions);
        fake::map_guest(record_at, record);
        be(0);
    }
    void teardown() override { world.reset(); }

    Partition& partition(size_t index) { return (*world)[index]; }
    // The rest of the test goes on as this vCPU, on its CPU.
    Vcpu& be(size_t index, size_t vcpu = 0) { return world->run(world->vcpu(index, vcpu)); }

    template <class Record>
    long call(uint64_t operation, Record& argument)
    {
        std::memcpy(record.data(), &argument, sizeof(argument));
        HypercallArguments arguments{{operation, record_at}};
        const long result = do_event_channel_op(*this_cpu().current, arguments);
        std::memcpy(&argument, record.data(), sizeof(argument));
        return result;
    }

    // --- Operations that are expected to work, by the partition and vCPU that the test is --------------
    uint32_t unbound_for(domid_t remote)
    {
        evtchn_alloc_unbound request{DOMID_SELF, remote, 0};
        LONGS_EQUAL(0, call(EVTCHNOP_alloc_unbound, request));
        return request.port;
    }
    uint32_t bind_to(domid_t remote, uint32_t port)
    {
        evtchn_bind_interdomain request{remote, port, 0};
        LONGS_EQUAL(0, call(EVTCHNOP_bind_interdomain, request));
        return request.local_port;
    }
    uint32_t virq(uint32_t number, uint32_t vcpu)
    {
        evtchn_bind_virq request{number, vcpu, 0};
        LONGS_EQUAL(0, call(EVTCHNOP_bind_virq, request));
        return request.port;
    }
    uint32_t ipi(uint32_t vcpu)
    {
        evtchn_bind_ipi request{vcpu, 0};
        LONGS_EQUAL(0, call(EVTCHNOP_bind_ipi, request));
        return request.port;
    }
    long send(uint32_t port)
    {
        evtchn_send request{port};
        return call(EVTCHNOP_send, request);
    }
    long close(uint32_t port)
    {
        evtchn_close request{port};
        return call(EVTCHNOP_close, request);
    }
    long notify(uint32_t port, uint32_t vcpu)
    {
        evtchn_bind_vcpu request{port, vcpu};
        return call(EVTCHNOP_bind_vcpu, request);
    }
    long unmask(uint32_t port)
    {
        evtchn_unmask request{port};
        return call(EVTCHNOP_unmask, request);
    }
    evtchn_status status(uint32_t port)
    {
        evtchn_status request{};
        request.dom = DOMID_SELF;
        request.port = port;
        LONGS_EQUAL(0, call(EVTCHNOP_status, request));
        return request;
    }

    // --- What the guest sees ------------------------------------------------------------------------------
    bool is_pending(size_t index, uint32_t port)
    {
        return (partition(index).shared->evtchn_pending[port / 64] >> (port % 64) & 1) != 0;
    }
    void mask(size_t index, uint32_t port)
    {
        partition(index).shared->evtchn_mask[port / 64] |= uint64_t{1} << (port % 64);
    }
    bool is_masked(size_t index, uint32_t port)
    {
        return (partition(index).shared->evtchn_mask[port / 64] >> (port % 64) & 1) != 0;
    }
    vcpu_info_t& info(size_t index, size_t vcpu = 0) { return *world->vcpu(index, vcpu).info; }
    bool is_told(size_t index, size_t vcpu, uint32_t port)
    {
        return info(index, vcpu).evtchn_upcall_pending == 1 &&
               (info(index, vcpu).evtchn_pending_sel >> (port / 64) & 1) != 0;
    }
    void clear_events(size_t index)
    {
        shared_info_t& shared = *partition(index).shared;
        std::memset(shared.evtchn_pending, 0, sizeof(shared.evtchn_pending));
        for (Vcpu& vcpu : world->vcpus[index]) {
            vcpu.info->evtchn_upcall_pending = 0;
            vcpu.info->evtchn_pending_sel = 0;
        }
    }
    size_t open_ports_of(size_t index)
    {
        size_t count = 0;
        for (uint32_t port = 0; port < event_ports; ++port)
            count += event_port_info(partition(index), Port(port)).state != PortState::closed;
        return count;
    }
    void check_invariants() { POINTERS_EQUAL(nullptr, broken_event_invariant(world->partitions)); }
};

}  // namespace bulkhead
