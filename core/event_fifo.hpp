// SPDX-License-Identifier: BSD-2-Clause
// The FIFO form of event channels: a word a port in pages of the guest, and for each vCPU 16 queues,
// one a priority, whose heads are in the guest's control block and whose tails the core keeps. The
// guest may write anything at any time to words and blocks: it can lose its own events, no more.
// Everything here is changed under the events lock. Source: xen/include/public/event_channel.h,
// "FIFO ABI".
#pragma once

#include "core/result.hpp"
#include "core/types.hpp"

#include <array>
#include <atomic>
#include <cstdint>

extern "C" {
#include <xen/xen.h>
#include <xen/event_channel.h>
}

namespace bulkhead {

struct Partition;
struct Vcpu;

inline constexpr uint32_t fifo_words_per_page = page_size / sizeof(event_word_t);
inline constexpr uint32_t fifo_pages = 4;        // as many as hold the words of all ports

using EventWord = std::atomic<event_word_t>;
static_assert(sizeof(EventWord) == sizeof(event_word_t));

namespace fifo {
inline constexpr event_word_t pending = event_word_t{1} << EVTCHN_FIFO_PENDING;
inline constexpr event_word_t masked = event_word_t{1} << EVTCHN_FIFO_MASKED;
inline constexpr event_word_t linked = event_word_t{1} << EVTCHN_FIFO_LINKED;
inline constexpr event_word_t busy = event_word_t{1} << EVTCHN_FIFO_BUSY;
inline constexpr event_word_t link_mask = EVTCHN_FIFO_LINK_MASK;
}  // namespace fifo

struct FifoPort {
    uint8_t priority;
    uint8_t queue;           // where it was linked last: priority
    uint8_t vcpu;            // and vCPU
};

struct FifoVcpu {
    evtchn_fifo_control_block_t* block;          // through the direct map; null: not told yet
    Mfn frame;
    std::array<uint32_t, EVTCHN_FIFO_MAX_QUEUES> tail;   // 0: empty
};

struct FifoEvents {
    std::atomic<bool> in_use;                    // else the 2-level form
    std::atomic<uint32_t> page_count;            // release: the page is there
    std::array<Mfn, fifo_pages> pages;
    std::array<uint64_t, fifo_pages * fifo_words_per_page / 64> waits;   // a bit a port: pending, and has no word yet
    uint32_t raised_end;                         // of ports below, none that has a word waits
    FifoPort* ports;
    FifoVcpu* vcpus;
};

// Makes the tables of a partition. Start-up only.
void init_fifo(Partition& partition);
// Null: the guest has given no page for it yet. No lock is needed to look at it.
[[nodiscard]] EventWord* fifo_word(const Partition& partition, uint32_t port);

// All below with the lock held.
void raise_fifo(Partition& partition, uint32_t port, Vcpu& target);
void unmask_fifo(Partition& partition, uint32_t port, Vcpu& target);
// A port that begins a new use, in either form, or ends one.
void open_fifo_port(Partition& partition, uint32_t port);
void close_fifo_port(Partition& partition, uint32_t port);

// Back to the 2-level form, as at the start of a life. Takes the lock. All ports are closed.
void drop_fifo(Partition& partition);

Result<> init_fifo_control(Partition& self, evtchn_init_control& request);
// XEN_ERESTART: call again with the same arguments after what waits.
Result<> expand_fifo_array(Partition& self, const evtchn_expand_array& request);
Result<> set_fifo_priority(Partition& self, const evtchn_set_priority& request);

}  // namespace bulkhead
