// SPDX-License-Identifier: BSD-2-Clause
// Event channels of one partition, in the 2-level or the FIFO form (core/event_fifo.hpp): what the rest
// of the core needs of them.
//
// Domain 0 is the core: a port whose peer is domain 0 may be a core port, whose events call a handler
// here instead of reaching a partition. Source: xen/include/public/event_channel.h.
#pragma once

#include "core/event_fifo.hpp"
#include "core/result.hpp"
#include "core/spinlock.hpp"
#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

extern "C" {
#include <xen/xen.h>
}

namespace bulkhead {

struct Partition;
struct Vcpu;

// The guest sent an event to the core. On the sender's CPU, no lock held.
using CorePortHandler = void (*)(Partition& partition, Port port);

inline constexpr uint32_t event_ports = 4096;        // EVTCHN_2L_NR_CHANNELS of the 64-bit ABI
inline constexpr uint32_t core_port_handlers = 4;    // different ones a partition
inline constexpr uint32_t poll_several = ~uint32_t{0};

struct EventTable {
    Spinlock lock{LockRank::events};
    // One EventChannel (core/event_table.hpp) each, loaded and stored whole. Written under the lock;
    // the owner's vCPUs read their own without it.
    std::atomic<uint64_t>* channels;
    uint32_t count;                                  // 0: a partition that was left out
    std::atomic<uint32_t> polling;                   // vCPUs in SCHEDOP_poll, bit n: vCPU n
    std::array<uint64_t, event_ports / 64> free;     // bit set: port is free; port 0 never is
    std::array<CorePortHandler, core_port_handlers> handlers;
    uint32_t handler_count;
    FifoEvents fifo;
};

// Makes the tables of all partitions, every port free. Start-up only.
void init_events(std::span<Partition> partitions);

// Delivers a virtual interrupt to a vCPU, if it is bound; a global one (VIRQ_DOM_EXC and others that
// are not per-vCPU) by way of vCPU 0. Any CPU; takes the events lock.
void send_virq(Vcpu& vcpu, unsigned virq);

// Opens a port of the partition whose other end is the core; 0: any port. XEN_EBUSY: it is in use;
// XEN_EINVAL: no such port; XEN_ENOSPC: no port, or too many different handlers.
Result<Port> bind_core_port(Partition& partition, Port wanted, CorePortHandler handler);
// Signals the guest on a core port; nothing if it is none (any more): the guest may have closed it.
void notify_core_port(Partition& partition, Port port);

// Before a life begins: opens a free port of the partition to a port of its peer, interdomain if the
// peer's waits for it there, which sets both ends pending; else unbound, so that the peer's own call of
// this connects them. Nothing if the port is in use. Any CPU, no lock held.
void open_static_port(Partition& partition, Port port, Partition& peer, Port peer_port);

// Ends what the partition's former life held: a slice of closing all its ports. Peers see theirs
// unbound. False: not finished, call again. No vCPU of the partition runs. Any CPU, no lock held.
[[nodiscard]] bool reset_events(Partition& partition);

// SCHEDOP_poll: from start to stop, an event on the port (poll_several: on any), masked or not, ends
// the vCPU's hold_polling. Own CPU. Order: start_polling(), hold(), look at the pending bits once
// more. What releases the vCPU has stopped it; stop_polling() is for a timeout or a change of mind.
void start_polling(Vcpu& vcpu, uint32_t port);
void stop_polling(Vcpu& vcpu);

// Moves a vCPU's vcpu_info: copies the contents, then marks everything pending, so that an event
// that is sent meanwhile is not lost. Takes the events lock: afterwards no other partition and no
// timer writes to the old place. A vCPU of the same partition that runs may do so for a moment,
// which is why a registered place is never given up while one does. Any CPU.
void move_vcpu_info(Vcpu& vcpu, vcpu_info_t* to);

enum class PortState : uint8_t { closed, unbound, interdomain, virq, ipi, core, bell, pirq };

// By the guest's own word or bit. No lock is needed.
[[nodiscard]] bool is_port_pending(const Partition& partition, uint32_t port);

// For the monitor; a consistent look at one port.
struct PortInfo {
    PortState state;
    uint16_t vcpu;           // notified
    DomainId peer_domain;    // unbound (allowed), interdomain; 0 for core
    uint32_t peer;           // interdomain: the peer's port; virq, pirq: its number; bell: domain 0's port
    bool pending;
    bool masked;
};
[[nodiscard]] PortInfo event_port_info(const Partition& partition, Port port);
[[nodiscard]] const char* port_state_name(PortState state);

}  // namespace bulkhead
