// SPDX-License-Identifier: BSD-2-Clause
// The inside of the event channel code: one port's word, free ports, and setting a port pending.
// Only core/event*.cpp include it.
//
// Locks: a port's word and the free bits are written under the table's lock. Interdomain ports name
// each other; both words change under both locks, lower domain id first. The owner's running vCPUs
// read a word without the lock: what they can miss is a change by another of their own vCPUs, and
// no vCPU of a partition runs while reset_events() does.
#pragma once

#include "core/hardware.hpp"
#include "core/cpu.hpp"
#include "core/events.hpp"
#include "core/partition.hpp"
#include "core/schedule.hpp"
#include "machine/interrupts.hpp"
#include "machine/nospec.hpp"
#include "machine/this_cpu.hpp"

#include <atomic>
#include <bit>
#include <cstdint>

namespace bulkhead {

struct EventChannel {
    PortState state;
    uint8_t vcpu;            // notified; for an IPI and a per-vCPU virtual interrupt it never changes
    uint16_t domain;         // unbound: who may bind; interdomain: the peer
    uint32_t peer;           // interdomain, bell: the peer's port; virq, pirq: its number; core: index of handlers
};
static_assert(sizeof(EventChannel) == sizeof(uint64_t));

inline EventChannel load_channel(const EventTable& table, uint32_t port)
{
    // Acquire: a core port's handler is there when the port is.
    return std::bit_cast<EventChannel>(table.channels[port].load(std::memory_order_acquire));
}

inline void store_channel(EventTable& table, uint32_t port, EventChannel channel)
{
    table.channels[port].store(std::bit_cast<uint64_t>(channel), std::memory_order_release);
}

// A port that a guest names, checked once; XEN_EINVAL.
inline Result<uint32_t> check_port(const EventTable& table, uint32_t port)
{
    if (port >= table.count) [[unlikely]]
        return fail(XEN_EINVAL);
    return static_cast<uint32_t>(machine::nospec_index(port, table.count));
}

// The lock of each table once, lower domain id first; the two may be the same.
class [[nodiscard]] EventPairGuard {
public:
    EventPairGuard(Partition& one, Partition& other)
        : first_(one.id <= other.id ? one.events.lock : other.events.lock),
          second_(&one == &other ? nullptr : one.id <= other.id ? &other.events.lock : &one.events.lock)
    {
        first_.lock();
        if (second_ != nullptr)
            second_->lock();
    }
    ~EventPairGuard()
    {
        if (second_ != nullptr)
            second_->unlock();
        first_.unlock();
    }
    EventPairGuard(const EventPairGuard&) = delete;
    EventPairGuard& operator=(const EventPairGuard&) = delete;

private:
    Spinlock& first_;
    Spinlock* second_;
};

// --- Delivery ---------------------------------------------------------------------------------------

// Releases whoever polls for the port.
void wake_pollers(Partition& partition, uint32_t port);
// The vCPU is blocked or polls: an event ends both.
void wake_vcpu(Vcpu& target);
// Interrupts the vCPU's CPU, another one, if the vCPU is on it.
void poke_vcpu(const Vcpu& target);

[[gnu::always_inline]] inline void notify_vcpu(Vcpu& target)
{
    // The exchange is a full barrier: the flag is visible before `hold` and the other CPU's choice are
    // read. Who sets a hold, or chooses a vCPU, does it before looking at the flag.
    vcpu_info_t& info = *std::atomic_ref(target.info).load(std::memory_order_acquire);
    if (std::atomic_ref(info.evtchn_upcall_pending).exchange(1, std::memory_order_seq_cst) != 0)
        return;
    if (target.hardware != nullptr) [[unlikely]]
        hardware_operations.event_raised(target);
    if ((target.hold.load(std::memory_order_relaxed) & (hold_blocked | hold_polling)) != 0)
        wake_vcpu(target);
    else if (target.cpu != this_cpu().number)
        poke_vcpu(target);
}

// Sets the port's bits in the order of the ABI and tells the vCPU. Under the table's lock, or by a
// running vCPU of the partition for one of its own ports.
[[gnu::always_inline]] inline void raise_two_level(Partition& partition, uint32_t port, Vcpu& target)
{
    shared_info_t& shared = *partition.shared;
    const uint32_t word = port / 64;
    const uint64_t bit = uint64_t{1} << (port % 64);
    const uint64_t word_bit = uint64_t{1} << word;
    if ((std::atomic_ref(shared.evtchn_pending[word]).fetch_or(bit, std::memory_order_seq_cst) & bit) != 0)
        return;
    const bool masked = (std::atomic_ref(shared.evtchn_mask[word]).load(std::memory_order_relaxed) & bit) != 0;
    if (!masked) {
        vcpu_info_t& info = *std::atomic_ref(target.info).load(std::memory_order_acquire);
        if ((std::atomic_ref(info.evtchn_pending_sel).fetch_or(word_bit, std::memory_order_seq_cst) & word_bit) == 0)
            notify_vcpu(target);
    }
    // Pairs with start_polling(): the bit above is set before this is read.
    if (partition.events.polling.load(std::memory_order_relaxed) != 0) [[unlikely]]
        wake_pollers(partition, port);
}

// In the form that the guest uses. Under the table's lock.
[[gnu::always_inline]] inline void raise_event(Partition& partition, uint32_t port, Vcpu& target)
{
    if (partition.events.fifo.in_use.load(std::memory_order_relaxed)) [[unlikely]]
        return raise_fifo(partition, port, target);
    raise_two_level(partition, port, target);
}

// --- Operations; each takes the locks that it needs ------------------------------------------------

// The lowest free port; XEN_ENOSPC. Lock held.
Result<uint32_t> find_free_port(const Partition& partition);
// Makes a free port one of the given kind. Lock held.
void open_port(Partition& partition, uint32_t port, EventChannel channel);

enum class CloseResult : uint8_t {
    closed,
    not_open,
    again,       // its peer changed on the way
};
CloseResult close_port(Partition& partition, uint32_t port);
// A slice of closing all open ports. True: none is left.
[[nodiscard]] bool close_some_ports(Partition& partition);

}  // namespace bulkhead
